/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tar.h"

#include "base/auto.h"
#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BLOCK 65536
/* An archive ends with at least one block of zeros. */
#define TAR_BLOCK 512
#define MQUEUE_MAGIC 0x19800202

struct tar_in {
	int fd;
	const uint8_t *early;
	size_t early_len;
	uint64_t bytes;
	uint64_t zeros; /* how many the stream ended with so far */
	uint8_t block[BLOCK];
};

static int tar_fail(struct tar_result *r, enum tar_fault fault, int code)
{
	r->fault = fault;
	return code;
}

/* libarchive's own words, with the errno it knows. */
static int tar_fail_at(struct tar_result *r, struct archive *a,
		       const char *name)
{
	r->fault = TAR_ARCHIVE;
	return err_lib(&r->err, archive_errno(a), name ? name : "archive",
		       archive_error_string(a));
}

static void tar_count_zeros(struct tar_in *in, const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len && p[len - 1 - n] == 0)
		n++;
	in->zeros = n == len ? in->zeros + n : n;
}

static la_ssize_t tar_read(struct archive *a, void *arg, const void **out)
{
	struct tar_in *in = arg;
	ssize_t n;

	if (in->early_len > 0) {
		n = (ssize_t)in->early_len;
		*out = in->early;
		in->early_len = 0;
	} else {
		n = fd_read_full(in->fd, in->block, sizeof(in->block));
		*out = in->block;
	}
	if (n < 0) {
		archive_set_error(a, (int)-n, "read: %s", strerror((int)-n));
		return -1;
	}
	in->bytes += (uint64_t)n;
	tar_count_zeros(in, *out, (size_t)n);
	return n;
}

static int tar_put_data(struct archive *a, struct archive *disk,
			struct tar_result *r, const char *name)
{
	const void *data;
	size_t len;
	la_int64_t at;

	for (;;) {
		int ret = archive_read_data_block(a, &data, &len, &at);

		if (ret == ARCHIVE_EOF)
			return 0;
		if (ret < ARCHIVE_WARN)
			return tar_fail_at(r, a, name);
		/* A full disk is only a warning to libarchive. */
		if (archive_write_data_block(disk, data, len, at) < ARCHIVE_OK)
			return tar_fail_at(r, disk, name);
	}
}

/* The folder that is unpacked into. */
static bool tar_is_top(const char *name)
{
	return strspn(name, "./") == strlen(name) && !strstr(name, "..");
}

/* Whether what is there and what comes are both folders, or both not. */
static int tar_put_clash(const char *name, bool dir, struct tar_result *r)
{
	char plain[PATH_MAX];
	size_t len = strlen(name);
	struct stat st;

	/* A slash behind it would follow a link. */
	while (len > 1 && name[len - 1] == '/')
		len--;
	if (len >= sizeof(plain))
		return 0; /* cannot be there */
	memcpy(plain, name, len);
	plain[len] = '\0';
	if (lstat(plain, &st) < 0 || S_ISDIR(st.st_mode) == dir)
		return 0;
	if (dir)
		err_set(&r->err, EEXIST,
			"cannot overwrite non-directory \"%.128s\" with a "
			"directory",
			plain);
	else
		err_set(&r->err, EEXIST,
			"cannot overwrite directory \"%.128s\" with a "
			"non-directory",
			plain);
	return tar_fail(r, TAR_PATH, -EEXIST);
}

static int tar_put_entry(struct archive *a, struct archive *disk,
			 struct archive_entry *entry, const struct tar_how *how,
			 struct tar_result *r)
{
	const char *name = archive_entry_pathname(entry);
	bool dir = archive_entry_filetype(entry) == AE_IFDIR;

	if (!name || !*name) {
		err_set(&r->err, EINVAL, "an entry has no usable name");
		return tar_fail(r, TAR_ARCHIVE, -EINVAL);
	}
	if (how->no_overwrite_dir) {
		if (dir && tar_is_top(name))
			return 0;
		if (tar_put_clash(name, dir, r) < 0)
			return -1;
	}
	if (how->set_owner) {
		archive_entry_set_uid(entry, how->uid);
		archive_entry_set_gid(entry, how->gid);
	}
	if (archive_write_header(disk, entry) < ARCHIVE_WARN)
		return tar_fail_at(r, disk, name);
	if (archive_entry_size(entry) > 0 && tar_put_data(a, disk, r, name) < 0)
		return -1;
	if (archive_write_finish_entry(disk) < ARCHIVE_WARN)
		return tar_fail_at(r, disk, name);
	r->entries++;
	return 0;
}

/* The host may send padding behind the end. Without an end, the connection was
 * cut between two entries, and the rest is missing. */
static int tar_put_end(struct archive *a, struct tar_in *in,
		       struct tar_result *r)
{
	const void *p;
	la_ssize_t n;

	do
		n = tar_read(a, in, &p);
	while (n > 0);
	if (n == 0 && in->zeros >= TAR_BLOCK)
		return 0;
	err_set(&r->err, EPIPE, "the archive ends before its end");
	return tar_fail(r, TAR_ARCHIVE, -EPIPE);
}

static int tar_put_all(struct archive *a, struct archive *disk,
		       struct tar_in *in, const struct tar_how *how,
		       struct tar_result *r)
{
	struct archive_entry *entry;
	int ret;

	archive_read_support_format_tar(a);
	if (archive_read_open(a, in, NULL, tar_read, NULL) < ARCHIVE_WARN)
		return tar_fail_at(r, a, NULL);
	for (;;) {
		ret = archive_read_next_header(a, &entry);
		if (ret == ARCHIVE_EOF)
			break;
		if (ret < ARCHIVE_WARN)
			return tar_fail_at(r, a, NULL);
		if (tar_put_entry(a, disk, entry, how, r) < 0)
			return -1;
	}
	/* Modes and times of folders come last. */
	if (archive_write_close(disk) < ARCHIVE_WARN)
		return tar_fail_at(r, disk, NULL);
	return tar_put_end(a, in, r);
}

static int tar_enter(const char *path, struct tar_result *r)
{
	char at[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(at)) {
		err_set(&r->err, ENAMETOOLONG, "%.64s...: name too long", path);
		return tar_fail(r, TAR_PATH, -ENAMETOOLONG);
	}
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(at, path, i);
		at[i] = '\0';
		if (mkdir(at, 0755) < 0 && errno != EEXIST)
			break;
	}
	if (chdir(path) < 0) {
		err_sys(&r->err, "%s", path);
		return tar_fail(r, TAR_PATH, -1);
	}
	return 0;
}

void tar_put(int fd, const void *early, size_t len, const char *path,
	     const struct tar_how *how, struct tar_result *r)
{
	static struct tar_in in;
	struct archive *a = archive_read_new();
	struct archive *disk = archive_write_disk_new();
	int flags = ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME |
		    ARCHIVE_EXTRACT_ACL | ARCHIVE_EXTRACT_XATTR |
		    ARCHIVE_EXTRACT_SECURE_SYMLINKS |
		    ARCHIVE_EXTRACT_SECURE_NODOTDOT |
		    ARCHIVE_EXTRACT_SECURE_NOABSOLUTEPATHS;

	*r = (struct tar_result){ 0 };
	in = (struct tar_in){ .fd = fd, .early = early, .early_len = len };
	if (geteuid() == 0)
		flags |= ARCHIVE_EXTRACT_OWNER;
	if (!a || !disk) {
		err_set(&r->err, ENOMEM, "no memory");
		r->fault = TAR_ARCHIVE;
	} else if (tar_enter(path, r) == 0) {
		archive_write_disk_set_options(disk, flags);
		tar_put_all(a, disk, &in, how, r);
	}
	r->bytes = in.bytes;
	archive_read_free(a);
	archive_write_free(disk);
}

static la_ssize_t tar_write(struct archive *a, void *arg, const void *p,
			    size_t len)
{
	int *fd = arg;
	int ret = fd_write_full(*fd, p, len);

	if (ret == 0)
		return (la_ssize_t)len;
	archive_set_error(a, -ret, "write: %s", strerror(-ret));
	return -1;
}

static int tar_get_zeros(struct archive *a, la_int64_t n)
{
	static const uint8_t zeros[4096];

	while (n > 0) {
		size_t len = MIN((size_t)n, sizeof(zeros));

		if (archive_write_data(a, zeros, len) < 0)
			return -1;
		n -= (la_int64_t)len;
	}
	return 0;
}

static int tar_get_data(struct archive *a, struct archive *disk,
			struct archive_entry *entry, struct tar_result *r)
{
	const char *name = archive_entry_pathname(entry);
	la_int64_t done = 0, at;
	const void *data;
	size_t len;

	for (;;) {
		int ret = archive_read_data_block(disk, &data, &len, &at);

		if (ret == ARCHIVE_EOF)
			break;
		if (ret < ARCHIVE_WARN)
			return tar_fail_at(r, disk, name);
		/* Holes are told by the offset and left out by the writer. */
		if (tar_get_zeros(a, at - done) < 0 ||
		    archive_write_data(a, data, len) < 0)
			return tar_fail_at(r, a, name);
		done = at + (la_int64_t)len;
	}
	if (tar_get_zeros(a, archive_entry_size(entry) - done) < 0)
		return tar_fail_at(r, a, name);
	return 0;
}

static int tar_get_entry(struct archive *a, struct archive *disk,
			 struct archive_entry *entry, struct tar_result *r)
{
	int ret;

	/* A socket has no form in an archive, and no use in one. */
	if (archive_entry_filetype(entry) == AE_IFSOCK)
		return 0;
	ret = archive_write_header(a, entry);
	if (ret < ARCHIVE_WARN)
		return tar_fail_at(r, a, archive_entry_pathname(entry));
	if (archive_entry_size(entry) > 0 &&
	    tar_get_data(a, disk, entry, r) < 0)
		return -1;
	r->entries++;
	return 0;
}

/* Where a walk from dev does not go down: nothing there is anybody's data. */
static bool tar_is_made_up(int top, const char *name)
{
	autoclose int fd = openat(top, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return true;
	switch ((unsigned long)fs.f_type) {
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP2_SUPER_MAGIC:
	case CGROUP_SUPER_MAGIC:
	case DEVPTS_SUPER_MAGIC:
	case TMPFS_MAGIC: /* and devtmpfs */
	case DEBUGFS_MAGIC:
	case TRACEFS_MAGIC:
	case SECURITYFS_MAGIC:
	case BPF_FS_MAGIC:
	case MQUEUE_MAGIC:
		return true;
	default:
		return false;
	}
}

static int tar_get_walk(struct archive *a, struct archive *disk,
			struct archive_entry_linkresolver *links,
			struct tar_result *r)
{
	struct archive_entry *entry = archive_entry_new(), *spare;
	autoclose int top = open(".", O_PATH | O_CLOEXEC);
	dev_t dev = 0;
	int ret = 0;

	while (ret == 0) {
		archive_entry_clear(entry);
		ret = archive_read_next_header2(disk, entry);
		if (ret == ARCHIVE_EOF)
			break;
		/* What was removed while we walked was never there. */
		if (ret < ARCHIVE_WARN && archive_errno(disk) == ENOENT) {
			ret = 0;
			continue;
		}
		if (ret < ARCHIVE_WARN) {
			ret = tar_fail_at(r, disk, NULL);
			break;
		}
		if (r->entries == 0)
			dev = archive_entry_dev(entry);
		if (archive_entry_filetype(entry) == AE_IFDIR &&
		    (archive_entry_dev(entry) == dev ||
		     !tar_is_made_up(top, archive_entry_pathname(entry))))
			archive_read_disk_descend(disk);
		archive_entry_linkify(links, &entry, &spare);
		ret = tar_get_entry(a, disk, entry, r);
	}
	archive_entry_free(entry);
	return ret == ARCHIVE_EOF ? 0 : ret;
}

static int tar_get_all(struct archive *a, struct archive *disk,
		       const char *name, bool follow, int *fd,
		       struct tar_result *r)
{
	struct archive_entry_linkresolver *links =
		archive_entry_linkresolver_new();
	int ret;

	archive_write_set_format_pax(a);
	archive_write_set_bytes_per_block(a, BLOCK);
	archive_write_set_bytes_in_last_block(a, 1);
	archive_entry_linkresolver_set_strategy(links, archive_format(a));
	if (follow)
		archive_read_disk_set_symlink_hybrid(disk);
	else
		archive_read_disk_set_symlink_physical(disk);
	archive_read_disk_set_behavior(disk, ARCHIVE_READDISK_NO_FFLAGS);
	if (archive_write_open(a, fd, NULL, tar_write, NULL) < ARCHIVE_WARN)
		ret = tar_fail_at(r, a, NULL);
	else if (archive_read_disk_open(disk, name) < ARCHIVE_WARN)
		ret = tar_fail_at(r, disk, name);
	else
		ret = tar_get_walk(a, disk, links, r);
	if (ret == 0 && archive_write_close(a) < ARCHIVE_WARN)
		ret = tar_fail_at(r, a, NULL);
	archive_entry_linkresolver_free(links);
	return ret;
}

/* Goes to the folder that holds path; *name is what it holds. A slash at the
 * end is followed, as everywhere. */
static int tar_get_place(char *path, const char **name, bool *follow,
			 struct tar_result *r)
{
	size_t len = strlen(path);
	char *slash;
	struct stat st;

	while (len > 1 && path[len - 1] == '/') {
		path[--len] = '\0';
		*follow = true;
	}
	slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	if (**name == '\0')
		*name = ".";
	if ((*follow ? stat(path, &st) : lstat(path, &st)) < 0) {
		err_sys(&r->err, "%s", path);
		return tar_fail(r, TAR_PATH, -1);
	}
	if (slash) {
		*slash = '\0';
		if (chdir(slash == path ? "/" : path) < 0) {
			err_sys(&r->err, "%s", path);
			return tar_fail(r, TAR_PATH, -1);
		}
	}
	return 0;
}

/* ".." is no name for what is in an archive. */
static char *tar_get_path(const char *path, struct tar_result *r)
{
	size_t len = strlen(path);
	char *out;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len >= 3 && strncmp(path + len - 3, "/..", 3) == 0)
		out = realpath(path, NULL);
	else
		out = strdup(path);
	if (!out) {
		err_sys(&r->err, "%s", path);
		tar_fail(r, TAR_PATH, -1);
	}
	return out;
}

void tar_get(int fd, const char *path, const struct tar_how *how,
	     struct tar_result *r)
{
	struct archive *a = archive_write_new();
	struct archive *disk = archive_read_disk_new();
	autofree char *copy = NULL;
	bool follow = how->follow;
	const char *name;

	*r = (struct tar_result){ 0 };
	copy = tar_get_path(path, r);
	if (!a || !disk) {
		err_set(&r->err, ENOMEM, "no memory");
		r->fault = TAR_ARCHIVE;
	} else if (copy && tar_get_place(copy, &name, &follow, r) == 0) {
		tar_get_all(a, disk, name, follow, &fd, r);
		r->bytes = (uint64_t)archive_filter_bytes(a, -1);
	}
	archive_read_free(disk);
	archive_write_free(a);
}
