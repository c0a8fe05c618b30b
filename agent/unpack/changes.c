/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/changes.h"

#include "agent/unpack/diff.h"
#include "agent/unpack/layertar.h"
#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is not the job's ---- */

/* The agent writes these for each box, and mounts over those: what is found
 * there is no work of the job's. */
static bool skip(const char *path, bool added)
{
	static const char *const ours[] = { "etc/hosts", "etc/hostname",
					    "etc/resolv.conf", "lost+found" };
	static const char *const points[] = { "proc", "sys", "dev" };

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(path, ours[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(points); i++)
		if (strcmp(path, points[i]) == 0)
			return added;
	return false;
}

/* Of a disk without an image below it everything counts. */
static bool skip_little(const char *path, bool added)
{
	(void)added;
	return strcmp(path, "lost+found") == 0;
}

/* ---- where they are ---- */

static int open_folder(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "%s", path) : fd;
}

static int mount_disk(const char *serial, const char *at, struct err *e)
{
	char path[32];

	if (unpack_find_disk(serial, path, sizeof(path), e) < 0)
		return -e->code;
	if (mkdir(at, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir %s", at);
	if (mount(path, at, "ext4",
		  MS_RDONLY | MS_NOATIME | MS_NODEV | MS_NOEXEC | MS_NOSUID,
		  NULL) < 0)
		return err_sys(e, "mount the disk of the %s",
			       strcmp(serial, "v0") == 0 ? "box" : "image");
	return open_folder(at, e);
}

static int open_trees(int argc, char **argv, int *old, int *new, struct err *e)
{
	if (argc > 1) {
		*old = *argv[1] ? open_folder(argv[1], e) : -1;
		*new = *old < 0 && *argv[1] ? -1 : open_folder(argv[2], e);
		return *new < 0 ? -e->code : 0;
	}
	*old = mount_disk("root", "/old", e);
	if (*old < 0 && *old != -ENODEV)
		return *old;
	*new = mount_disk("v0", "/new", e);
	return *new < 0 ? *new : 0;
}

/* ---- what is said ---- */

static int print(const struct diff *d, struct err *e)
{
	for (size_t i = 0; i < d->n; i++)
		if (!d->v[i].linked)
			printf("%c /%s%c", (char)d->v[i].kind, d->v[i].path,
			       '\0');
	if (fflush(stdout) != 0)
		return err_sys(e, "write");
	return 0;
}

int changes_run(int argc, char **argv, struct err *e)
{
	bool list = argc > 0 && strcmp(argv[0], "list") == 0;
	autoclose int old = -1, new = -1;
	struct diff d = { .v = NULL };
	int r;

	if ((argc != 1 && argc != 3) ||
	    (!list && strcmp(argv[0], "layer") != 0))
		return err_set(e, EINVAL, "--changes list|layer [OLD NEW]");
	r = open_trees(argc, argv, &old, &new, e);
	d.skip = old < 0 ? skip_little : skip;
	if (r == 0)
		r = diff_trees(&d, old, new, e);
	if (r == 0)
		r = list ? print(&d, e)
			 : layertar_write(&d, new, STDOUT_FILENO, e);
	diff_fini(&d);
	return r;
}
