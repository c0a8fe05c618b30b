/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/boxgroup.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PARENT "vial"
#define TRIES 5	      /* with others who remove the parent */
#define DIE_STEPS 100 /* of 10 ms */

/* ---- files of a group ---- */

static int file_write(int dir, const char *name, const char *text)
{
	autoclose int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
}

static int file_read(int dir, const char *name, char *text, size_t room)
{
	autoclose int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : fd_read_full(fd, text, room - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? (int)n : 0;
}

/* Is word one of those in the file? */
static bool file_has(int dir, const char *name, const char *word)
{
	char text[512], *save = NULL;

	if (file_read(dir, name, text, sizeof(text)) < 0)
		return false;
	for (char *w = strtok_r(text, " \n", &save); w;
	     w = strtok_r(NULL, " \n", &save))
		if (strcmp(w, word) == 0)
			return true;
	return false;
}

/* ---- controllers ---- */

struct need {
	const char *controller;
	const char *what; /* for the message */
	bool wanted;
};

#define NEEDS 3

static void needs_of(const struct boxgroup_limits *l, struct need n[NEEDS])
{
	n[0] = (struct need){ "cpu", "CPU time", l->cpu_us > 0 };
	n[1] = (struct need){ "memory", "memory", l->memory_bytes > 0 };
	n[2] = (struct need){ "pids", "processes", l->pids > 0 };
}

static int refuse(const struct need *n, const char *path, int code,
		  struct err *e)
{
	if (code == EBUSY)
		return err_set(e, EBUSY,
			       "no limit of %s: processes live in %s itself "
			       "(start vial from a group below it)",
			       n->what, path);
	if (geteuid() != 0)
		return err_set(e, EPERM,
			       "no limit of %s: the %s controller is not "
			       "delegated to this user (as root: systemctl "
			       "edit user@.service, add [Service] "
			       "Delegate=cpu memory pids; or run vial as root)",
			       n->what, n->controller);
	return err_set(e, code,
		       "no limit of %s: %s has no %s controller (is it bound "
		       "to cgroup v1, or left out of the kernel?)",
		       n->what, path, n->controller);
}

/* The groups below dir get what is needed. */
static int enable(int dir, const char *path, const struct need *needs,
		  struct err *e)
{
	for (unsigned i = 0; i < NEEDS; i++) {
		const struct need *n = &needs[i];
		char text[32];
		int r;

		if (!n->wanted ||
		    file_has(dir, "cgroup.subtree_control", n->controller))
			continue;
		if (!file_has(dir, "cgroup.controllers", n->controller))
			return refuse(n, path, ENOTSUP, e);
		snprintf(text, sizeof(text), "+%s", n->controller);
		r = file_write(dir, "cgroup.subtree_control", text);
		if (r < 0)
			return refuse(n, path, -r, e);
	}
	return 0;
}

/* ---- where ---- */

/* The part of /proc/self/cgroup behind "0::". */
static int own_group(char *path, size_t room, struct err *e)
{
	char text[4096], *at, *end;

	if (file_read(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text)) < 0)
		return err_sys(e, "/proc/self/cgroup");
	at = strstr(text, "0::/");
	end = at ? strchr(at, '\n') : NULL;
	if (!end || (size_t)(end - at) >= room)
		return err_set(e, ENOTSUP, "not in a cgroup of version 2");
	*end = '\0';
	snprintf(path, room, "%s", at + 3);
	return 0;
}

static int open_dir(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Made if it is not there; its directory. */
static int make_dir(int at, const char *name)
{
	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	return open_dir(at, name);
}

/* One attempt below dir, whose path is in c->path. On success c is open. */
static int make_once(struct boxgroup *c, int dir, const char *name,
		     const struct need *needs, struct err *e)
{
	autoclose int parent = -1;
	size_t len = strlen(c->path);
	int fd;

	parent = make_dir(dir, PARENT);
	if (parent < 0)
		return err_set(e, -parent, "make %s/" PARENT ": %s", c->path,
			       strerror(-parent));
	if ((size_t)snprintf(c->path + len, sizeof(c->path) - len,
			     "/" PARENT "/%s", name) >= sizeof(c->path) - len)
		return err_set(e, ENAMETOOLONG, "name too long");
	if (enable(parent, c->path, needs, e) < 0)
		return -e->code;
	fd = make_dir(parent, name);
	if (fd < 0)
		return err_set(e, -fd, "make %s: %s", c->path, strerror(-fd));
	c->fd = fd;
	return 0;
}

/* Below one place. What another box removes meanwhile is made again. */
static int make_below(struct boxgroup *c, const char *place, const char *name,
		      const struct need *needs, struct err *e)
{
	autoclose int dir = open_dir(AT_FDCWD, place);
	int r;

	if (dir < 0)
		return err_set(e, -dir, "%s: %s", place, strerror(-dir));
	if (faccessat(dir, "cgroup.procs", W_OK, 0) < 0 ||
	    faccessat(dir, ".", W_OK, 0) < 0)
		return err_set(e, EACCES, "%s is not ours", place);
	if (enable(dir, place, needs, e) < 0)
		return -e->code;
	for (unsigned i = 0; i < TRIES; i++) {
		snprintf(c->path, sizeof(c->path), "%s", place);
		r = make_once(c, dir, name, needs, e);
		if (r != -ENOENT)
			break;
	}
	if (r < 0)
		unlinkat(dir, PARENT, AT_REMOVEDIR);
	return r;
}

/* As root the top; then our own group's ancestors, nearest first. A group with
 * processes in it cannot have groups with controllers below it, so our own is
 * no place. The first reason is the one to tell, if it is about a limit. */
static int make_somewhere(struct boxgroup *c, const char *mount, char *self,
			  const char *name, const struct need *needs,
			  struct err *e)
{
	char place[BOXGROUP_PATH_MAX];
	struct err first = { 0 };
	char *slash;

	if (geteuid() == 0 && make_below(c, mount, name, needs, e) == 0)
		return 0;
	if (geteuid() == 0 && e->code != EACCES)
		first = *e;
	while ((slash = strrchr(self, '/')) && *self && self[1]) {
		*slash = '\0';
		if ((size_t)snprintf(place, sizeof(place), "%s%s", mount,
				     self) >= sizeof(place))
			return err_set(e, ENAMETOOLONG, "path too long");
		if (make_below(c, place, name, needs, e) == 0)
			return 0;
		if (!first.code && e->code != EACCES)
			first = *e;
	}
	if (first.code) {
		*e = first;
		return -e->code;
	}
	if (geteuid() == 0)
		return err_set(e, EACCES,
			       "no cgroup can be made in %s (is it mounted "
			       "read-only?)",
			       mount);
	return err_set(e, EACCES,
		       "no cgroup was delegated to this user (run vial as "
		       "root, or with: systemd-run --user --scope vial ...)");
}

int boxgroup_open(struct boxgroup *c, const char *mount, const char *self,
		  const char *name, const struct boxgroup_limits *l,
		  struct err *e)
{
	struct need needs[NEEDS];
	char own[BOXGROUP_PATH_MAX], file[BOXGROUP_PATH_MAX];

	*c = (struct boxgroup)BOXGROUP_INIT;
	snprintf(file, sizeof(file), "%s/cgroup.controllers", mount);
	if (access(file, F_OK) < 0)
		return err_set(e, ENOTSUP,
			       "no limits: %s is not cgroup version 2 (boot "
			       "the host with "
			       "systemd.unified_cgroup_hierarchy=1)",
			       mount);
	if (!self && own_group(own, sizeof(own), e) < 0)
		return -e->code;
	if (self)
		snprintf(own, sizeof(own), "%s", self);
	needs_of(l, needs);
	if (make_somewhere(c, mount, own, name, needs, e) < 0)
		return -e->code;
	if (boxgroup_limit(c, l, e) < 0) {
		struct err ignored;

		boxgroup_remove(c->path, &ignored);
		boxgroup_close(c);
		return -e->code;
	}
	return 0;
}

void boxgroup_close(struct boxgroup *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* ---- use ---- */

static int set_limit(const struct boxgroup *c, const char *file, uint64_t value,
		     const char *rest, struct err *e)
{
	char text[64];
	int r;

	if (value)
		snprintf(text, sizeof(text), "%" PRIu64 "%s", value, rest);
	else
		snprintf(text, sizeof(text), "max%s", rest);
	r = file_write(c->fd, file, text);
	/* Nothing to take away where the controller is not enabled. */
	if (r == -ENOENT && !value)
		return 0;
	if (r < 0)
		return err_set(e, -r, "%s/%s: %s", c->path, file, strerror(-r));
	return 0;
}

int boxgroup_limit(const struct boxgroup *c, const struct boxgroup_limits *l,
		   struct err *e)
{
	char period[24];
	int r;

	snprintf(period, sizeof(period), " %u", BOXGROUP_PERIOD_US);
	r = set_limit(c, "cpu.max", l->cpu_us, period, e);
	if (r == 0)
		r = set_limit(c, "memory.max", l->memory_bytes, "", e);
	if (r == 0)
		r = set_limit(c, "pids.max", l->pids, "", e);
	return r;
}

int boxgroup_add(const struct boxgroup *c, int pid, struct err *e)
{
	char text[16];
	int r;

	snprintf(text, sizeof(text), "%d", pid);
	r = file_write(c->fd, "cgroup.procs", text);
	if (r < 0)
		return err_set(e, -r, "enter %s: %s", c->path, strerror(-r));
	return 0;
}

int boxgroup_usage(const char *path, struct boxgroup_use *u, struct err *e)
{
	autoclose int fd = open_dir(AT_FDCWD, path);
	char text[1024];
	const char *at;
	int r = fd;

	*u = (struct boxgroup_use){ 0 };
	if (r >= 0)
		r = file_read(fd, "cpu.stat", text, sizeof(text));
	if (r < 0)
		return err_set(e, -r, "%s: %s", path, strerror(-r));
	at = strstr(text, "usage_usec ");
	if (at)
		u->cpu_us = strtoull(at + strlen("usage_usec "), NULL, 10);
	if (file_read(fd, "memory.current", text, sizeof(text)) == 0)
		u->memory_bytes = strtoull(text, NULL, 10);
	return 0;
}

/* ---- the end ---- */

/* Kernels before 5.14 have no cgroup.kill: whoever is in it has been killed by
 * its owner, and only the wait is left. */
static int empty(const char *path)
{
	autoclose int fd = open_dir(AT_FDCWD, path);
	struct timespec step = { .tv_nsec = 10000000 };
	int r = fd < 0 ? fd : 0;

	if (fd >= 0)
		file_write(fd, "cgroup.kill", "1");
	for (unsigned i = 0; r == 0 && i < DIE_STEPS; i++) {
		if (rmdir(path) == 0)
			return 0;
		if (errno != EBUSY)
			return -errno;
		nanosleep(&step, NULL);
	}
	return r < 0 ? r : -EBUSY;
}

int boxgroup_remove(const char *path, struct err *e)
{
	char parent[BOXGROUP_PATH_MAX], *slash;
	int r = empty(path);

	if (r < 0 && r != -ENOENT)
		return err_set(e, -r, "remove %s: %s", path, strerror(-r));
	/* The last one turns off the light. */
	snprintf(parent, sizeof(parent), "%s", path);
	slash = strrchr(parent, '/');
	if (slash && slash > parent) {
		*slash = '\0';
		slash = strrchr(parent, '/');
		if (slash && strcmp(slash, "/" PARENT) == 0)
			rmdir(parent);
	}
	return 0;
}
