/* SPDX-License-Identifier: Apache-2.0 */
/* user.h - who a command runs as, from the guest's passwd and group files.
 *
 * Read with fgetpwent() and fgetgrent(): a static program has no name service,
 * and the files belong to the guest, so nothing in them is trusted. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define USER_GROUPS_MAX 1024

struct user {
	uid_t uid;
	gid_t gid;
	size_t ngroups;
	gid_t groups[USER_GROUPS_MAX]; /* supplementary */
	char home[256];
};

struct user_files {
	const char *passwd, *group;
};

/* spec is name|uid[:group|gid], "" is root. Without a group of its own, the
 * user's primary group and all that list the name; with one, that alone. more
 * are further groups by name or number. A number needs no entry: its home is
 * then "/" and its group 0. A file that is not there has no entries.
 * -ENOENT: no such user or group; -EINVAL: nonsense. */
int user_lookup(const struct user_files *f, const char *spec, char *const *more,
		size_t nmore, struct user *u, struct err *e);
/* The first name that has this number; false when none has. */
bool user_name(const struct user_files *f, uid_t uid, char *out, size_t room);
