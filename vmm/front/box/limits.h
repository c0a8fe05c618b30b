/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - what a box may take of the host, besides memory and disk space.
 *
 * A share of CPU time is kept by a control group around the monitor, made only
 * when there is one (jail/boxgroup.h); which CPUs, by the monitor's affinity,
 * which needs no rights and which the jail lets nobody change; rates by the
 * monitor's devices. The group's path is in the box's file "cgroup", so that
 * whoever cleans up behind a crash finds it. */
#pragma once

#include "base/err.h"
#include "box/state.h"
#include "spec/spec.h"

#include <sys/types.h>

/* Whether this host can keep them, before anything is made. cpus: how many the
 * box may use. */
int limits_check(const struct limits *l, unsigned *cpus, struct err *e);
/* For the process that starts the monitor: its children inherit the CPUs. */
int limits_enter(const struct limits *l, struct err *e);
/* The monitor, which has just been started. */
int limits_hold(const struct limits *l, const struct box *b, pid_t monitor,
		struct err *e);
/* The monitor has ended: takes its group away. Silent when there is none. */
void limits_clean(const struct box *b);
