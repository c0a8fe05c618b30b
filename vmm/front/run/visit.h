/* SPDX-License-Identifier: Apache-2.0 */
/* visit.h - being in a box that does not run.
 *
 * The box is booted without its command, and switched off in order after: its
 * disk has then what the visitor did, and its record says what it said before.
 * Its lock is held meanwhile, so nobody starts it or removes it. */
#pragma once

#include "base/err.h"
#include "run/run.h"
#include "box/state.h"

/* Takes the box's lock; b and info are closed and of no use after, unless it
 * returns 1: the box runs by now, and needs no visit. An error of the box goes
 * before one of the visitor, whose own is the visitor's to keep. */
int visit_box(struct box *b, struct box_info *info,
	      void (*visit)(void *arg, const struct run_visit *v), void *arg,
	      struct err *e);
