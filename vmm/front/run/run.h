/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one life of a box, from its start to its exit status.
 *
 * THEORY OF OPERATION
 *
 *     keeper ── leash ── shim ── child ── vial-vmm
 *      │  └──── plan socket ───────────────┘  │
 *      └─ vsock.sock: control, stdin, stdout, stderr ── agent in the guest
 *
 * The keeper is the process that calls run_box(): `vial run` and `vial start
 * -a` themselves, or a process they leave behind (detach.h). It resolves the
 * spec (plan.h), makes the box or takes one that is there (create.h), forks a
 * shim that starts the monitor (launch.h, shim.h), and connects to the box at
 * once: the monitor holds connections until the agent listens, so Hello, Setup,
 * Exec and the streams are on their way before the kernel has booted, and the
 * command runs after one round trip. Only copies come between.
 *
 * run_box() is a sequence of waits in one loop. What can happen at any time
 * (signals, calls of other clients, the end of the guest, nonsense from it)
 * ends the run by setting the report's end, once; each wait looks at that. At
 * the end of a brief box its disk is thrown away, so nothing is shut down: the
 * shim kills the monitor. The guest of a box that is kept is switched off in
 * order, for the sake of its disk.
 *
 * Who ends what when somebody is killed is in shim.h. */
#pragma once

#include "base/loop.h"
#include "box/report.h"
#include "spec/spec.h"
#include "box/state.h"

/* A box that was booted without its command (visit.h). */
struct run_visit {
	struct loop *loop;
	int boxdir;
	/* The box or its client is at its end: leave. */
	bool (*over)(const struct run_visit *v);
	const void *run;
};

struct run_how {
	struct box *box;	/* locked and taken over; NULL: make one */
	struct box_info *info;	/* of it */
	bool detached;		/* no streams of ours, no signals to hand on */
	bool no_in, no_out, no_err; /* streams that are not ours to tie */
	bool leavable;		/* by its detach keys (leave.h) */
	int leave;		/* then, for leave_now() */
	const char *detach_keys; /* NULL: the spec's */
	/* detached: told once, when the command has started (status -1) or
	 * will not. */
	void (*started)(void *arg, int status, const char *message);
	/* Instead of the command, and of all the spec does for it. The box's
	 * record stays as it is. */
	void (*visit)(void *arg, const struct run_visit *v);
	void *arg;
};

/* Runs it; r is initialised, and its end, times and numbers are filled in.
 * Writes to standard error only what the report cannot say: the end of the
 * console of a box that is gone, and warnings about artifacts, unless
 * s->quiet. */
void run_box(const struct spec *s, struct report *r, const struct run_how *how);
