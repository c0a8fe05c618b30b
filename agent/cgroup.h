/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - a control group of its own for every job.
 *
 * Where there is no cgroup2 (tests, development) all of this does nothing and
 * jobs fall back to process groups. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CGROUP_MOUNT "/sys/fs/cgroup"

struct cgroups {
	int fd;		/* directory of all jobs, -1: none */
	unsigned stale; /* groups whose processes were left alive */
};

struct cgroup {
	int fd; /* its directory, -1: none */
	char name[24];
};

/* Below the cgroup2 that is mounted at mount. Failing only means that there is
 * none. */
void cgroups_init(struct cgroups *cs, const char *mount);
/* At most so many processes and threads of all jobs together; 0: no limit.
 * -ENOTSUP: there is nothing to hold them back with. */
int cgroups_limit_pids(const struct cgroups *cs, uint64_t max, struct err *e);
void cgroups_fini(struct cgroups *cs);
/* Removes groups whose last process has gone since. */
void cgroups_sweep(struct cgroups *cs);

void cgroup_open(struct cgroups *cs, struct cgroup *g, uint64_t key);
/* Removes it when it has no process left; true also when there is none. */
bool cgroup_remove(const struct cgroups *cs, const struct cgroup *g);
/* Lets go of it: empty groups are removed now, others by the sweep. */
void cgroup_close(struct cgroups *cs, struct cgroup *g);
/* SIGKILL to everything in it, also to what is being forked just now. False
 * when there is no group to kill. */
bool cgroup_kill(const struct cgroup *g);
/* How many of its processes the kernel killed for memory. */
uint64_t cgroup_oom_kills(const struct cgroup *g);
/* Most bytes that all jobs together ever used; 0: not known. */
uint64_t cgroups_peak(const struct cgroups *cs);
