/* SPDX-License-Identifier: Apache-2.0 */
/* boxgroup.h - one control group (v2) for one box, when a limit needs it.
 *
 * It is made where this user may make one: as root below the root of the
 * hierarchy; otherwise below the nearest ancestor of our own group that was
 * delegated to the user. There it is vial/NAME, and vial goes with its last
 * box. What a limit needs and the host has not given is an error that says what
 * to do; nothing is left out silently. */
#pragma once

#include "base/err.h"

#include <stdint.h>

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define BOXGROUP_PERIOD_US 100000u
#define BOXGROUP_PATH_MAX 512

/* 0: no limit. */
struct boxgroup_limits {
	uint64_t cpu_us;       /* of CPU time in each BOXGROUP_PERIOD_US */
	uint64_t memory_bytes; /* of the host's memory, guest RAM included */
	uint64_t pids;	       /* processes and threads */
};

struct boxgroup_use {
	uint64_t cpu_us;
	uint64_t memory_bytes; /* 0: not told */
};

struct boxgroup {
	int fd; /* its directory, owned; -1: none */
	char path[BOXGROUP_PATH_MAX];
};
#define BOXGROUP_INIT                                                          \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Makes the group and sets its limits; one of that name that nobody is in is
 * taken over. mount is CGROUP_MOUNT, self our own group in it ("/", "/a/b");
 * NULL: looked up. On failure nothing is left. */
int boxgroup_open(struct boxgroup *c, const char *mount, const char *self,
		  const char *name, const struct boxgroup_limits *l,
		  struct err *e);
void boxgroup_close(struct boxgroup *c);

/* Also later: 0 takes a limit away again where it was set. */
int boxgroup_limit(const struct boxgroup *c, const struct boxgroup_limits *l,
		   struct err *e);
/* pid 0: the caller. Its threads and children-to-be come along. */
int boxgroup_add(const struct boxgroup *c, int pid, struct err *e);
int boxgroup_usage(const char *path, struct boxgroup_use *u, struct err *e);

/* Kills what is left in it and removes it. A group that is gone is no error;
 * EBUSY when something in it does not die within a second or so. */
int boxgroup_remove(const char *path, struct err *e);
