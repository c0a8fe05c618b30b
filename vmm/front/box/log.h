/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - the output of a box's command, kept.
 *
 * A log is a row of records, each a head (when, which stream, how long) and
 * the bytes as they came, so nothing is escaped or split and what is read back
 * is what was written. At its limit `log` becomes `log.1`, `log.1` becomes
 * `log.2`, and the oldest goes: a command that floods its output loses the
 * beginning of it here, never the host's disk. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct boxlog {
	int dir; /* borrowed */
	int fd;	 /* -1: closed */
	uint64_t size, max_bytes;
	unsigned files;
	int error; /* errno of what was lost first; 0: nothing was */
};

#define BOXLOG_INIT                                                            \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Adds to what is there. */
int boxlog_open(struct boxlog *l, int boxdir, uint64_t max_bytes,
		unsigned files, struct err *e);
void boxlog_close(struct boxlog *l);
/* stream: 1 or 2. Does not fail: a full disk must not end the command. */
void boxlog_write(struct boxlog *l, unsigned stream, const void *bytes,
		  size_t len);

struct boxlog_read {
	int64_t since_ms, until_ms; /* CLOCK_REALTIME; 0: open */
	int64_t tail;		    /* lines; -1: all */
	bool times;		    /* before every line */
	bool follow;		    /* until ended() says so */
	bool (*ended)(void *arg);
	void *arg;
	int out, err;
};

/* Returns 0 also when there is no log. -EPIPE when a reader left. */
int boxlog_print(int boxdir, const struct boxlog_read *how, struct err *e);
/* The last bytes of one stream, for a client that comes late; the caller
 * frees *out. Returns how many. */
size_t boxlog_last(int boxdir, unsigned stream, size_t max, char **out);
