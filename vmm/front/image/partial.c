/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that came in part: kept under their digest, locked by whoever goes on
 * with them, and read again from the first byte before anything is added. */
#include "image/store.h"

#include "base/auto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES (256u << 10)

static void name_of(const struct digest *d, char out[STORE_BLOB_TMP_MAX])
{
	snprintf(out, STORE_BLOB_TMP_MAX, "%s-%s", digest_alg_name(d),
		 digest_hex(d));
}

/* Locked, and still the file of that name: its last owner may have moved it to
 * the blobs meanwhile. */
static bool is_ours(int dir, const char *name, int fd)
{
	struct stat mine, there;

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &mine) == 0 &&
	       S_ISREG(mine.st_mode) &&
	       fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

/* What is there counts for the digest. */
static int read_again(struct blob *b, struct err *e)
{
	autofree char *buf = malloc(READ_BYTES);

	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	while (b->bytes <= b->max) {
		ssize_t n = read(b->fd, buf, READ_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read %s/partial/%s", b->store->path,
				       b->tmp);
		if (n == 0)
			return 0;
		digest_update(&b->ctx, buf, (size_t)n);
		b->bytes += (uint64_t)n;
	}
	/* More than there can be. */
	return blob_restart(b, e);
}

int blob_resume(struct blob *b, struct store *s, const struct digest *want,
		uint64_t max, struct err *e)
{
	*b = (struct blob){ .store = s, .max = max, .dir = s->partial };
	digest_init(&b->ctx, digest_get_alg(want));
	name_of(want, b->tmp);
	b->fd = openat(s->partial, b->tmp,
		       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (b->fd < 0)
		return err_sys(e, "make %s/partial/%s", s->path, b->tmp);
	if (is_ours(s->partial, b->tmp, b->fd))
		return read_again(b, e);
	close(b->fd);
	return blob_new(b, s, digest_get_alg(want), max, e);
}

/* ---- trimming ---- */

struct left {
	char name[STORE_BLOB_TMP_MAX];
	int64_t when;
};

/* The bytes that went, 0 when it is in use. */
static uint64_t drop(struct store *s, const char *name)
{
	autoclose int fd =
		openat(s->partial, name,
		       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || !is_ours(s->partial, name, fd) || fstat(fd, &st) < 0 ||
	    unlinkat(s->partial, name, 0) < 0)
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

void store_drop_partial(struct store *s, const struct digest *d)
{
	char name[STORE_BLOB_TMP_MAX];

	name_of(d, name);
	(void)drop(s, name);
}

static int newest_first(const void *x, const void *y)
{
	const struct left *a = x, *b = y;

	return (a->when < b->when) - (a->when > b->when);
}

static size_t list(struct store *s, struct left **all)
{
	int fd = openat(s->partial, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	size_t n = 0;

	*all = NULL;
	if (!d)
		auto_close_(&fd);
	while (d && (de = readdir(d))) {
		struct left *more;
		struct stat st;

		if (*de->d_name == '.' ||
		    strlen(de->d_name) >= STORE_BLOB_TMP_MAX ||
		    fstatat(s->partial, de->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		more = realloc(*all, (n + 1) * sizeof(**all));
		if (!more)
			break;
		*all = more;
		snprintf(more[n].name, sizeof(more[n].name), "%.*s",
			 STORE_BLOB_TMP_MAX - 1, de->d_name);
		more[n++].when = st.st_mtime;
	}
	if (d)
		closedir(d);
	return n;
}

uint64_t store_trim(struct store *s, unsigned max, int64_t age_s)
{
	autofree struct left *all = NULL;
	size_t n = list(s, &all);
	int64_t now = time(NULL);
	uint64_t bytes = 0;

	if (n > 0)
		qsort(all, n, sizeof(*all), newest_first);
	for (size_t i = 0; i < n; i++)
		if (i >= max || now - all[i].when >= age_s)
			bytes += drop(s, all[i].name);
	return bytes;
}
