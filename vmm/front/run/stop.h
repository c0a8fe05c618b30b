/* SPDX-License-Identifier: Apache-2.0 */
/* stop.h - ends a box from outside. */
#pragma once

#include "base/err.h"
#include "box/state.h"

/* Asks the monitor of the box to end the guest and waits until nobody keeps
 * the box alive any more. -ETIMEDOUT when that takes longer than half a
 * minute. */
int stop_box(const char *id, struct err *e);
/* Kills the command of the box, whose guest then has the time to write down
 * what is in its volumes, and is stop_box() where that cannot be. */
int stop_kill(const struct box_info *info, struct err *e);
