/* SPDX-License-Identifier: Apache-2.0 */
/* spawn.h - from a description to a running program.
 *
 * The child borrows the agent's memory until it has become the program or has
 * failed, and the agent stands still meanwhile: no page tables are copied, and
 * the child's result is simply there afterwards. In return the child calls
 * nothing that allocates. It runs as the job's user before the exec, but a
 * process that changed its ids cannot be traced by others of the same user, so
 * the agent's memory stays its own. */
#pragma once

#include "agent/caps.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

enum spawn_stage {
	SPAWN_OK,
	SPAWN_FORK,
	SPAWN_TERMINAL,
	SPAWN_STDIO,
	SPAWN_RLIMIT,
	SPAWN_MKDIR,
	SPAWN_CHDIR,
	SPAWN_IDS,
	SPAWN_CAPS,
	SPAWN_EXEC,
	SPAWN_NSTAGES,
};

struct spawn_limit {
	int resource;
	struct rlimit value;
};

struct spawn {
	char *const *argv;
	char *const *env;
	const char *path; /* where argv[0] without a slash is sought */
	const char *cwd;
	bool make_cwd;
	bool set_ids; /* the agent may become others */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t ngroups;
	const struct spawn_limit *limits;
	size_t nlimits;
	struct caps caps;
	int fd[3];     /* become 0, 1, 2; all above 2 */
	bool tty;      /* fd[0] is to be the controlling terminal */
	int cgroup_fd; /* -1: stay in the agent's */

	/* the child's answer */
	enum spawn_stage stage;
	int error;  /* errno of the stage */
	bool found; /* the program is there, what it needs is not */
};

/* The pid of the program, or of a child that failed when stage is not
 * SPAWN_OK; either is waited for by reap. -errno when there is no child. */
pid_t spawn_run(struct spawn *s);
const char *spawn_stage_name(enum spawn_stage stage);
/* One line for people about a stage that failed, and its errno. */
int spawn_explain(const struct spawn *s, struct err *e);
