/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/same.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BLOCK (64u << 10)

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A disk that began as a copy of the other has the same file in the same
 * place, and each change of it sets its change time. */
static bool untouched(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
	       a->st_size == b->st_size && a->st_uid == b->st_uid &&
	       a->st_gid == b->st_gid && same_time(&a->st_ctim, &b->st_ctim) &&
	       same_time(&a->st_mtim, &b->st_mtim);
}

static bool same_numbers(const struct stat *a, const struct stat *b)
{
	bool dev = S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode);

	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid ||
	    a->st_gid != b->st_gid || (dev && a->st_rdev != b->st_rdev))
		return false;
	return S_ISDIR(a->st_mode) || (a->st_size == b->st_size &&
				       same_time(&a->st_mtim, &b->st_mtim));
}

/* ---- extended attributes ---- */

/* No call takes a folder and a name, so the way leads through it. */
static ssize_t list(const struct same_file *f, char *buf, size_t room)
{
	if (fchdir(f->dir) < 0)
		return -1;
	return llistxattr(f->name, buf, room);
}

static ssize_t get(const struct same_file *f, const char *name, void *buf,
		   size_t room)
{
	if (fchdir(f->dir) < 0)
		return -1;
	return lgetxattr(f->name, name, buf, room);
}

/* Each that a has, b has as well. */
static int within(const struct same_file *a, const struct same_file *b,
		  const char *names, ssize_t len, struct err *e)
{
	autofree char *x = malloc(XATTR_SIZE_MAX);
	autofree char *y = malloc(XATTR_SIZE_MAX);

	if (!x || !y)
		return err_set(e, ENOMEM, "out of memory");
	for (const char *at = names; at < names + len; at += strlen(at) + 1) {
		ssize_t n = get(a, at, x, XATTR_SIZE_MAX);
		ssize_t m = get(b, at, y, XATTR_SIZE_MAX);

		if (n < 0)
			return err_sys(e, "attribute %.64s", at);
		if (n != m || memcmp(x, y, (size_t)n) != 0)
			return 0;
	}
	return 1;
}

static int same_attributes(const struct same_file *a, const struct same_file *b,
			   struct err *e)
{
	ssize_t n = list(a, NULL, 0), m = list(b, NULL, 0);
	autofree char *names = NULL;

	/* A file system without them. */
	if ((n < 0 || m < 0) && errno != EOPNOTSUPP)
		return err_sys(e, "attributes");
	if (n != m)
		return 0;
	if (n <= 0)
		return 1;
	names = malloc((size_t)n);
	if (!names)
		return err_set(e, ENOMEM, "out of memory");
	n = list(a, names, (size_t)n);
	if (n < 0)
		return err_sys(e, "attributes");
	return within(a, b, names, n, e);
}

/* ---- content ---- */

static int same_target(const struct same_file *a, const struct same_file *b,
		       struct err *e)
{
	char x[PATH_MAX], y[PATH_MAX];
	ssize_t n = readlinkat(a->dir, a->name, x, sizeof(x));
	ssize_t m = readlinkat(b->dir, b->name, y, sizeof(y));

	if (n < 0 || m < 0)
		return err_sys(e, "read the link");
	return n == m && memcmp(x, y, (size_t)n) == 0;
}

static int open_file(const struct same_file *f)
{
	return openat(f->dir, f->name,
		      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static int same_content(const struct same_file *a, const struct same_file *b,
			struct err *e)
{
	autoclose int x = open_file(a), y = open_file(b);
	autofree char *buf = malloc(2 * (size_t)BLOCK);

	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	if (x < 0 || y < 0)
		return err_sys(e, "open");
	for (;;) {
		ssize_t n = fd_read_full(x, buf, BLOCK);
		ssize_t m = fd_read_full(y, buf + BLOCK, BLOCK);

		if (n < 0 || m < 0)
			return err_set(e, n < 0 ? (int)-n : (int)-m, "read: %s",
				       strerror(n < 0 ? (int)-n : (int)-m));
		if (n != m || memcmp(buf, buf + BLOCK, (size_t)n) != 0)
			return 0;
		if (n < (ssize_t)BLOCK)
			return 1;
	}
}

int same_files(const struct same_file *a, const struct same_file *b,
	       struct err *e)
{
	int r;

	if (untouched(a->st, b->st))
		return 1;
	if (!same_numbers(a->st, b->st))
		return 0;
	r = same_attributes(a, b, e);
	if (r == 1 && S_ISLNK(a->st->st_mode))
		r = same_target(a, b, e);
	else if (r == 1 && S_ISREG(a->st->st_mode))
		r = same_content(a, b, e);
	return r;
}
