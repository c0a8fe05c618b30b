/* SPDX-License-Identifier: Apache-2.0 */
/* transfer.h - one copy between the host and a box, running or not.
 *
 * What is where is asked of the agent (Stat) and of the host, cp.h says what
 * follows from it, and a tar stream does the rest: packed here and unpacked by
 * the agent, or the reverse. The child that packs or unpacks has nothing but
 * the stream (copy.h); what a guest sends is judged by unpack.h. */
#pragma once

#include "base/err.h"
#include "box/state.h"

#include <stdbool.h>
#include <stdint.h>

struct transfer {
	bool in;	  /* into the box */
	const char *host; /* "-": a tar stream, standard input or output */
	const char *guest;
	const char *box;  /* as the user called it */
	bool owners;	  /* as at the source; else the destination's */
	bool follow;	  /* a link at the end of the source's path */
	/* Told now and then; total 0: not known. May be NULL. */
	void (*moved)(void *arg, uint64_t bytes, uint64_t total);
	void *arg;
	/* Out: how many entries were no files, and one of them. */
	uint64_t left_out;
	char first_left_out[128];
};

/* Closes b when the box does not run, which is then visited (visit.h). */
int transfer_run(struct transfer *t, struct box *b, struct box_info *info,
		 struct err *e);
