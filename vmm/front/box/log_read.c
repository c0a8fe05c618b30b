/* SPDX-License-Identifier: Apache-2.0 */
/* log_read.c - a box's log, printed. */
#include "box/log.h"

#include "box/log_priv.h"

#include "base/auto.h"
#include "base/fd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#define FILES_MAX 101
#define RECORD_MAX BOXLOG_RECORD_MAX
/* A box whose log stands still is looked at this often. */
#define LOOK_MS 500

struct reader {
	const struct boxlog_read *how;
	int dir;
	int64_t skip;  /* lines still to be left out */
	int64_t lines; /* counted, instead of printed */
	bool counting;
	bool inside[3]; /* a line of this stream has begun */
	bool hidden[3]; /* and is left out */
	char *bytes;
};

static void print_time(uint64_t ns, char *out, size_t size)
{
	time_t s = (time_t)(ns / 1000000000);
	struct tm tm;
	char day[32];

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%09uZ ", day, (unsigned)(ns % 1000000000));
}

static int put_line(struct reader *r, const struct boxlog_head *h,
		    const char *at, size_t len, bool first)
{
	int fd = h->stream == 2 ? r->how->err : r->how->out, n = 0;
	char when[64];

	if (r->counting || r->hidden[h->stream])
		return 0;
	if (first && r->how->times) {
		print_time(le64toh(h->time_ns), when, sizeof(when));
		n = fd_write_full(fd, when, strlen(when));
	}
	return n < 0 ? n : fd_write_full(fd, at, len);
}

static int put_record(struct reader *r, const struct boxlog_head *h, size_t len)
{
	const char *at = r->bytes, *end = at + len;
	unsigned s = h->stream;

	while (at < end) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));
		const char *stop = nl ? nl + 1 : end;
		bool first = !r->inside[s];
		int n;

		if (first && r->counting)
			r->lines++;
		if (first)
			r->hidden[s] = r->skip > 0 && r->skip-- > 0;
		n = put_line(r, h, at, (size_t)(stop - at), first);
		if (n < 0)
			return n;
		r->inside[s] = !nl;
		at = stop;
	}
	return 0;
}

static bool wanted(const struct reader *r, const struct boxlog_head *h)
{
	int64_t ms = (int64_t)(le64toh(h->time_ns) / 1000000);

	return (!r->how->since_ms || ms >= r->how->since_ms) &&
	       (!r->how->until_ms || ms <= r->how->until_ms);
}

/* Records from *off on, as far as they are whole. */
static int read_file(struct reader *r, int fd, uint64_t *off, struct err *e)
{
	for (;;) {
		struct boxlog_head h;
		ssize_t n = fd_pread_full(fd, &h, sizeof(h), *off);
		uint32_t len;
		int put;

		if (n < 0)
			return err_set(e, (int)-n, "read the log: %s",
				       strerror((int)-n));
		if (n < (ssize_t)sizeof(h))
			return 0;
		len = le32toh(h.len);
		if (len > RECORD_MAX || h.stream < 1 || h.stream > 2)
			return err_set(e, EINVAL, "the log is damaged");
		n = fd_pread_full(fd, r->bytes, len, *off + sizeof(h));
		if (n < (ssize_t)len)
			return 0;
		put = wanted(r, &h) ? put_record(r, &h, len) : 0;
		if (put < 0)
			return err_set(e, -put, "write: %s", strerror(-put));
		*off += sizeof(h) + len;
	}
}

/* The files there are, oldest first; the last one, open, in *last. */
static int read_all(struct reader *r, int *last, uint64_t *off, struct err *e)
{
	char name[24];

	for (unsigned i = FILES_MAX; i-- > 0;) {
		autoclose int fd = -1;
		uint64_t at = 0;

		boxlog_name(name, sizeof(name), i);
		fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (read_file(r, fd, &at, e) < 0)
			return -e->code;
		if (i == 0 && last) {
			*last = take_fd(&fd);
			*off = at;
		}
	}
	return 0;
}

/* After a rotation, what was read so far has another name. */
static bool same_file(int dir, int fd)
{
	struct stat a, b;

	return fd >= 0 && fstat(fd, &a) == 0 &&
	       fstatat(dir, "log", &b, 0) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static int follow(struct reader *r, int *fd, uint64_t *off, struct err *e)
{
	autoclose int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[32], events[4096];
	struct pollfd p = { .fd = watch, .events = POLLIN };

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir);
	if (watch >= 0)
		inotify_add_watch(watch, path,
				  IN_MODIFY | IN_CREATE | IN_MOVED_TO |
					  IN_CLOSE_WRITE);
	for (;;) {
		bool over = r->how->ended(r->how->arg);

		if (*fd >= 0 && read_file(r, *fd, off, e) < 0)
			return -e->code;
		if (!same_file(r->dir, *fd)) {
			/* What came between the last look and its new name. */
			if (*fd >= 0 && read_file(r, *fd, off, e) < 0)
				return -e->code;
			if (*fd >= 0)
				close(*fd);
			*fd = openat(r->dir, "log", O_RDONLY | O_CLOEXEC);
			*off = 0;
			if (*fd >= 0)
				continue;
		}
		if (over)
			return 0;
		poll(&p, 1, LOOK_MS);
		while (read(watch, events, sizeof(events)) > 0)
			;
	}
}

int boxlog_print(int boxdir, const struct boxlog_read *how, struct err *e)
{
	autofree char *bytes = malloc(RECORD_MAX);
	struct reader r = { .how = how, .dir = boxdir, .bytes = bytes };
	autoclose int fd = -1;
	uint64_t off = 0;

	if (!bytes)
		return err_set(e, ENOMEM, "out of memory");
	if (how->tail >= 0) {
		r.counting = true;
		if (read_all(&r, NULL, NULL, e) < 0)
			return -e->code;
		r = (struct reader){ .how = how,
				     .dir = boxdir,
				     .bytes = bytes,
				     .skip = r.lines - how->tail };
	}
	if (read_all(&r, &fd, &off, e) < 0)
		return -e->code;
	return how->follow ? follow(&r, &fd, &off, e) : 0;
}

size_t boxlog_last(int boxdir, unsigned stream, size_t max, char **out)
{
	autoclose int fd = openat(boxdir, "log", O_RDONLY | O_CLOEXEC);
	autofree char *bytes = malloc(RECORD_MAX + max);
	struct boxlog_head h;
	uint64_t off = 0;
	size_t have = 0;

	*out = NULL;
	while (fd >= 0 && bytes &&
	       fd_pread_full(fd, &h, sizeof(h), off) == sizeof(h)) {
		size_t len = le32toh(h.len);

		if (len > RECORD_MAX || have > max)
			break;
		if (h.stream == stream &&
		    fd_pread_full(fd, bytes + have, len, off + sizeof(h)) ==
			    (ssize_t)len) {
			have += len;
			if (have > max) {
				memmove(bytes, bytes + have - max, max);
				have = max;
			}
		}
		off += sizeof(h) + len;
	}
	*out = take_ptr(&bytes);
	return have;
}
