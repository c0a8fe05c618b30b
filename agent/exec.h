/* SPDX-License-Identifier: Apache-2.0 */
/* exec.h - from the host's Exec to a running process: user, environment,
 * limits, streams and terminal. */
#pragma once

#include "agent/job.h"

/* Fills pid, cgroup and streams; ended() of each stream is there already. On failure *kind and *stage
 * are for Failed, and the job holds nothing. */
int exec_start(struct job *j, const Vial__Agent__Exec *x,
	       Vial__Agent__Failed__Kind *kind, const char **stage,
	       struct err *e);
