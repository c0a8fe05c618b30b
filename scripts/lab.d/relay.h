/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay.h - what the two ends of the lab say to each other.
 *
 * Four virtio-serial ports join them: one for each of the command's streams,
 * which carry its bytes and nothing else, and one for control. A serial port
 * has no end of file that survives bytes still in flight, so the end of a
 * stream is told on the control port as a byte count: whoever has moved that
 * many is done. Each stream has its own queue, therefore none waits for another.
 *
 * Control, host to guest: first the job (below), then records.
 * Control, guest to host: records, RELAY_READY first, RELAY_EXIT last. Before
 * RELAY_READY nothing of the command has begun and none of its input is read.
 */
#pragma once

#include <stdint.h>

enum { RELAY_IN, RELAY_OUT, RELAY_ERR, RELAY_NSTREAMS };

/* The ports' numbers, as in id=...,nr=N on QEMU's command line; the streams
 * come first and in the order of their descriptors. */
enum { RELAY_PORT_IN = 1, RELAY_PORT_CONTROL = 4 };

enum relay_type {
	RELAY_END = 1, /* the sender's stream ended after value bytes */
	RELAY_GONE,    /* nobody takes this stream's bytes any more */
	RELAY_EXIT,    /* the command is over, value is its exit status */
	RELAY_READY,   /* the lab is up */
};

struct relay_record {
	uint32_t type;
	uint32_t stream;
	uint64_t value;
};

/* The job: its size in bytes, then that many bytes of strings, each with its
 * NUL: working directory, writable share or "", directory of the kernel's
 * modules, number of arguments, the arguments, the environment. */
typedef uint32_t relay_size_t;

enum { RELAY_CHUNK = 256 * 1024, RELAY_JOB_MAX = 4 * 1024 * 1024 };

/* Both move everything or fail; read returns 0 when the other end is gone. */
int relay_write(int fd, const void *data, uint64_t size);
int relay_read(int fd, void *data, uint64_t size);
