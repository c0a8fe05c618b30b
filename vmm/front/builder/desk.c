/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/desk.h"

#include "base/auto.h"
#include "box/where.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* Folders in it: blobs/sha256. */
#define DEPTH_MAX 4

static void empty(int dir, unsigned depth)
{
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		autoclose int in = -1;

		if (strcmp(de->d_name, ".") == 0 ||
		    strcmp(de->d_name, "..") == 0 ||
		    unlinkat(dir, de->d_name, 0) == 0 || depth == DEPTH_MAX)
			continue;
		in = openat(dir, de->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (in >= 0)
			empty(in, depth + 1);
		unlinkat(dir, de->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
	else if (again >= 0)
		close(again);
}

static int lock_one(int all, const char *name)
{
	int fd = openat(all, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void sweep(int all)
{
	int again = openat(all, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = again < 0 ? NULL : fdopendir(again);
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		autoclose int fd = -1;

		if (*de->d_name == '.')
			continue;
		fd = lock_one(all, de->d_name);
		if (fd < 0)
			continue;
		empty(fd, 0);
		unlinkat(all, de->d_name, AT_REMOVEDIR);
	}
	if (d)
		closedir(d);
	else if (again >= 0)
		close(again);
}

int desk_open(struct desk *d, struct err *e)
{
	char data[PATH_MAX];
	autoclose int fd = where_data(data, e);
	unsigned long n;

	*d = (struct desk)DESK_INIT;
	if (fd < 0)
		return fd;
	if (mkdirat(fd, "builds", 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s/builds", data);
	d->all = openat(fd, "builds",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->all < 0 || getrandom(&n, sizeof(n), 0) != sizeof(n))
		return err_sys(e, "%s/builds", data);
	/* One at a time, so that nobody sweeps what is not locked yet. */
	if (flock(d->all, LOCK_EX) < 0)
		return err_sys(e, "lock %s/builds", data);
	sweep(d->all);
	snprintf(d->name, sizeof(d->name), "%016lx", n);
	if (snprintf(d->path, sizeof(d->path), "%s/builds/%s", data, d->name) >=
	    (int)sizeof(d->path))
		return err_set(e, ENAMETOOLONG, "%s: too long", data);
	if (mkdirat(d->all, d->name, 0700) < 0)
		return err_sys(e, "make %s", d->path);
	d->dir = lock_one(d->all, d->name);
	flock(d->all, LOCK_UN);
	return d->dir < 0 ? err_sys(e, "lock %s", d->path) : 0;
}

void desk_close(struct desk *d)
{
	if (d->dir >= 0) {
		empty(d->dir, 0);
		unlinkat(d->all, d->name, AT_REMOVEDIR);
		close(take_fd(&d->dir));
	}
	if (d->all >= 0)
		close(take_fd(&d->all));
}
