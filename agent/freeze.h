/* SPDX-License-Identifier: Apache-2.0 */
/* freeze.h - the root disk held still, for the host to read.
 *
 * All that was written is on the disk then, and the file system whole; who
 * writes on waits. It belongs to a control connection and ends with it, so a
 * host that dies leaves nobody waiting. The agent itself writes nothing to the
 * root meanwhile. */
#pragma once

#include "base/err.h"

struct caller;

struct freeze {
	const char *path; /* the file system's: "/" */
	int root; /* -1: not frozen */
	struct caller *by;
};

/* -EBUSY: another connection holds it. */
int freeze_root(struct freeze *f, struct caller *by, struct err *e);
/* The connection is at its end. */
void freeze_disowned(struct freeze *f, const struct caller *by);
void freeze_end(struct freeze *f);
