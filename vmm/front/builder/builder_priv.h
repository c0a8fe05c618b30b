/* SPDX-License-Identifier: Apache-2.0 */
/* builder_priv.h - one image being built, as builder*.c see it. */
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
	char text[SAID_MAX]; /* what is not a line yet, or all of stderr */
	size_t len;
	bool ended;
};

struct build {
	const struct builder *b;
	struct loop loop;
	struct launch launch;
	struct boxmounts disk;
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
	bool up, exited, done;
	int status;
	struct err why; /* code 0: nothing wrong so far */
};

/* builder_stream.c: opens the three streams of the command and moves what is
 * to be moved. Errors are in why. */
int build_streams(struct build *w, struct err *e);
void build_streams_close(struct build *w);
