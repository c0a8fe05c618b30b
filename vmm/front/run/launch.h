/* SPDX-License-Identifier: Apache-2.0 */
/* launch.h - a plan becomes a box: shim and monitor, seen from the keeper. */
#pragma once

#include "base/err.h"
#include "run/plan.h"
#include "run/shim.h"
#include "box/state.h"

#include <stdbool.h>
#include <sys/types.h>

struct launch {
	pid_t shim; /* 0: none */
	int leash;  /* SOCK_SEQPACKET, struct shim_msg */
	int plan;   /* Notice frames come; closing it ends the guest */
	struct box box;
	struct box_info info;
};

#define LAUNCH_INIT                                                            \
	{                                                                      \
		.leash = -1, .plan = -1, .box = BOX_INIT                       \
	}

/* Sends the plan, forks the shim and waits until the box's sockets are there.
 * b is a box whose lock is held; launch owns it from here on, also after an
 * error, and its lock is the shim's. The plan's descriptors may be closed
 * after. */
int launch_start(struct launch *l, const struct plan *p, struct box *b,
		 const struct box_info *info, struct err *e);

/* Ends the guest, if it still runs, and returns when nothing of the box is
 * left but, when it is not brief, its directory. *last gets the monitor's end
 * when it had not been read yet. */
void launch_end(struct launch *l, struct shim_msg *last);
