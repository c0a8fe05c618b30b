/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/remove.h"

#include "base/auto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct remove {
	struct inoset *made;
	bool keep;
	unsigned depth;
};

static int remove_in(struct remove *r, int dir, const char *at, struct err *e);

static int remove_one(struct remove *r, int dir, const char *name,
		      struct err *e)
{
	struct stat st;
	bool is_dir, mine;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "'%.128s'", name);
	is_dir = S_ISDIR(st.st_mode);
	mine = r->keep && inoset_has(r->made, st.st_ino);
	if (is_dir && remove_in(r, dir, name, e) < 0)
		return -e->code;
	if (mine)
		return 0;
	if (unlinkat(dir, name, is_dir ? AT_REMOVEDIR : 0) < 0) {
		/* Something in it is to stay. */
		if (is_dir && r->keep && errno == ENOTEMPTY)
			return 0;
		return err_sys(e, "remove '%.128s'", name);
	}
	/* The number is free for others to have. */
	if (is_dir || st.st_nlink == 1)
		inoset_del(r->made, st.st_ino);
	return 0;
}

static int remove_in(struct remove *r, int dir, const char *at, struct err *e)
{
	int fd, ret = 0;
	struct dirent *de;
	DIR *d;

	if (r->depth == REMOVE_DEPTH)
		return err_set(e, ELOOP,
			       "remove '%.128s': more than %d folders inside "
			       "each other",
			       at, REMOVE_DEPTH);
	fd = openat(dir, at, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		err_sys(e, "remove '%.128s'", at);
		if (fd >= 0)
			close(fd);
		return -e->code;
	}
	r->depth++;
	while (ret == 0 && (de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			ret = remove_one(r, fd, de->d_name, e);
	r->depth--;
	closedir(d);
	return ret;
}

int remove_name(int dir, const char *name, struct inoset *made, bool keep,
		struct err *e)
{
	struct remove r = { .made = made, .keep = keep };

	return remove_one(&r, dir, name, e);
}

int remove_below(int dir, struct inoset *made, bool keep, struct err *e)
{
	struct remove r = { .made = made, .keep = keep };

	return remove_in(&r, dir, ".", e);
}
