/* SPDX-License-Identifier: Apache-2.0 */
#include "box/where.h"

#include "base/auto.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a directory for ourselves alone, making it when missing. */
static int private_dir(const char *path, struct err *e)
{
	autoclose int fd = -1;
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "stat %s", path);
	if (st.st_uid != geteuid())
		return err_set(e, EPERM, "%s belongs to user %u, not to you",
			       path, st.st_uid);
	if (st.st_mode & 022)
		return err_set(e, EPERM,
			       "%s can be written by others: "
			       "chmod 700 it",
			       path);
	return take_fd(&fd);
}

static int make_parents(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			*p = '/';
			return -1;
		}
		*p = '/';
	}
	return 0;
}

static int boxes_below(char *base, struct err *e)
{
	autoclose int fd = -1;
	char path[PATH_MAX + 8];

	if (make_parents(base) < 0)
		return err_sys(e, "make the folders of %s", base);
	fd = private_dir(base, e);
	if (fd < 0)
		return fd;
	snprintf(path, sizeof(path), "%s/boxes", base);
	return private_dir(path, e);
}

static void run_base(char base[PATH_MAX])
{
	const char *env = getenv("VIAL_RUNDIR");
	const char *xdg = getenv("XDG_RUNTIME_DIR");

	if (env && *env)
		snprintf(base, PATH_MAX, "%s", env);
	else if (geteuid() == 0)
		snprintf(base, PATH_MAX, "/run/vial");
	else if (xdg && *xdg == '/')
		snprintf(base, PATH_MAX, "%s/vial", xdg);
	else
		snprintf(base, PATH_MAX, "/tmp/vial-%u", geteuid());
}

void where_net(char path[PATH_MAX])
{
	char base[PATH_MAX];

	run_base(base);
	snprintf(path, PATH_MAX, "%.*s/net", PATH_MAX - 8, base);
}

int where_boxes(enum where_place place, struct err *e)
{
	char base[PATH_MAX];

	if (place == WHERE_KEPT) {
		autoclose int fd = where_data(base, e);
		char path[PATH_MAX + 8];

		snprintf(path, sizeof(path), "%s/boxes", base);
		return fd < 0 ? fd : private_dir(path, e);
	}
	run_base(base);
	return boxes_below(base, e);
}

int where_data(char path[PATH_MAX], struct err *e)
{
	const char *env = getenv("VIAL_DATADIR");
	const char *xdg = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	char buf[PATH_MAX];
	int fd;

	if (!path)
		path = buf;
	if (env && *env)
		snprintf(path, PATH_MAX, "%s", env);
	else if (geteuid() == 0)
		snprintf(path, PATH_MAX, "/var/lib/vial");
	else if (xdg && *xdg == '/')
		snprintf(path, PATH_MAX, "%s/vial", xdg);
	else if (home && *home == '/')
		snprintf(path, PATH_MAX, "%s/.local/share/vial", home);
	else {
		/* Where anybody could have made it: none but our own. */
		snprintf(path, PATH_MAX, "/var/tmp/vial-%u", geteuid());
		return private_dir(path, e);
	}
	if (make_parents(path) < 0 ||
	    (mkdir(path, 0700) < 0 && errno != EEXIST))
		return err_sys(e, "make the data directory %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "the data directory %s", path);
	return fd;
}

int where_folder(const char *name, struct err *e)
{
	autoclose int data = where_data(NULL, e);
	int fd;

	if (data < 0)
		return data;
	if (mkdirat(data, name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make the folder of %s", name);
	fd = openat(data, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "the folder of %s", name) : fd;
}

struct part {
	const char *what;
	const char *names[3];
	const char *remedy;
};

static const struct part parts[] = {
	[WHERE_VMM] = { "the monitor", { "vial-vmm" }, "build it with 'make'" },
	[WHERE_INITRAMFS] = { "the guest's initramfs",
			      { "initramfs.cpio" },
			      "build it with 'make'" },
	[WHERE_BUILDER] = { "the image builder's initramfs",
			    { "builder.cpio" },
			    "build it with 'make'" },
	[WHERE_FETCH] = { "what talks to registries",
			  { "vial-fetch" },
			  "build it with 'make'" },
	[WHERE_NETD] = { "what makes networks",
			 { "vial-netd" },
			 "build it with 'make'" },
	[WHERE_KERNEL] = { "the guest's kernel",
			   { "vmlinux", "bzImage", "Image" },
			   "build it with 'make kernel' or name one with "
			   "--kernel" },
};
static_assert(ARRAY_LEN(parts) == WHERE_NPARTS, "a part has no entry");

static bool try_dir(const struct part *p, const char *dir, const char *sub,
		    char path[PATH_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(p->names) && p->names[i]; i++) {
		int n = snprintf(path, PATH_MAX, "%s%s/%s", dir, sub,
				 p->names[i]);

		/* One we may not look at is there: opening it says more. */
		if (n < PATH_MAX &&
		    (access(path, F_OK) == 0 || errno == EACCES))
			return true;
	}
	return false;
}

/* Below dir: where we are. */
static bool try_all(const struct part *p, char dir[PATH_MAX],
		    char path[PATH_MAX])
{
	static const char *const subs[] = { "", "/../libexec/vial",
					    "/../lib/vial" };
	const char *env = getenv("VIAL_LIBDIR");
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);

	dir[n > 0 ? n : 0] = '\0';
	if (n > 0 && strrchr(dir, '/'))
		*strrchr(dir, '/') = '\0';
	for (size_t i = 0; n > 0 && i < ARRAY_LEN(subs); i++)
		if (try_dir(p, dir, subs[i], path))
			return true;
	return env && *env && try_dir(p, env, "", path);
}

int where_part(enum where_part part, char path[PATH_MAX], struct err *e)
{
	const struct part *p = &parts[part];
	char dir[PATH_MAX];

	if (try_all(p, dir, path))
		return 0;
	return err_set(e, ENOENT,
		       "%s (%s) is neither in %s nor in "
		       "VIAL_LIBDIR: %s",
		       p->what, p->names[0], dir, p->remedy);
}

int where_image(const char *file, char path[PATH_MAX], struct err *e)
{
	char name[NAME_MAX + 1], dir[PATH_MAX];
	const struct part p = { .names = { name } };

	snprintf(name, sizeof(name), "images/%s", file);
	if (try_all(&p, dir, path))
		return 0;
	return err_set(e, ENOENT,
		       "its archive (%s) is neither in %.100s nor in "
		       "VIAL_LIBDIR: build it with 'make images'",
		       name, dir);
}
