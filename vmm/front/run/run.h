/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - one box from spec to exit status.
 *
 * THEORY OF OPERATION
 *
 *     vial run ── leash ── shim ── child ── vial-vmm
 *        │  └──── plan socket ───────────────┘  │
 *        └─ vsock.sock: control, stdin, stdout, stderr ── agent in the guest
 *
 * The client resolves the spec (plan.h), forks a shim that makes the box and
 * starts the monitor (launch.h, shim.h), and connects to the box at once: the
 * monitor holds connections until the agent listens, so Hello, Setup, Exec and
 * the streams are on their way before the kernel has booted, and the command
 * runs after one round trip. Only copies come between.
 *
 * run_box() is a sequence of waits in one loop. What can happen at any time
 * (signals, the end of the guest, nonsense from it) ends the run by setting
 * the report's end, once; each wait looks at that. At the end the disk of the
 * box is thrown away, so nothing is shut down: the shim kills the monitor.
 *
 * Who ends what when somebody is killed is in shim.h. */
#pragma once

#include "run/report.h"
#include "run/spec.h"

/* Runs it; r is initialised, and its end, times and numbers are filled in.
 * Writes to standard error only what the report cannot say: the end of the
 * console of a box that is gone, and warnings about artifacts, unless
 * s->quiet. */
void run_box(const struct spec *s, struct report *r);
