/* SPDX-License-Identifier: Apache-2.0 */
/* copy.h - trees between host and guest, each packed or unpacked by a child.
 *
 * Archives are read and written by calls that block, so a process of its own
 * does it, with nothing open but the stream; the loop hears when it is done,
 * and a hostile archive meets a process that has nothing. The child dies with
 * the client. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct copy_result {
	struct err err; /* code 0: it went well */
	uint64_t entries, bytes;
	uint64_t left_out; /* out: links that lead elsewhere, devices */
	char first_left_out[128];
};

struct copy {
	struct loop *loop;
	struct watch watch; /* pipe the result comes through */
	pid_t pid;
	bool running;
	struct copy_result result;
	void (*done)(struct copy *c); /* in the loop, once */
};

/* What the child does. fd is the stream, blocking; what follows the agent's
 * answer is next. Whatever else it needs it opens itself; 0 to 2 are open. */
typedef int copy_job(const void *what, int fd, struct copy_result *res,
		     struct err *e);
int copy_start(struct copy *c, struct loop *l, copy_job *job, const void *what,
	       int fd, struct err *e);

/* fd is a fresh stream to the agent (dial_stream); it is borrowed and must
 * stay open until the agent has said TarDone. */
int copy_in_start(struct copy *c, struct loop *l, const struct spec_copy *what,
		  int fd, struct err *e);
int copy_out_start(struct copy *c, struct loop *l, const struct spec_copy *what,
		   int fd, struct err *e);
/* Kills the child when it still runs. */
void copy_fini(struct copy *c);

/* Where in the guest the archive of a copy-in is unpacked. The caller frees
 * it; NULL: no memory. */
char *copy_in_target(const struct spec_copy *what);
