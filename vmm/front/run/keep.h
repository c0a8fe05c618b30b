/* SPDX-License-Identifier: Apache-2.0 */
/* keep.h - the keeper's socket, both ends of it.
 *
 * THEORY OF OPERATION
 *
 * The keeper of a box is the process in run_box(): the client itself while it
 * waits for its command, or a process without a terminal when the command was
 * started detached. It alone talks to the agent about the box's command and it
 * alone writes the box's state, so two clients at once cannot get in each
 * other's way: they ask (keep.proto), it does one thing after the other.
 *
 * A client that attaches hands over its own descriptors. Output is written to
 * them by the keeper, without a further process in between; input comes
 * through a pipe the client fills, so that a client in the background does not
 * lose its terminal's input to the keeper.
 *
 * Whoever can open the socket owns the box already: its directory is 0700. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "proto/keep.pb-c.h"
#include "guest/relay.h"

#include <stdbool.h>
#include <stddef.h>

#define KEEP_FDS 3
#define KEEP_CLIENTS 256

struct keep;

struct keep_client {
	struct keep *keep;
	struct keep_client *next;
	struct watch watch;
	bool attached;
	bool waits;			/* is told of the end */
	struct relay_sink sink[2];	/* stdout, stderr */
	int fd[KEEP_FDS];		/* descriptors it handed over; -1 */
};

struct keep {
	struct loop *loop; /* NULL: closed */
	struct watch watch;
	struct keep_client *clients;
	unsigned count;
	/* A call, with the descriptors that came along in c->fd when it is an
	 * Attach. c may be dropped by it only through keep_answer(). */
	void (*called)(struct keep_client *c, const Vial__Keep__Call *m);
	/* It is gone; its sinks are out of their relays after. */
	void (*left)(struct keep_client *c);
};

/* Listens in the box's directory; called and left are set by the caller. */
int keep_open(struct keep *k, struct loop *l, int boxdir, struct err *e);
void keep_close(struct keep *k);

/* error 0: done. */
void keep_answer(struct keep_client *c, int error, const char *message);
/* With a descriptor, which stays the caller's. */
void keep_answer_fd(struct keep_client *c, int fd);
/* To all who wait, once. */
void keep_ended(struct keep *k, int status, bool oom_killed,
		const char *message);

/* ---- the other end ---- */

/* -ENOENT or -ECONNREFUSED: nobody keeps the box. */
int keep_dial(int boxdir, struct err *e);
int keep_send(int fd, const Vial__Keep__Call *m, const int *fds, size_t nfds,
	      struct err *e);
/* The next answer; blocks. NULL: the keeper has gone. Free it with
 * vial__keep__answer__free_unpacked(). */
Vial__Keep__Answer *keep_recv(int fd);
/* One call and its answer: 0 or the error it came back with. */
int keep_ask(int boxdir, const Vial__Keep__Call *m, struct err *e);
/* The disk of a box that has no name for it, for reading. */
int keep_disk(int boxdir, struct err *e);
