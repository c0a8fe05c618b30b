/* SPDX-License-Identifier: Apache-2.0 */
/* attach.h - our streams, tied to a command that somebody else keeps. */
#pragma once

#include "base/err.h"
#include "box/state.h"

#include <stdbool.h>

struct attach {
	bool in, out, err;
	bool tty;		 /* the command has a terminal */
	bool proxy;		 /* signals of ours are the command's */
	const char *detach_keys; /* NULL: ctrl-p,ctrl-q */
	size_t replay;		 /* bytes of output shown first */
};

/* Until the command ends: its exit status, or until we are detached: 0. -errno
 * when it cannot be attached to. */
int attach_box(const struct box *b, const struct attach *a, struct err *e);

/* Until the box has ended: its exit status. */
int attach_wait(const struct box *b, int *status, struct err *e);
