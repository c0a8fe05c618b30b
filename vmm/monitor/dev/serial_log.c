/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/serial_log.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#define MAX_DEFAULT (256ull * 1024)
#define MAX_MIN (2 * SERIAL_LOG_BUF)
#define NOTE_MAX 64
#define WAKE_PARTS 4 /* of a second */

static void log_ready(struct watch *w, uint32_t events)
{
	struct serial_log *l = container_of(w, struct serial_log, watch);
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) == sizeof(n))
		serial_log_flush(l);
}

int serial_log_init(struct serial_log *l, int fd, uint64_t max, uint64_t rate,
		    struct loop *loop, struct err *e)
{
	struct rate_conf conf = { .bytes = rate };

	rate_init(&l->rate, &conf, NULL);
	l->choked = false;
	l->lost = 0;
	l->fd = fd;
	l->max = max ? MAX(max, (uint64_t)MAX_MIN) : MAX_DEFAULT;
	l->loop = loop;
	l->size = l->used = 0;
	l->bytes = l->dropped = 0;
	l->asked = false;
	l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake < 0)
		return err_sys(e, "console: eventfd");
	l->watch = (struct watch){ .fd = l->wake,
				   .name = "console",
				   .ready = log_ready };
	return loop_add(loop, &l->watch, EPOLLIN, e);
}

/* The line begins wherever the guest's own was cut. */
static void log_note(struct serial_log *l)
{
	char text[NOTE_MAX];
	int n = snprintf(text, sizeof(text),
			 "\r\n[vial: %" PRIu64 " bytes dropped]\r\n", l->lost);

	memcpy(l->buf + l->used, text, (size_t)n);
	l->used += (uint32_t)n;
	l->lost = 0;
}

void serial_log_fini(struct serial_log *l)
{
	if (!l->loop)
		return;
	serial_log_flush(l);
	if (l->lost)
		log_note(l);
	serial_log_flush(l);
	loop_del(l->loop, &l->watch);
	close(l->wake);
	l->loop = NULL;
}

/* Bytes that pass one by one between others that are dropped would be of no
 * use: once the rate is reached, nothing passes for a while. */
static bool log_fits(struct serial_log *l)
{
	uint64_t want = l->choked ? l->rate.bytes.per_s / WAKE_PARTS : 1;

	l->choked = rate_wait(&l->rate, want) > 0;
	return !l->choked &&
	       l->used + (l->lost ? NOTE_MAX : 0) < SERIAL_LOG_BUF;
}

void serial_log_put(void *log, uint8_t byte)
{
	struct serial_log *l = log;
	uint64_t one = 1;

	l->bytes++;
	if (!log_fits(l)) {
		l->dropped++;
		l->lost++;
		return;
	}
	if (l->lost)
		log_note(l);
	rate_take(&l->rate, 1, 0);
	l->buf[l->used++] = byte;
	if (l->asked || (byte != '\n' && l->used < SERIAL_LOG_BUF / 2))
		return;
	l->asked = true;
	if (write(l->wake, &one, sizeof(one)) < 0)
		l->asked = false;
}

/* The newer half moves to the front of the file. A read or write that fails
 * costs old console output and nothing else. */
static void log_make_room(struct serial_log *l)
{
	uint64_t keep = l->max / 2, at = 0;
	uint8_t block[4096];

	while (at < keep) {
		ssize_t n = pread(l->fd, block, sizeof(block),
				  (off_t)(l->size - keep + at));

		if (n <= 0 || pwrite(l->fd, block, (size_t)n, (off_t)at) != n)
			break;
		at += (uint64_t)n;
	}
	if (ftruncate(l->fd, (off_t)at) == 0)
		l->size = at;
}

void serial_log_flush(struct serial_log *l)
{
	ssize_t n;

	l->asked = false;
	if (l->used == 0)
		return;
	if (l->fd < 0) {
		l->used = 0;
		return;
	}
	if (l->size + l->used > l->max)
		log_make_room(l);
	if (l->size + l->used <= l->max) {
		n = pwrite(l->fd, l->buf, l->used, (off_t)l->size);
		if (n > 0)
			l->size += (uint64_t)n;
	}
	l->used = 0;
}
