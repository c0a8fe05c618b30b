/* SPDX-License-Identifier: Apache-2.0 */
/* hold.h - a running box's disk held still while it is read: all that its guest
 * has written is in its file, and whoever writes on waits (agent/freeze.h). */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "guest/guest.h"

#include <stdbool.h>

struct hold {
	struct loop loop;
	struct guest guest;
	bool open, done;
	struct err why; /* code 0: nothing wrong */
};

/* -ETIME: the guest does not answer, as one that is paused does not. */
int hold_begin(struct hold *h, int boxdir, unsigned patience_ms, struct err *e);
/* Lets go. Safe on a zeroed one and on one that failed. */
void hold_end(struct hold *h);
