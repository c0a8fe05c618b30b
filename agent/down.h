/* SPDX-License-Identifier: Apache-2.0 */
/* down.h - the end: what runs is told, then killed; disks are made clean; the
 * power goes off. Without processes nothing waits. */
#pragma once

#include "base/loop.h"

struct agent;

/* Between SIGTERM and SIGKILL, and again before giving up on what stays. */
#define DOWN_GRACE_MS 2000

enum down_state { DOWN_NOT, DOWN_TERM, DOWN_KILL, DOWN_READY };

struct down {
	enum down_state state;
	struct timer timer;
};

/* Stops the loop when nothing is left, at once if possible. */
void down_begin(struct agent *a);
/* Some process has ended. */
void down_check(struct agent *a);
/* After the loop: PID 1 powers off and does not return. */
void down_finish(struct agent *a);
