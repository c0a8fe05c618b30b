/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stat.h"

#include "base/auto.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static uint32_t stat_path(const char *path, Vial__Agent__StatReply *m,
			  char *target, size_t room)
{
	struct stat st;

	if (*path != '/')
		return EINVAL;
	if (lstat(path, &st) < 0)
		return (uint32_t)errno;
	m->mode = st.st_mode;
	m->size = (uint64_t)st.st_size;
	m->mtime_ns =
		(int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(path, target, room - 1);

		if (n < 0)
			return (uint32_t)errno;
		target[n] = '\0';
		m->link_target = target;
	}
	return 0;
}

void stat_send(struct reply to, const char *path)
{
	Vial__Agent__StatReply m = VIAL__AGENT__STAT_REPLY__INIT;
	autofree char *resolved = NULL;
	char target[PATH_MAX];
	struct stat st;

	m.key = to.key;
	m.error = stat_path(path, &m, target, sizeof(target));
	if (m.error == 0)
		resolved = realpath(path, NULL);
	if (resolved && stat(resolved, &st) == 0) {
		m.resolved = resolved;
		m.resolved_mode = st.st_mode;
	}
	event_stat(to, &m);
}
