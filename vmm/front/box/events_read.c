/* SPDX-License-Identifier: Apache-2.0 */
/* events_read.c - the events so far, and those to come. */
#include "box/events.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/where.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_MAX_BYTES (64u << 10)
/* Without a sign of life the files are looked at all the same. */
#define LOOK_MS 1000

struct reader {
	const struct boxevents_read *how;
	int dir, watch, fd; /* fd: the file that is read, -1: none yet */
	char *rest;	    /* a line that is not whole yet */
	size_t len;
};

static int take_line(struct reader *r, const char *line, struct err *e)
{
	const struct boxevents_read *how = r->how;
	json_t *o = json_loads(line, 0, NULL);
	int64_t ms;
	int n = 0;

	ms = json_integer_value(json_object_get(o, "timeNano")) / 1000000;
	/* Nobody else writes there, but a disk may have been full. */
	if (o && ms >= how->since_ms && (!how->until_ms || ms <= how->until_ms))
		n = how->each(how->arg, o, line, e);
	json_decref(o);
	return n;
}

/* Whole lines in r->rest. */
static int take_lines(struct reader *r, struct err *e)
{
	char *at = r->rest, *end = r->rest + r->len, *nl;
	int n = 0;

	while (n >= 0 && (nl = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		*nl = '\0';
		n = take_line(r, at, e);
		at = nl + 1;
	}
	r->len = (size_t)(end - at);
	memmove(r->rest, at, r->len);
	/* No line of ours is that long. */
	if (r->len == LINE_MAX_BYTES)
		r->len = 0;
	return n;
}

/* What the file has by now. */
static int drain(struct reader *r, struct err *e)
{
	ssize_t got;
	int n = 0;

	while (n >= 0 && r->fd >= 0) {
		got = read(r->fd, r->rest + r->len, LINE_MAX_BYTES - r->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "read the events");
		if (got == 0)
			break;
		r->len += (size_t)got;
		n = take_lines(r, e);
	}
	return n;
}

static void open_named(struct reader *r, const char *name)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
	r->len = 0;
}

/* What was read is not what is written any more. */
static bool rotated(const struct reader *r)
{
	struct stat ours, named;

	if (fstatat(r->dir, "events", &named, 0) < 0)
		return false;
	return r->fd < 0 || fstat(r->fd, &ours) < 0 ||
	       ours.st_ino != named.st_ino;
}

static int catch_up(struct reader *r, struct err *e)
{
	int n = drain(r, e);

	if (n >= 0 && rotated(r)) {
		open_named(r, "events");
		n = drain(r, e);
	}
	return n;
}

/* Until something may have been written. False: the time has come. */
static bool await(const struct reader *r)
{
	struct pollfd p = { .fd = r->watch, .events = POLLIN };
	int64_t left = r->how->until_ms ? r->how->until_ms - state_now()
					: LOOK_MS;
	char heard[sizeof(struct inotify_event) + NAME_MAX + 1];

	if (left <= 0)
		return false;
	if (poll(&p, 1, (int)(left < LOOK_MS ? left + 1 : LOOK_MS)) > 0 &&
	    read(r->watch, heard, sizeof(heard)) < 0)
		return true;
	return true;
}

static int reader_open(struct reader *r, struct err *e)
{
	autoclose int boxes = where_boxes(WHERE_BRIEF, e);
	char path[64];

	if (boxes < 0)
		return boxes;
	r->rest = malloc(LINE_MAX_BYTES);
	r->dir = openat(boxes, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r->watch = inotify_init1(IN_CLOEXEC);
	if (!r->rest || r->dir < 0 || r->watch < 0)
		return err_sys(e, "watch the events");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir);
	if (inotify_add_watch(r->watch, path, IN_MODIFY | IN_CREATE) < 0)
		return err_sys(e, "watch the events");
	return 0;
}

int boxevents_read(const struct boxevents_read *how, struct err *e)
{
	struct reader r = { .how = how, .dir = -1, .watch = -1, .fd = -1 };
	int n = reader_open(&r, e);

	if (n == 0 && how->since_ms) {
		open_named(&r, "events.1");
		n = drain(&r, e);
	}
	if (n == 0) {
		open_named(&r, "events");
		if (!how->since_ms && r.fd >= 0)
			lseek(r.fd, 0, SEEK_END);
	}
	while (n >= 0) {
		n = catch_up(&r, e);
		if (n < 0 || !await(&r))
			break;
	}
	if (n >= 0)
		n = catch_up(&r, e);
	if (r.fd >= 0)
		close(r.fd);
	if (r.watch >= 0)
		close(r.watch);
	if (r.dir >= 0)
		close(r.dir);
	free(r.rest);
	return n < 0 ? n : 0;
}
