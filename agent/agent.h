/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - the whole agent, as its parts see it. */
#pragma once

#include "agent/cgroup.h"
#include "agent/caller.h"
#include "agent/down.h"
#include "agent/forward.h"
#include "agent/freeze.h"
#include "agent/reap.h"
#include "agent/user.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

struct job;
struct file;

struct agent {
	bool init; /* PID 1 of a guest; else a test's */
	bool was_set_up;
	bool can_set_ids;
	uint64_t boot_us;  /* guest uptime when it began to listen */
	rlim_t files_hard; /* what a job may raise its limit to */
	int null_fd;
	struct loop loop;
	struct watch listener, announce;
	struct callers callers;
	struct reap reap;
	struct cgroups cgroups;
	struct user_files users;
	struct down down;
	struct freeze freeze;
	struct job *jobs;
	unsigned njobs;
	struct file *files;
	unsigned nfiles;
	struct forwards forwards;
	char hostname[65];
};

/* All but the listener; every signal is blocked from here on. A half-open
 * agent is closed by agent_close() like a whole one. */
int agent_open(struct agent *a, bool init, struct err *e);
void agent_close(struct agent *a);
