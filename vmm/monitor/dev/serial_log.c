/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/serial_log.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <sys/eventfd.h>

#define MAX_DEFAULT (256ull * 1024)
#define MAX_MIN (2 * SERIAL_LOG_BUF)

static void log_ready(struct watch *w, uint32_t events)
{
	struct serial_log *l = container_of(w, struct serial_log, watch);
	uint64_t n;

	(void)events;
	if (read(w->fd, &n, sizeof(n)) == sizeof(n))
		serial_log_flush(l);
}

int serial_log_init(struct serial_log *l, int fd, uint64_t max,
		    struct loop *loop, struct err *e)
{
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

void serial_log_fini(struct serial_log *l)
{
	if (!l->loop)
		return;
	serial_log_flush(l);
	loop_del(l->loop, &l->watch);
	close(l->wake);
	l->loop = NULL;
}

void serial_log_put(void *log, uint8_t byte)
{
	struct serial_log *l = log;
	uint64_t one = 1;

	l->bytes++;
	if (l->used == SERIAL_LOG_BUF) {
		l->dropped++;
		return;
	}
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
