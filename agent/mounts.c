/* SPDX-License-Identifier: Apache-2.0 */
/* mounts.c - sources become trees, trees are put on targets.
 *
 * A source is mounted at a place of ours in /dev, which can be written to
 * whatever the root is; what is wanted of it is cloned, given its flags and
 * moved to the target, and the place is given up. So a part of a source is
 * mounted as easily as all of it. */
#include "agent/mounts.h"

#include "agent/mount.h"
#include "agent/tar.h"
#include "base/auto.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACE "/dev/.vial"
#define OPTIONS_MAX 512

/* ---- words ---- */

static const struct {
	const char *name;
	unsigned long set, clear;
} flag_words[] = {
	{ "ro", MS_RDONLY, 0 },	       { "rw", 0, MS_RDONLY },
	{ "noexec", MS_NOEXEC, 0 },    { "exec", 0, MS_NOEXEC },
	{ "nosuid", MS_NOSUID, 0 },    { "suid", 0, MS_NOSUID },
	{ "nodev", MS_NODEV, 0 },      { "dev", 0, MS_NODEV },
	{ "noatime", MS_NOATIME, 0 },  { "relatime", MS_RELATIME, 0 },
	{ "sync", MS_SYNCHRONOUS, 0 }, { "async", 0, MS_SYNCHRONOUS },
	{ "defaults", 0, 0 },
};

static bool flag_word(const char *word, size_t len, unsigned long *flags)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_words); i++)
		if (strlen(flag_words[i].name) == len &&
		    memcmp(flag_words[i].name, word, len) == 0) {
			*flags &= ~flag_words[i].clear;
			*flags |= flag_words[i].set;
			return true;
		}
	return false;
}

int mounts_options(const char *options, unsigned long *flags, char *data,
		   size_t room)
{
	size_t used = 0, len;

	for (const char *at = options; *at; at += len + (at[len] == ',')) {
		len = strcspn(at, ",");
		if (len == 0 || flag_word(at, len, flags))
			continue;
		if (used + (used > 0) + len + 1 > room)
			return -E2BIG;
		if (used)
			data[used++] = ',';
		memcpy(data + used, at, len);
		used += len;
	}
	data[used] = '\0';
	return 0;
}

/* ---- paths ---- */

static int make_dir(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", path);
	if (stat(path, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "%s: not a directory", path);
	return 0;
}

static int make_file(const char *path, struct err *e)
{
	struct stat st;

	if (mknod(path, S_IFREG | 0644, 0) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", path);
	if (stat(path, &st) < 0)
		return err_sys(e, "%s", path);
	if (S_ISDIR(st.st_mode))
		return err_set(e, EISDIR,
			       "%s: a directory, and the source is a file",
			       path);
	return 0;
}

int mounts_target(const char *target, bool is_dir, struct err *e)
{
	char path[PATH_MAX];
	size_t len = strlen(target);

	if (target[0] != '/' || len >= sizeof(path))
		return err_set(e, EINVAL, "\"%.64s\": not an absolute path",
			       target);
	while (len > 1 && target[len - 1] == '/')
		len--;
	memcpy(path, target, len);
	path[len] = '\0';
	for (char *at = path + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (make_dir(path, e) < 0)
			return -e->code;
		*at = '/';
	}
	return is_dir ? make_dir(path, e) : make_file(path, e);
}

int mounts_below(int dir, const char *subpath, struct err *e)
{
	struct open_how how = { .flags = O_PATH | O_CLOEXEC | O_DIRECTORY,
				.resolve = RESOLVE_IN_ROOT };
	const char *path = *subpath ? subpath : ".";
	int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

	/* A folder first: only that makes a file system inside the share
	 * appear. */
	if (fd < 0 && errno == ENOTDIR) {
		how.flags &= ~(uint64_t)O_DIRECTORY;
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	}
	return fd < 0 ? err_sys(e, "%s", subpath) : fd;
}

/* ---- trees ---- */

/* Flags of one mount that a clone can be given afterwards. */
static uint64_t tree_attrs(const Vial__Agent__Mount *m, unsigned long flags)
{
	uint64_t a = 0;

	if (m->readonly || (flags & MS_RDONLY))
		a |= MOUNT_ATTR_RDONLY;
	if (m->noexec || (flags & MS_NOEXEC))
		a |= MOUNT_ATTR_NOEXEC;
	if (m->nosuid || (flags & MS_NOSUID))
		a |= MOUNT_ATTR_NOSUID;
	if (flags & MS_NODEV)
		a |= MOUNT_ATTR_NODEV;
	if (flags & MS_NOATIME)
		a |= MOUNT_ATTR_NOATIME;
	return a;
}

/* Clones what is at from and puts it on the target. */
static int tree_put(int from, const char *target, uint64_t attrs, struct err *e)
{
	struct mount_attr a = { .attr_set = attrs };
	autoclose int tree = -1;
	struct stat st;

	if (attrs & MOUNT_ATTR_NOATIME)
		a.attr_clr = MOUNT_ATTR__ATIME;
	if (fstat(from, &st) < 0)
		return err_sys(e, "source");
	if (mounts_target(target, S_ISDIR(st.st_mode), e) < 0)
		return -e->code;
	tree = (int)syscall(SYS_open_tree, from, "",
			    AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE |
				    OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return err_sys(e, "clone the mount");
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE,
		    &a, sizeof(a)) < 0)
		return err_sys(e, "mount flags");
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target,
		    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) < 0)
		return err_sys(e, "mount");
	return 0;
}

/* ---- a volume gets what the image has at its target ---- */

static bool dir_is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *entry;
	bool empty = d != NULL;

	while (d && empty && (entry = readdir(d)))
		empty = strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0 ||
			strcmp(entry->d_name, "lost+found") == 0;
	if (d)
		closedir(d);
	return empty;
}

/* One end of the copy, in a process of its own: libarchive is not for PID 1. */
static pid_t copy_end(bool put, const int *pipes, const char *path)
{
	const struct tar_how how = { 0 };
	struct tar_result r = { 0 };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	close(pipes[put]);
	if (put)
		tar_put(pipes[0], NULL, 0, path, &how, &r);
	else
		tar_get(pipes[1], path, &how, &r);
	if (r.fault != TAR_FINE)
		log_warn("%s: %s", path, r.err.msg);
	_exit(r.fault != TAR_FINE);
}

static bool copy_ended(pid_t pid)
{
	int status = 1;

	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && status == 0;
}

static int populate(const char *target, const char *to, struct err *e)
{
	char from[PATH_MAX];
	pid_t get, put;
	int pipes[2];
	bool ok;

	if (access(target, F_OK) < 0 || !dir_is_empty(to))
		return 0;
	snprintf(from, sizeof(from), "%s/.", target);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	get = copy_end(false, pipes, from);
	put = copy_end(true, pipes, to);
	close(pipes[0]);
	close(pipes[1]);
	ok = copy_ended(get);
	ok = copy_ended(put) && ok;
	return ok ? 0
		  : err_set(e, EIO,
			    "what the image has there could not be "
			    "copied into the volume");
}

/* ---- kinds ---- */

static int mount_disk(const Vial__Agent__Mount *m, const char *data,
		      const char *at, struct err *e)
{
	const char *fstype = *m->fstype ? m->fstype : "ext4";
	unsigned long flags = m->readonly ? MS_RDONLY : 0;
	char path[280];

	if (mount_find_disk(m->source, path, sizeof(path), e) < 0)
		return err_wrap(e, "disk \"%s\"", m->source);
	/* One that nobody may write to is no less a disk. */
	if (mount(path, at, fstype, flags, data) < 0 &&
	    (errno != EROFS ||
	     mount(path, at, fstype, flags | MS_RDONLY, data) < 0))
		return err_sys(e, "disk \"%s\"", m->source);
	if (!m->readonly && strcmp(fstype, "ext4") == 0)
		mount_grow(path, at);
	return 0;
}

/* Not at a second place: where a share has file systems in it, Linux 6.1 may
 * take one of these for the share the next time (virtio_fs_test_super). */
static int mount_share(const char *tag, const char *data, const char *at,
		       struct err *e)
{
	if (mkdir(at, 0700) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "make %s", at);
	if (mount(tag, at, "virtiofs", 0, *data ? data : NULL) < 0) {
		err_sys(e, "share \"%s\"", tag);
		rmdir(at);
		return -e->code;
	}
	return 0;
}

static int mount_source(const Vial__Agent__Mount *m, const char *at,
			unsigned long *flags, struct err *e)
{
	char data[OPTIONS_MAX] = "";

	if (mounts_options(m->options, flags, data, sizeof(data)) < 0)
		return err_set(e, E2BIG, "options: too long");
	switch (m->kind) {
	case VIAL__AGENT__MOUNT__KIND__TMPFS:
		return mount("tmpfs", at, "tmpfs", 0, data) < 0
			     ? err_sys(e, "tmpfs \"%s\"", data)
			     : 0;
	case VIAL__AGENT__MOUNT__KIND__VIRTIOFS:
		return mount_share(m->source, data, at, e);
	case VIAL__AGENT__MOUNT__KIND__DISK:
		return mount_disk(m, data, at, e);
	default:
		return err_set(e, EINVAL, "a kind this agent does not know");
	}
}

/* The source is at at. It is private: what is mounted below its clones later
 * must not appear at it, and go with it. */
static int put_source(const Vial__Agent__Mount *m, const char *at,
		      unsigned long flags, struct err *e)
{
	autoclose int top = open(at, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autoclose int from = -1;

	if (top < 0 || mount(NULL, at, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(e, "%s", at);
	if (m->populate && !m->readonly && populate(m->target, at, e) < 0)
		return -e->code;
	from = mounts_below(top, m->subpath, e);
	if (from < 0)
		return from;
	return tree_put(from, m->target, tree_attrs(m, flags), e);
}

/* A share keeps its place until all mounts are made; the name of that is a
 * name of the host's. */
static int place_of(const Vial__Agent__Mount *m, char *at, size_t room,
		    struct err *e)
{
	bool share = m->kind == VIAL__AGENT__MOUNT__KIND__VIRTIOFS;
	int n = snprintf(at, room, PLACE "/%s%s", share ? "share-" : "one",
			 share ? m->source : "");

	if (strchr(m->source, '/') || n < 0 || (size_t)n >= room)
		return err_set(e, EINVAL, "source \"%.64s\"", m->source);
	return 0;
}

static void give_up(const char *at)
{
	if (umount2(at, MNT_DETACH) < 0 && errno != EINVAL)
		log_warn("%s: stays mounted", at);
	rmdir(at);
}

static int mount_one(const Vial__Agent__Mount *m, struct err *e)
{
	unsigned long flags = 0;
	char at[128];
	int r = place_of(m, at, sizeof(at), e);

	if (r < 0)
		return r;
	if (m->kind != VIAL__AGENT__MOUNT__KIND__VIRTIOFS &&
	    mkdir(at, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", at);
	r = mount_source(m, at, &flags, e);
	if (r == 0)
		r = put_source(m, at, flags, e);
	if (m->kind != VIAL__AGENT__MOUNT__KIND__VIRTIOFS)
		give_up(at);
	return r;
}

static void give_up_shares(Vial__Agent__Mount *const *all, size_t n)
{
	char at[128];
	struct err e;

	for (size_t i = 0; i < n; i++)
		if (all[i]->kind == VIAL__AGENT__MOUNT__KIND__VIRTIOFS &&
		    place_of(all[i], at, sizeof(at), &e) == 0 &&
		    access(at, F_OK) == 0)
			give_up(at);
}

int mounts_apply(Vial__Agent__Mount *const *all, size_t n, struct err *e)
{
	int r = 0;

	if (n == 0)
		return 0;
	if (mkdir(PLACE, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make " PLACE);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = mount_one(all[i], e);
		if (r < 0)
			r = err_wrap(e, "mount %.128s", all[i]->target);
	}
	give_up_shares(all, n);
	rmdir(PLACE);
	return r;
}

void mounts_close(void)
{
	FILE *f = setmntent("/proc/mounts", "re");
	const struct mntent *m;

	while (f && (m = getmntent(f)))
		if (strncmp(m->mnt_fsname, "/dev/vd", 7) == 0 &&
		    strcmp(m->mnt_dir, "/") != 0)
			mount(NULL, m->mnt_dir, NULL, MS_REMOUNT | MS_RDONLY,
			      NULL);
	if (f)
		endmntent(f);
}
