/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/layertar.h"

#include "base/auto.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define WHITEOUT ".wh."
#define BLOCK (256u << 10)
#define STAT_BLOCK 512

struct out {
	int tree;
	struct archive *to;
	struct archive_entry_linkresolver *links;
	char *block;
	const char *path; /* of the entry at hand */
	int dir;	  /* the folder it is in */
	const char *base;
};

static int fail(const struct out *o, struct err *e)
{
	return err_sys(e, "'%.128s'", o->path);
}

static int fail_archive(const struct out *o, struct err *e)
{
	return err_lib(e, archive_errno(o->to), o->path ? o->path : "layer",
		       archive_error_string(o->to));
}

/* ---- what an entry says ---- */

static int put_attribute(const struct out *o, struct archive_entry *en,
			 const char *name, struct err *e)
{
	ssize_t n = lgetxattr(o->base, name, o->block, XATTR_SIZE_MAX);

	if (n < 0)
		return fail(o, e);
	archive_entry_xattr_add_entry(en, name, o->block, (size_t)n);
	return 0;
}

/* The process stands in the entry's folder. */
static int put_attributes(const struct out *o, struct archive_entry *en,
			  struct err *e)
{
	char names[XATTR_LIST_MAX];
	ssize_t n = llistxattr(o->base, names, sizeof(names));

	if (n < 0)
		return errno == EOPNOTSUPP ? 0 : fail(o, e);
	for (const char *at = names; at < names + n; at += strlen(at) + 1)
		if (put_attribute(o, en, at, e) < 0)
			return -e->code;
	return 0;
}

static int put_target(const struct out *o, struct archive_entry *en,
		      struct err *e)
{
	char to[PATH_MAX];
	ssize_t n = readlinkat(o->dir, o->base, to, sizeof(to) - 1);

	if (n < 0)
		return fail(o, e);
	to[n] = '\0';
	archive_entry_copy_symlink(en, to);
	return 0;
}

static int describe(const struct out *o, struct archive_entry *en,
		    const struct stat *st, struct err *e)
{
	archive_entry_copy_pathname(en, o->path);
	archive_entry_copy_stat(en, st);
	archive_entry_set_mtime(en, st->st_mtim.tv_sec, 0);
	archive_entry_unset_atime(en);
	archive_entry_unset_ctime(en);
	archive_entry_unset_birthtime(en);
	if (S_ISLNK(st->st_mode) && put_target(o, en, e) < 0)
		return -e->code;
	return put_attributes(o, en, e);
}

/* ---- content ---- */

/* Where there is data, when some of it is missing. */
static int find_holes(const struct out *o, struct archive_entry *en, int fd,
		      const struct stat *st, struct err *e)
{
	off_t at = 0, end;

	if ((off_t)st->st_blocks * STAT_BLOCK >= st->st_size)
		return 0;
	while (at < st->st_size) {
		at = lseek(fd, at, SEEK_DATA);
		if (at < 0 && errno == ENXIO)
			break;
		end = at < 0 ? -1 : lseek(fd, at, SEEK_HOLE);
		if (end < 0)
			return fail(o, e);
		archive_entry_sparse_add_entry(en, at, end - at);
		at = end;
	}
	/* A file without any data. */
	if (archive_entry_sparse_count(en) == 0)
		archive_entry_sparse_add_entry(en, st->st_size, 0);
	return 0;
}

/* libarchive wants all of it, and leaves the holes out. */
static int put_data(const struct out *o, int fd, off_t size, struct err *e)
{
	off_t left = size;

	while (left > 0) {
		ssize_t n = read(fd, o->block, (size_t)MIN(left, BLOCK));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return fail(o, e);
		if (archive_write_data(o->to, o->block, (size_t)n) < 0)
			return fail_archive(o, e);
		left -= n;
	}
	return 0;
}

static int put_file(const struct out *o, struct archive_entry *en,
		    const struct stat *st, struct err *e)
{
	autoclose int fd =
		openat(o->dir, o->base, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return fail(o, e);
	if (find_holes(o, en, fd, st, e) < 0)
		return -e->code;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fail(o, e);
	if (archive_write_header(o->to, en) < ARCHIVE_WARN)
		return fail_archive(o, e);
	return put_data(o, fd, st->st_size, e);
}

/* ---- one entry ---- */

/* en may become a link to one before. */
static int put_linked(const struct out *o, struct archive_entry **en,
		      const struct stat *st, struct err *e)
{
	struct archive_entry *spare = NULL;

	if (!S_ISDIR(st->st_mode) && st->st_nlink > 1)
		archive_entry_linkify(o->links, en, &spare);
	archive_entry_free(spare);
	if (S_ISREG(st->st_mode) && !archive_entry_hardlink(*en) &&
	    st->st_size > 0)
		return put_file(o, *en, st, e);
	if (archive_write_header(o->to, *en) < ARCHIVE_WARN)
		return fail_archive(o, e);
	return 0;
}

static int put_there(const struct out *o, struct err *e)
{
	struct archive_entry *en;
	struct stat st;
	int r;

	if (strncmp(o->base, WHITEOUT, strlen(WHITEOUT)) == 0)
		return err_set(e, EINVAL,
			       "'%.128s': no layer can hold a file of this "
			       "name",
			       o->path);
	if (fstatat(o->dir, o->base, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchdir(o->dir) < 0)
		return fail(o, e);
	if (S_ISSOCK(st.st_mode))
		return 0;
	en = archive_entry_new();
	if (!en)
		return err_set(e, ENOMEM, "out of memory");
	r = describe(o, en, &st, e);
	if (r == 0)
		r = put_linked(o, &en, &st, e);
	archive_entry_free(en);
	return r;
}

static int put_whiteout(const struct out *o, struct err *e)
{
	struct archive_entry *en = archive_entry_new();
	int above = (int)(o->base - o->path), r = 0;
	char *name;

	if (!en || asprintf(&name, "%.*s" WHITEOUT "%s", above, o->path,
			    o->base) < 0) {
		archive_entry_free(en);
		return err_set(e, ENOMEM, "out of memory");
	}
	archive_entry_copy_pathname(en, name);
	archive_entry_set_filetype(en, AE_IFREG);
	archive_entry_set_perm(en, 0);
	archive_entry_set_size(en, 0);
	archive_entry_set_mtime(en, 0, 0);
	if (archive_write_header(o->to, en) < ARCHIVE_WARN)
		r = fail_archive(o, e);
	archive_entry_free(en);
	free(name);
	return r;
}

/* The walk has been there: on the way are folders, and no links. */
static int put_one(struct out *o, const struct diff_entry *de, struct err *e)
{
	const char *slash = strrchr(de->path, '/');
	autofree char *above = NULL;
	autoclose int dir = -1;

	o->path = de->path;
	o->base = slash ? slash + 1 : de->path;
	if (de->kind == DIFF_DELETE)
		return put_whiteout(o, e);
	above = slash ? strndup(de->path, (size_t)(slash - de->path))
		      : strdup(".");
	if (!above)
		return err_set(e, ENOMEM, "out of memory");
	dir = openat(o->tree, above,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return fail(o, e);
	o->dir = dir;
	return put_there(o, e);
}

/* ---- as a whole ---- */

static int out_open(struct out *o, int fd, struct err *e)
{
	o->to = archive_write_new();
	o->links = archive_entry_linkresolver_new();
	o->block = malloc(MAX(BLOCK, XATTR_SIZE_MAX));
	if (!o->to || !o->links || !o->block)
		return err_set(e, ENOMEM, "out of memory");
	if (archive_write_set_format_pax_restricted(o->to) != ARCHIVE_OK ||
	    archive_write_set_format_option(o->to, "pax", "xattrheader",
					    "SCHILY") != ARCHIVE_OK ||
	    archive_write_open_fd(o->to, fd) != ARCHIVE_OK)
		return fail_archive(o, e);
	archive_entry_linkresolver_set_strategy(o->links,
						archive_format(o->to));
	return 0;
}

int layertar_write(const struct diff *d, int tree, int fd, struct err *e)
{
	struct out o = { .tree = tree };
	int r = out_open(&o, fd, e);

	for (size_t i = 0; r == 0 && i < d->n; i++)
		r = put_one(&o, &d->v[i], e);
	o.path = NULL;
	if (r == 0 && archive_write_close(o.to) != ARCHIVE_OK)
		r = fail_archive(&o, e);
	archive_write_free(o.to);
	archive_entry_linkresolver_free(o.links);
	free(o.block);
	return r;
}
