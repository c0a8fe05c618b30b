/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/cgroup.h"

#include "base/auto.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cgroup_write(int dir, const char *name, const char *text)
{
	autoclose int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && fd_write_full(fd, text, strlen(text)) == 0;
}

static ssize_t cgroup_read(int dir, const char *name, char *text, size_t room)
{
	autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : fd_read_full(fd, text, room - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n;
}

void cgroups_init(struct cgroups *cs, const char *mount)
{
	autoclose int top = open(mount, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*cs = (struct cgroups){ .fd = -1 };
	if (top < 0 || faccessat(top, "cgroup.controllers", F_OK, 0) < 0)
		return;
	/* A kernel without one of them refuses the line. */
	if (!cgroup_write(top, "cgroup.subtree_control", "+memory +pids"))
		cgroup_write(top, "cgroup.subtree_control", "+memory");
	mkdirat(top, "jobs", 0755);
	cs->fd = openat(top, "jobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cgroup_write(cs->fd, "cgroup.subtree_control", "+memory");
}

int cgroups_limit_pids(const struct cgroups *cs, uint64_t max, struct err *e)
{
	char text[24];

	if (max == 0)
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, max);
	if (cs->fd < 0 || !cgroup_write(cs->fd, "pids.max", text))
		return err_set(e, ENOTSUP,
			       "limit of processes: the guest's kernel cannot "
			       "keep it");
	return 0;
}

void cgroups_fini(struct cgroups *cs)
{
	if (cs->fd >= 0)
		close(cs->fd);
	cs->fd = -1;
}

void cgroups_sweep(struct cgroups *cs)
{
	const struct dirent *d;
	DIR *dir;
	int fd;

	if (cs->stale == 0)
		return;
	fd = openat(cs->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return;
	/* One that has processes cannot be removed, which is what is wanted.
	 * A job whose group went early has no more use for it. */
	while ((d = readdir(dir)))
		if (strncmp(d->d_name, "job-", 4) == 0 &&
		    unlinkat(cs->fd, d->d_name, AT_REMOVEDIR) == 0 &&
		    cs->stale > 0)
			cs->stale--;
	closedir(dir);
}

void cgroup_open(struct cgroups *cs, struct cgroup *g, uint64_t key)
{
	g->fd = -1;
	snprintf(g->name, sizeof(g->name), "job-%016" PRIx64, key);
	if (cs->fd < 0 || mkdirat(cs->fd, g->name, 0755) < 0)
		return;
	g->fd = openat(cs->fd, g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

bool cgroup_remove(const struct cgroups *cs, const struct cgroup *g)
{
	return g->fd < 0 || unlinkat(cs->fd, g->name, AT_REMOVEDIR) == 0 ||
	       errno != EBUSY;
}

void cgroup_close(struct cgroups *cs, struct cgroup *g)
{
	if (g->fd < 0)
		return;
	if (!cgroup_remove(cs, g))
		cs->stale++;
	close(g->fd);
	g->fd = -1;
}

bool cgroup_kill(const struct cgroup *g)
{
	return g->fd >= 0 && cgroup_write(g->fd, "cgroup.kill", "1");
}

uint64_t cgroup_oom_kills(const struct cgroup *g)
{
	char text[512];
	const char *at;

	if (g->fd < 0 ||
	    cgroup_read(g->fd, "memory.events", text, sizeof(text)) < 0)
		return 0;
	at = strstr(text, "oom_kill ");
	return at ? strtoull(at + strlen("oom_kill "), NULL, 10) : 0;
}

uint64_t cgroups_peak(const struct cgroups *cs)
{
	char text[64];

	if (cs->fd < 0 ||
	    cgroup_read(cs->fd, "memory.peak", text, sizeof(text)) < 0)
		return 0;
	return strtoull(text, NULL, 10);
}
