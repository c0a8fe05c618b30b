/* SPDX-License-Identifier: Apache-2.0 */
#include "image/store.h"

#include "base/auto.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYOUT "{\"imageLayoutVersion\": \"1.0.0\"}\n"

/* ---- the folders ---- */

static int subdir(struct store *s, int at, const char *name, struct err *e)
{
	int fd;

	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s/%s", s->path, name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open %s/%s", s->path, name) : fd;
}

static int lock_file(int dir, const char *name, int how)
{
	autoclose int fd =
		openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	do
		r = flock(fd, how);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : take_fd(&fd);
}

/* Files whose writer is gone. One that has just been made and is not locked
 * yet may be taken for such: store_tmp() looks whether it still has a name. */
static void sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d) {
		auto_close_(&fd);
		return;
	}
	while ((de = readdir(d))) {
		autoclose int f = -1;

		if (*de->d_name == '.')
			continue;
		f = openat(dir, de->d_name,
			   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (f >= 0 && flock(f, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dir, de->d_name, 0);
	}
	closedir(d);
}

static int write_layout(struct store *s, struct err *e)
{
	char tmp[STORE_TMP_MAX];
	autoclose int fd = -1;

	if (faccessat(s->dir, "oci-layout", F_OK, 0) == 0)
		return 0;
	fd = store_tmp(s, tmp, e);
	if (fd < 0)
		return fd;
	if (fd_write_full(fd, LAYOUT, strlen(LAYOUT)) < 0)
		return err_sys(e, "write %s/oci-layout", s->path);
	return store_put(s, fd, tmp, s->dir, "oci-layout", e);
}

static int open_folders(struct store *s, struct err *e)
{
	autoclose int blobs = -1;

	s->tmp = subdir(s, s->dir, "tmp", e);
	s->partial = s->tmp < 0 ? -1 : subdir(s, s->dir, "partial", e);
	s->disks = s->partial < 0 ? -1 : subdir(s, s->dir, "disks", e);
	blobs = s->disks < 0 ? -1 : subdir(s, s->dir, "blobs", e);
	if (blobs < 0)
		return -e->code;
	s->blobs[DIGEST_SHA256] = subdir(s, blobs, "sha256", e);
	if (s->blobs[DIGEST_SHA256] < 0)
		return -e->code;
	s->blobs[DIGEST_SHA512] = subdir(s, blobs, "sha512", e);
	return s->blobs[DIGEST_SHA512] < 0 ? -e->code : 0;
}

int store_open(struct store *s, const char *datadir, struct err *e)
{
	int n = snprintf(s->path, sizeof(s->path), "%s/images", datadir), r;

	s->dir = s->tmp = s->partial = s->disks = s->lock = -1;
	s->blobs[DIGEST_SHA256] = s->blobs[DIGEST_SHA512] = -1;
	if (n >= (int)sizeof(s->path))
		return err_set(e, ENAMETOOLONG, "%.100s: too long", datadir);
	if (mkdir(s->path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", s->path);
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir < 0)
		return err_sys(e, "open %s", s->path);
	s->lock = lock_file(s->dir, "lock", LOCK_SH);
	if (s->lock < 0) {
		err_set(e, -s->lock, "lock %s: %s", s->path,
			strerror(-s->lock));
		store_close(s);
		return -e->code;
	}
	r = open_folders(s, e);
	if (r == 0) {
		sweep(s->tmp);
		r = write_layout(s, e);
	}
	if (r < 0)
		store_close(s);
	return r;
}

void store_close(struct store *s)
{
	int *all[] = { &s->dir,	   &s->tmp,
		       &s->disks,  &s->blobs[DIGEST_SHA256],
		       &s->lock,   &s->blobs[DIGEST_SHA512],
		       &s->partial };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		auto_close_(all[i]);
		*all[i] = -1;
	}
}

int store_alone(struct store *s, struct err *e)
{
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return err_sys(e, "lock %s", s->path);
	/* What is refused gives up the shared lock as well (flock(2)). */
	if (store_share(s, e) < 0)
		return -e->code;
	return err_set(e, EBUSY, "%s is in use by another vial", s->path);
}

int store_share(struct store *s, struct err *e)
{
	while (flock(s->lock, LOCK_SH) < 0)
		if (errno != EINTR)
			return err_sys(e, "lock %s", s->path);
	return 0;
}

/* ---- new files ---- */

static int try_tmp(struct store *s, char name[STORE_TMP_MAX])
{
	autoclose int fd = -1;
	struct stat st;
	uint64_t r;

	if (getrandom(&r, sizeof(r), 0) != sizeof(r))
		return -errno;
	snprintf(name, STORE_TMP_MAX, "new-%016" PRIx64, r);
	fd = openat(s->tmp, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_nlink == 0 ? -EAGAIN : take_fd(&fd);
}

int store_tmp(struct store *s, char name[STORE_TMP_MAX], struct err *e)
{
	int fd;

	do
		fd = try_tmp(s, name);
	while (fd == -EAGAIN);
	if (fd < 0) {
		*name = '\0';
		return err_set(e, -fd, "make a file in %s/tmp: %s", s->path,
			       strerror(-fd));
	}
	return fd;
}

/* fsync, then its name. */
static int put(struct store *s, int fd, int from, const char *tmp, int to,
	       const char *name, struct err *e)
{
	if (fsync(fd) < 0)
		return err_sys(e, "write %s/%s", s->path, name);
	if (renameat(from, tmp, to, name) < 0)
		return err_sys(e, "rename to %s/%s", s->path, name);
	/* The name, too, or a crash could keep a later one and lose this. */
	if (fsync(to) < 0)
		return err_sys(e, "write the folder of %s", name);
	return 0;
}

int store_put(struct store *s, int fd, const char *tmp, int to,
	      const char *name, struct err *e)
{
	return put(s, fd, s->tmp, tmp, to, name, e);
}

/* ---- blobs that are there ---- */

static int blob_dir(const struct store *s, const struct digest *d)
{
	return s->blobs[digest_get_alg(d)];
}

bool store_has(struct store *s, const struct digest *d, uint64_t *size)
{
	struct stat st;

	if (fstatat(blob_dir(s, d), digest_hex(d), &st, AT_SYMLINK_NOFOLLOW) <
		    0 ||
	    !S_ISREG(st.st_mode))
		return false;
	if (size)
		*size = (uint64_t)st.st_size;
	return true;
}

int store_blob(struct store *s, const struct digest *d, uint64_t *size,
	       struct err *e)
{
	autoclose int fd = openat(blob_dir(s, d), digest_hex(d),
				  O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "blob %s is missing in %s", d->text,
			       s->path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "blob %s", d->text);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "blob %s is no regular file",
			       d->text);
	if (size)
		*size = (uint64_t)st.st_size;
	return take_fd(&fd);
}

ssize_t store_read(struct store *s, const struct digest *d, size_t max,
		   char **out, struct err *e)
{
	autoclose int fd = store_blob(s, d, NULL, e);
	autofree char *text = NULL;
	struct digest_ctx c;
	struct digest got;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_slurp(fd, &text, max);
	if (n < 0)
		return err_set(e, (int)-n, "blob %s: %s", d->text,
			       n == -EFBIG ? "too large" : strerror((int)-n));
	digest_init(&c, digest_get_alg(d));
	digest_update(&c, text, (size_t)n);
	digest_final(&c, &got);
	if (!digest_equal(d, &got))
		return err_set(e, EBADMSG,
			       "blob %s is damaged (it is %.20s...): "
			       "remove the image and get it again",
			       d->text, got.text);
	*out = take_ptr(&text);
	return n;
}

int store_remove(struct store *s, const struct digest *d)
{
	return unlinkat(blob_dir(s, d), digest_hex(d), 0) < 0 ? -errno : 0;
}

/* ---- new blobs ---- */

int blob_new(struct blob *b, struct store *s, enum digest_alg alg, uint64_t max,
	     struct err *e)
{
	*b = (struct blob){ .store = s, .max = max, .fd = -1, .dir = s->tmp };
	digest_init(&b->ctx, alg);
	b->fd = store_tmp(s, b->tmp, e);
	return b->fd < 0 ? b->fd : 0;
}

int blob_write(struct blob *b, const void *data, size_t len, struct err *e)
{
	int r;

	if (len > b->max - b->bytes)
		return err_set(e, EFBIG,
			       "more than the %" PRIu64 " bytes it may have",
			       b->max);
	r = fd_write_full(b->fd, data, len);
	if (r < 0)
		return err_set(e, -r, "write to %s: %s", b->store->path,
			       strerror(-r));
	digest_update(&b->ctx, data, len);
	b->bytes += len;
	return 0;
}

int blob_restart(struct blob *b, struct err *e)
{
	enum digest_alg alg = b->ctx.alg;

	if (lseek(b->fd, 0, SEEK_SET) < 0 || ftruncate(b->fd, 0) < 0)
		return err_sys(e, "%s", b->store->path);
	digest_init(&b->ctx, alg);
	b->bytes = 0;
	return 0;
}

int blob_commit(struct blob *b, const struct digest *want, struct digest *got,
		struct err *e)
{
	struct digest mine;
	int r;

	digest_final(&b->ctx, &mine);
	if (want && *want->text && !digest_equal(want, &mine))
		return err_set(e, EBADMSG, "it is %s, not %s", mine.text,
			       want->text);
	if (got)
		*got = mine;
	/* It is the same one: no need to write it to the disk again. */
	if (store_has(b->store, &mine, NULL))
		return 0;
	if (fchmod(b->fd, 0400) < 0)
		return err_sys(e, "blob %s", mine.text);
	r = put(b->store, b->fd, b->dir, b->tmp, blob_dir(b->store, &mine),
		digest_hex(&mine), e);
	if (r == 0)
		*b->tmp = '\0';
	return r;
}

void blob_end(struct blob *b)
{
	if (b->store && *b->tmp && !(b->keep && b->bytes > 0))
		unlinkat(b->dir, b->tmp, 0);
	if (b->store)
		auto_close_(&b->fd);
	*b = (struct blob){ .fd = -1 };
}

int store_write(struct store *s, const void *data, size_t len,
		struct digest *out, struct err *e)
{
	struct blob b;
	int r = blob_new(&b, s, DIGEST_SHA256, len, e);

	if (r == 0)
		r = blob_write(&b, data, len, e);
	if (r == 0)
		r = blob_commit(&b, NULL, out, e);
	blob_end(&b);
	return r;
}
