/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tar.h"

#include "base/auto.h"
#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536
/* An archive ends with at least one block of zeros. */
#define TAR_BLOCK 512

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

static int tar_put_entry(struct archive *a, struct archive *disk,
			 struct archive_entry *entry, struct tar_result *r)
{
	const char *name = archive_entry_pathname(entry);

	if (!name || !*name) {
		err_set(&r->err, EINVAL, "an entry has no usable name");
		return tar_fail(r, TAR_ARCHIVE, -EINVAL);
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
		       struct tar_in *in, struct tar_result *r)
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
		if (tar_put_entry(a, disk, entry, r) < 0)
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
	     struct tar_result *r)
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
		tar_put_all(a, disk, &in, r);
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

static int tar_get_walk(struct archive *a, struct archive *disk,
			struct archive_entry_linkresolver *links,
			struct tar_result *r)
{
	struct archive_entry *entry = archive_entry_new(), *spare;
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
		archive_read_disk_descend(disk);
		archive_entry_linkify(links, &entry, &spare);
		ret = tar_get_entry(a, disk, entry, r);
	}
	archive_entry_free(entry);
	return ret == ARCHIVE_EOF ? 0 : ret;
}

static int tar_get_all(struct archive *a, struct archive *disk,
		       const char *name, int *fd, struct tar_result *r)
{
	struct archive_entry_linkresolver *links =
		archive_entry_linkresolver_new();
	int ret;

	archive_write_set_format_pax(a);
	archive_write_set_bytes_per_block(a, BLOCK);
	archive_write_set_bytes_in_last_block(a, 1);
	archive_entry_linkresolver_set_strategy(links, archive_format(a));
	archive_read_disk_set_symlink_physical(disk);
	archive_read_disk_set_behavior(disk,
				       ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS |
					       ARCHIVE_READDISK_NO_FFLAGS);
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

/* Goes to the folder that holds path; *name is what it holds. */
static int tar_get_place(char *path, const char **name, struct tar_result *r)
{
	size_t len = strlen(path);
	char *slash;
	struct stat st;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	slash = strrchr(path, '/');
	*name = slash ? slash + 1 : path;
	if (**name == '\0')
		*name = ".";
	if (lstat(path, &st) < 0) {
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

void tar_get(int fd, const char *path, struct tar_result *r)
{
	struct archive *a = archive_write_new();
	struct archive *disk = archive_read_disk_new();
	autofree char *copy = strdup(path);
	const char *name;

	*r = (struct tar_result){ 0 };
	if (!a || !disk || !copy) {
		err_set(&r->err, ENOMEM, "no memory");
		r->fault = TAR_ARCHIVE;
	} else if (tar_get_place(copy, &name, r) == 0) {
		tar_get_all(a, disk, name, &fd, r);
		r->bytes = (uint64_t)archive_filter_bytes(a, -1);
	}
	archive_read_free(disk);
	archive_write_free(a);
}
