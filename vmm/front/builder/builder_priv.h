/* SPDX-License-Identifier: Apache-2.0 */
/* builder_priv.h - a builder's machine and its one piece of work, as the files
 * of this folder see it. */
#pragma once

#include "base/loop.h"
#include "run/boxmounts.h"
#include "builder/builder.h"
#include "guest/dial.h"
#include "guest/guest.h"
#include "run/launch.h"

#include <stdbool.h>

#define SAID_MAX 1024

/* A stream from the guest, read line by line. */
struct build_said {
	struct build *owner;
	struct watch watch;
	struct dial dial;
	char text[SAID_MAX]; /* stdout: no line yet; stderr: how it begins */
	size_t len;
	bool ended;
};

struct build {
	/* the work: set between build_init() and build_run() */
	char **argv; /* owned, and its strings */
	size_t argc;
	int image, scratch; /* the disk "root"; owned; -1: there is none */
	struct boxmounts disk; /* further ones; owned */
	/* Standard output as it comes; what is wrong goes to why. */
	void (*said)(struct build *w, const char *bytes, size_t n);
	void *arg; /* said's */
	bool feeds; /* b's blobs are its input */
	const struct builder *b; /* NULL: no image is made */
	/* its course */
	struct loop loop;
	struct launch launch;
	struct guest guest;
	uint64_t key;
	struct timer limit;
	/* blobs, into the guest */
	struct watch feed;
	size_t layer;
	uint64_t sent, total; /* of the layer; of all */
	off_t at;
	/* what comes back */
	struct build_said out, err;
	uint64_t taken;
	bool up, exited, done; /* done: it says that all is well */
	int status;
	struct err why; /* code 0: nothing wrong so far */
};

/* builder_vm.c. One that is not run is finished by build_fini(). */
void build_init(struct build *w);
void build_fini(struct build *w);
/* Until the machine is gone; finished after. */
int build_run(struct build *w, struct err *e);

/* builder_stream.c: opens the three streams of the command and moves what is
 * to be moved. Errors are in why. */
int build_streams(struct build *w, struct err *e);
void build_streams_close(struct build *w);
/* said of those that make an image: lines of progress. */
void build_progress(struct build *w, const char *bytes, size_t n);
