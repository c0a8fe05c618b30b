/* SPDX-License-Identifier: Apache-2.0 */
/* meet.h - a process of vial-netd that several boxes share, and the socket in
 * a folder at which they meet it.
 *
 * Whoever comes first starts it, under the lock of the folder; it outlives
 * them, and ends a moment after the last connection, also under that lock. So
 * nobody finds a door that is about to be shut, and one that was left behind
 * by a process that was killed is replaced by the next who comes. */
#pragma once

#include "base/err.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>

/* What the process is started with: where it listens, the folder, which is its
 * lock as well, and what it was handed besides. */
enum { MEET_FD = 3, MEET_DIR_FD, MEET_MORE_FD };

/* The longest name of a socket. */
#define MEET_NAME 40

/* The folder, made when missing; refused when it is another's. */
int meet_folder(const char *path, struct err *e);

struct meet_who {
	const char *name;	 /* of the socket */
	const char *const *argv; /* of the process, NULL behind it */
	const int *more;	 /* handed to it; -1: nothing in that place */
	size_t nmore;
};

/* A connection to it. One that is just being killed may still take it, and
 * then says nothing: who wants an answer asks again, so often. */
#define MEET_TRIES 3
int meet(int folder, const struct meet_who *w, struct err *e);

/* ---- in the process ---- */

struct meet_door {
	struct loop *loop;
	struct watch watch;
	struct timer idle;
	unsigned n, max; /* of those who are here */
	/* One more, whose socket it is to close; meet_door_left() when it goes. */
	void (*came)(struct meet_door *d, int fd);
};

/* Until nobody is here any more the loop runs. */
int meet_door_open(struct meet_door *d, struct loop *l, struct err *e);
void meet_door_left(struct meet_door *d);
