/* SPDX-License-Identifier: Apache-2.0 */
/* detach.h - a keeper without a terminal. */
#pragma once

#include "base/err.h"
#include "spec/spec.h"
#include "box/state.h"

/* Starts the box, whose lock is held and taken over, and leaves a process
 * behind that keeps it: a session of its own that holds nothing of ours open.
 * Returns when the command runs: 0; or does not: the exit status docker has
 * for that, and why in *e. */
int detach_run(const struct spec *s, struct box *b, struct box_info *info,
	       struct err *e);
