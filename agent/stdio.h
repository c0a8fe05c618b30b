/* SPDX-License-Identifier: Apache-2.0 */
/* stdio.h - one stream between a job and the host.
 *
 * A relay copies from one descriptor to another, both non-blocking, and stops
 * reading while the other side is full. It holds at most RELAY_CHUNK bytes.
 * The job's side is known from the start; the host's connection may come
 * later, and until then bytes stay in the pipe. */
#pragma once

#include "base/loop.h"

#include <stddef.h>
#include <stdint.h>

#define RELAY_CHUNK (128u << 10)

struct relay {
	struct loop *loop;
	struct watch src, dst;
	/* Called once, from the loop, when the relay has come to its end: all
	 * was handed over, or one side is gone. Both sides are closed then. */
	void (*ended)(struct relay *r);
	uint8_t *rest; /* read and not yet written */
	size_t rest_start, rest_len;
	bool to_job; /* stdin */
	bool tty;    /* the job's side is a terminal's master */
	bool open;   /* not yet ended */
	bool attached;
	bool src_eof;
};

/* Takes job_fd over: where the job's output comes out, or with to_job, where
 * its input goes in. Leaves ended alone: it is the owner's. */
void relay_init(struct relay *r, struct loop *l, const char *name, int job_fd,
		bool to_job);
/* The host's connection, taken over, and bytes that came with it. May call
 * ended() before it returns. 0, or -errno and host_fd is closed. */
int relay_attach(struct relay *r, int host_fd, const void *early, size_t len,
		 struct err *e);
/* Moves what can be moved now, without waiting for the loop. May call ended().
 */
void relay_poke(struct relay *r);
/* Waits for the job to write more, and not for the host to read. */
bool relay_idle(const struct relay *r);
/* Ends it without ended(). Safe on a zeroed relay and twice. */
void relay_close(struct relay *r);
