/* SPDX-License-Identifier: Apache-2.0 */
/* Owner, extended attributes, mode and times of an entry. */
#include "agent/unpack/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MODE_BITS 07777

static bool id_ok(la_int64_t id)
{
	return id >= 0 && id < UINT32_MAX;
}

static int set_owner(struct archive_entry *en, int fd, int dir,
		     const char *base, struct err *e)
{
	la_int64_t uid = archive_entry_uid(en), gid = archive_entry_gid(en);
	int r;

	if (!id_ok(uid) || !id_ok(gid))
		return err_set(e, EOVERFLOW,
			       "'%.96s': no such owner can be: %lld:%lld", base,
			       (long long)uid, (long long)gid);
	r = fd >= 0 ? fchown(fd, (uid_t)uid, (gid_t)gid)
		    : fchownat(dir, base, (uid_t)uid, (gid_t)gid,
			       AT_SYMLINK_NOFOLLOW);
	return r < 0 ? err_sys(e, "'%.128s': owner", base) : 0;
}

/* No call takes a folder and a name, so the way leads through it. */
static int set_one(int fd, int dir, const char *base, const char *name,
		   const void *value, size_t len)
{
	if (fd >= 0)
		return fsetxattr(fd, name, value, len, 0);
	if (fchdir(dir) < 0)
		return -1;
	return lsetxattr(base, name, value, len, 0);
}

static int set_xattrs(struct apply *a, struct archive_entry *en, int fd,
		      int dir, const char *base, struct err *e)
{
	const char *name;
	const void *value;
	size_t len;

	if (archive_entry_xattr_reset(en) == 0)
		return 0;
	while (archive_entry_xattr_next(en, &name, &value, &len) ==
	       ARCHIVE_OK) {
		if (set_one(fd, dir, base, name, value, len) == 0)
			continue;
		/* Of a system that this one is not, or not ours to set. */
		if (errno != EOPNOTSUPP && errno != EPERM)
			return err_sys(e, "'%.96s': attribute %.64s", base,
				       name);
		a->st->left_out++;
	}
	return 0;
}

void entry_times(struct archive_entry *en, struct timespec t[2])
{
	const struct timespec m = { archive_entry_mtime(en),
				    archive_entry_mtime_nsec(en) };

	t[0] = m;
	t[1] = m;
	if (archive_entry_atime_is_set(en))
		t[0] = (struct timespec){ archive_entry_atime(en),
					  archive_entry_atime_nsec(en) };
	for (int i = 0; i < 2; i++)
		if (t[i].tv_nsec < 0 || t[i].tv_nsec >= 1000000000)
			t[i].tv_nsec = 0;
}

/* In this order: a new owner takes attributes and bits of the mode away. */
int entry_attributes(struct apply *a, struct archive_entry *en, int fd, int dir,
		     const char *base, struct err *e)
{
	mode_t mode = archive_entry_perm(en) & MODE_BITS;
	struct timespec t[2];
	int r = 0;

	if (a->owners && set_owner(en, fd, dir, base, e) < 0)
		return -e->code;
	if (set_xattrs(a, en, fd, dir, base, e) < 0)
		return -e->code;
	if (fd >= 0)
		r = fchmod(fd, mode);
	else if (archive_entry_filetype(en) != AE_IFLNK)
		r = fchmodat(dir, base, mode, 0);
	if (r < 0)
		return err_sys(e, "'%.128s': mode", base);
	entry_times(en, t);
	r = fd >= 0 ? futimens(fd, t)
		    : utimensat(dir, base, t, AT_SYMLINK_NOFOLLOW);
	return r < 0 ? err_sys(e, "'%.128s': times", base) : 0;
}
