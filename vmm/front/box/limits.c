/* SPDX-License-Identifier: Apache-2.0 */
#include "box/limits.h"

#include "base/auto.h"
#include "base/log.h"
#include "jail/boxgroup.h"
#include "spec/cpuset.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "cgroup"

/* CPUs of the set that this process may use: all of them, or an error. */
static int allowed(const char *text, cpu_set_t *set, struct err *e)
{
	cpu_set_t ours, both;
	char list[CPUSET_TEXT_MAX];

	if (cpuset_parse(text, set, e) < 0)
		return -e->code;
	if (sched_getaffinity(0, sizeof(ours), &ours) < 0)
		return err_sys(e, "sched_getaffinity");
	CPU_AND(&both, set, &ours);
	if (!CPU_EQUAL(&both, set))
		return err_set(e, EINVAL,
			       "--cpuset-cpus: requested CPUs are not "
			       "available - requested %.60s, available: %.100s",
			       text, cpuset_text(&ours, list));
	return 0;
}

int limits_check(const struct limits *l, unsigned *cpus, struct err *e)
{
	cpu_set_t set;

	if (l->cpuset) {
		if (allowed(l->cpuset, &set, e) < 0)
			return -e->code;
		*cpus = (unsigned)CPU_COUNT(&set);
	}
	return 0;
}

int limits_enter(const struct limits *l, struct err *e)
{
	cpu_set_t set;

	if (!l->cpuset)
		return 0;
	if (allowed(l->cpuset, &set, e) < 0)
		return -e->code;
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		return err_sys(e, "--cpuset-cpus %s", l->cpuset);
	return 0;
}

int limits_hold(const struct limits *l, const struct box *b, pid_t monitor,
		struct err *e)
{
	struct boxgroup_limits want = {
		.cpu_us = l->cpu_milli * BOXGROUP_PERIOD_US / 1000,
	};
	char name[BOX_SHORT_LEN + 1];
	struct boxgroup g;
	int r;

	if (!l->cpu_milli)
		return 0;
	snprintf(name, sizeof(name), "%.*s", BOX_SHORT_LEN, b->id);
	if (boxgroup_open(&g, CGROUP_MOUNT, NULL, name, &want, e) < 0)
		return err_wrap(e, "--cpus: a part of a CPU");
	r = state_put(b, FILE_NAME, g.path, e);
	if (r == 0)
		r = boxgroup_add(&g, monitor, e);
	boxgroup_close(&g);
	if (r < 0)
		limits_clean(b);
	return r;
}

void limits_clean(const struct box *b)
{
	autofree char *path = state_slurp(b, FILE_NAME, BOXGROUP_PATH_MAX);
	struct err e;

	if (!path ||
	    strncmp(path, CGROUP_MOUNT "/", strlen(CGROUP_MOUNT) + 1) != 0)
		return;
	if (boxgroup_remove(path, &e) < 0) {
		log_debug("%s", e.msg);
		return;
	}
	unlinkat(b->dir, FILE_NAME, 0);
}
