/* SPDX-License-Identifier: Apache-2.0 */
/* stdio.h - our standard streams, tied to a command's in the box.
 *
 * Each stream has a connection and a relay of its own. End of file on our
 * input half-closes the command's. When our output ends early (a pipe whose
 * reader left, a full disk), its connection is closed, so the command meets
 * what it would have met without a box: SIGPIPE, and the exit status that
 * follows from it. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "box/log.h"
#include "guest/relay.h"

#include <stdbool.h>
#include <stdint.h>

enum stdio_stream { STDIO_IN, STDIO_OUT, STDIO_ERR, STDIO_NSTREAMS };

/* Which streams the command has, and what they are tied to at first. */
struct stdio_conf {
	bool in, err;		/* the output is always there */
	int fd[STDIO_NSTREAMS]; /* borrowed; -1: nothing yet */
	bool input_once;	/* the end of an input is the command's */
	struct boxlog *log;	/* NULL: none is kept */
};

struct stdio {
	struct stdio_stream_end {
		struct relay relay;
		int fd; /* connection to the agent; -1: none */
		struct stdio *io;
		bool over; /* input: the command knows its end */
	} stream[STDIO_NSTREAMS];
	struct loop *loop;
	struct stdio_conf conf;
};

#define STDIO_INIT                                                             \
	{                                                                      \
		.stream = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } }         \
	}

/* Connects the streams the command named by key will have and starts to
 * relay. */
int stdio_open(struct stdio *io, struct loop *l, int boxdir, uint64_t key,
	       const struct stdio_conf *c, struct err *e);
/* Ties a further input: -EBUSY when there is one, -EPIPE when the command
 * takes none. fd is borrowed until stdio_drop_input(). */
int stdio_add_input(struct stdio *io, int fd);
/* Without an end of file for the command. */
void stdio_drop_input(struct stdio *io, int fd);
/* A further taker of an output (relay.h). */
int stdio_add_output(struct stdio *io, enum stdio_stream which,
		     struct relay_sink *s, int fd);
/* What it was tied to at first is left alone from now on, without an end of
 * file for the command; others may come (conf.input_once no more). Output is
 * kept in log, unless that is NULL or it is in one already. */
void stdio_leave(struct stdio *io, struct boxlog *log);
void stdio_fini(struct stdio *io);

/* The command's output has been written as far as it can be. */
bool stdio_drained(const struct stdio *io);
/* An output is open, and it is not our side that is waited for. */
bool stdio_starves(const struct stdio *io);
/* After that: what of it was lost, other than to a reader that left. */
int stdio_check(const struct stdio *io, struct err *e);
/* Bytes of output so far: 0 until the command has shown life. */
uint64_t stdio_bytes(const struct stdio *io, enum stdio_stream which);
