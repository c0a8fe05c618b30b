/* SPDX-License-Identifier: Apache-2.0 */
/* One entry of a layer, made. */
#include "agent/unpack/apply.h"

#include "agent/unpack/remove.h"
#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Names of folders that may wait for their times: 16 MiB of them. */
#define DIRS_BYTES (16u << 20)

/* Where an entry goes. */
struct spot {
	const char *name; /* clean */
	const char *base;
	int dir; /* borrowed */
};

static int fail(const struct spot *s, struct err *e)
{
	return err_sys(e, "'%.128s'", s->name);
}

/* What has just been made is this layer's. */
static int note_made(struct apply *a, const struct spot *s, struct err *e)
{
	struct stat st;

	if (fstatat(s->dir, s->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(s, e);
	if (inoset_add(&a->made, st.st_ino) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

/* ---- files ---- */

static int put_data(struct apply *a, const struct spot *s, int fd,
		    la_int64_t size, struct err *e)
{
	la_int64_t at, end = 0;
	const void *data;
	size_t len;
	int r;

	while ((r = archive_read_data_block(a->in, &data, &len, &at)) == 0) {
		const char *p = data;

		while (len > 0) {
			ssize_t n = pwrite(fd, p, len, at);

			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return fail(s, e);
			p += n;
			at += n;
			len -= (size_t)n;
		}
		end = at;
	}
	if (r != ARCHIVE_EOF)
		return apply_why(a, e);
	/* A hole at the end is told by the size alone. */
	return end < size && ftruncate(fd, size) < 0 ? fail(s, e) : 0;
}

static int put_file(struct apply *a, struct archive_entry *en,
		    const struct spot *s, struct err *e)
{
	autoclose int fd = openat(
		s->dir, s->base,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	la_int64_t size = archive_entry_size(en);

	if (fd < 0)
		return fail(s, e);
	if (note_made(a, s, e) < 0)
		return -e->code;
	if (size > 0 && put_data(a, s, fd, size, e) < 0)
		return -e->code;
	return entry_attributes(a, en, fd, s->dir, s->base, e);
}

/* ---- folders ---- */

/* Its times would not outlive what is put into it. */
static int wait_for_times(struct apply *a, struct archive_entry *en,
			  const struct spot *s, struct err *e)
{
	struct dir_time *more;
	size_t room;

	if (a->dirs_bytes > DIRS_BYTES)
		apply_dir_times(a);
	if (a->ndirs == a->dirs_room) {
		room = a->dirs_room ? 2 * a->dirs_room : 256;
		more = reallocarray(a->dirs, room, sizeof(*more));
		if (!more)
			return err_set(e, ENOMEM, "out of memory");
		a->dirs = more;
		a->dirs_room = room;
	}
	more = &a->dirs[a->ndirs];
	more->name = strdup(s->name);
	if (!more->name)
		return err_set(e, ENOMEM, "out of memory");
	entry_times(en, more->t);
	a->dirs_bytes += sizeof(*more) + strlen(s->name);
	a->ndirs++;
	return 0;
}

static int put_dir(struct apply *a, struct archive_entry *en,
		   const struct spot *s, struct err *e)
{
	autoclose int fd = -1;

	if (*s->name && mkdirat(s->dir, s->base, 0700) < 0 && errno != EEXIST)
		return fail(s, e);
	if (*s->name && note_made(a, s, e) < 0)
		return -e->code;
	fd = openat(s->dir, s->base,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail(s, e);
	if (entry_attributes(a, en, fd, s->dir, s->base, e) < 0)
		return -e->code;
	return wait_for_times(a, en, s, e);
}

/* ---- the rest ---- */

static int put_symlink(struct apply *a, struct archive_entry *en,
		       const struct spot *s, struct err *e)
{
	const char *to = archive_entry_symlink(en);

	if (!to || !*to)
		return err_set(e, EINVAL, "'%.128s': a link to nothing",
			       s->name);
	if (symlinkat(to, s->dir, s->base) < 0)
		return fail(s, e);
	if (note_made(a, s, e) < 0)
		return -e->code;
	return entry_attributes(a, en, -1, s->dir, s->base, e);
}

static int put_node(struct apply *a, struct archive_entry *en,
		    const struct spot *s, struct err *e)
{
	mode_t type = archive_entry_filetype(en);
	dev_t dev = 0;

	if (type != AE_IFIFO)
		dev = makedev(archive_entry_rdevmajor(en),
			      archive_entry_rdevminor(en));
	if (mknodat(s->dir, s->base, type | 0600, dev) < 0)
		return fail(s, e);
	if (note_made(a, s, e) < 0)
		return -e->code;
	return entry_attributes(a, en, -1, s->dir, s->base, e);
}

/* A file by another name that is there already. The name it had first says
 * all about it. */
static int put_hardlink(struct apply *a, struct archive_entry *en,
			const char *name, struct err *e)
{
	struct spot s = { .name = name };
	char to[PATH_MAX];
	const char *from_base;
	autoclose int from = -1;
	struct stat there, here;
	int dir;

	if (place_clean(archive_entry_hardlink(en), to, e) < 0)
		return err_wrap(e, "'%.64s' is a link to", name);
	dir = place_parent(&a->place, to, false, &from_base, e);
	from = dir < 0 ? dir : fcntl(dir, F_DUPFD_CLOEXEC, 3);
	if (from < 0 ||
	    fstatat(from, from_base, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(e, ENOENT,
			       "'%.96s' is a link to '%.96s', which is not in "
			       "the image",
			       name, to);
	if (S_ISDIR(there.st_mode))
		return err_set(e, EPERM,
			       "'%.96s' is a link to the folder '%.96s'", name,
			       to);
	s.dir = place_parent(&a->place, name, true, &s.base, e);
	if (s.dir < 0)
		return s.dir;
	if (fstatat(s.dir, s.base, &here, AT_SYMLINK_NOFOLLOW) == 0) {
		if (here.st_dev == there.st_dev && here.st_ino == there.st_ino)
			return note_made(a, &s, e);
		if (remove_name(s.dir, s.base, &a->made, false, e) < 0)
			return -e->code;
	}
	if (linkat(from, from_base, s.dir, s.base, 0) < 0)
		return err_sys(e, "'%.96s', a link to '%.96s'", name, to);
	return note_made(a, &s, e);
}

/* A folder stays where a folder comes; whatever else is there goes. */
static int make_room(struct apply *a, const struct spot *s, bool dir,
		     struct err *e)
{
	struct stat st;

	if (fstatat(s->dir, s->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail(s, e);
	if (S_ISDIR(st.st_mode) && dir)
		return 0;
	return remove_name(s->dir, s->base, &a->made, false, e);
}

int entry_put(struct apply *a, struct archive_entry *en, const char *name,
	      struct err *e)
{
	mode_t type = archive_entry_filetype(en);
	struct spot s = { .name = name };

	if (!*name && (archive_entry_hardlink(en) || type != AE_IFDIR))
		return err_set(e, EINVAL, "the root is not a folder");
	if (archive_entry_hardlink(en))
		return put_hardlink(a, en, name, e);
	if (type == AE_IFSOCK || type == 0) {
		a->st->left_out++;
		return 0;
	}
	s.dir = place_parent(&a->place, name, true, &s.base, e);
	if (s.dir < 0 || make_room(a, &s, type == AE_IFDIR, e) < 0)
		return -e->code;
	switch (type) {
	case AE_IFREG:
		return put_file(a, en, &s, e);
	case AE_IFDIR:
		return put_dir(a, en, &s, e);
	case AE_IFLNK:
		return put_symlink(a, en, &s, e);
	default:
		return put_node(a, en, &s, e);
	}
}
