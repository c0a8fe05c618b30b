/* SPDX-License-Identifier: Apache-2.0 */
#include "base/tunnel.h"

#include "base/auto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define TURN 8 /* chunks of one way before others have their turn */
#define RETRY_MS 20
#define RETRIES 500 /* ten seconds */

/* Loops of one process run in one thread. */
static uint8_t chunk[TUNNEL_CHUNK];

/* ---- one way ---- */

static void way_fini(struct tunnel_way *w)
{
	free(w->rest);
	*w = (struct tunnel_way){ .eof = true, .over = true };
}

/* Its reader has gone: so will be its writer's impression. */
static void way_cut(struct tunnel *t, int i)
{
	if (!t->way[i].over)
		shutdown(t->end[i].watch.fd, SHUT_RD);
	way_fini(&t->way[i]);
}

/* Nobody can be told more than that it is over. */
static void fail(struct tunnel *t)
{
	way_fini(&t->way[0]);
	way_fini(&t->way[1]);
}

static void way_finish(struct tunnel *t, int i)
{
	shutdown(t->end[!i].watch.fd, SHUT_WR);
	way_fini(&t->way[i]);
}

/* Bytes taken; 0: the socket is full; -errno: it takes no more. */
static ssize_t put(const struct tunnel *t, int i, const uint8_t *p, size_t len)
{
	int fd = t->end[!i].watch.fd;
	ssize_t n;

	do
		n = send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	return n;
}

static int keep(struct tunnel_way *w, const uint8_t *p, size_t len)
{
	w->rest = malloc(len);
	if (!w->rest)
		return -ENOMEM;
	memcpy(w->rest, p, len);
	w->start = 0;
	w->end = len;
	return 0;
}

static void flush(struct tunnel *t, int i)
{
	struct tunnel_way *w = &t->way[i];
	ssize_t n;

	if (!w->rest)
		return;
	n = put(t, i, w->rest + w->start, w->end - w->start);
	if (n < 0) {
		way_cut(t, i);
		return;
	}
	w->start += (size_t)n;
	if (w->start < w->end)
		return;
	free(w->rest);
	w->rest = NULL;
}

/* Fresh bytes. */
static void hand_on(struct tunnel *t, int i, size_t len)
{
	ssize_t skip = i == 0 && t->strip ? t->strip(t, chunk, len) : 0;
	const uint8_t *p;
	ssize_t n;

	if (skip < 0) {
		fail(t);
		return;
	}
	t->bytes += len;
	p = chunk + skip;
	len -= (size_t)skip;
	n = len > 0 ? put(t, i, p, len) : 0;
	if (n < 0)
		way_cut(t, i);
	else if ((size_t)n < len &&
		 keep(&t->way[i], p + n, len - (size_t)n) < 0)
		fail(t);
}

/* Reads what is there while it can be written. */
static void move(struct tunnel *t, int i)
{
	struct tunnel_way *w = &t->way[i];
	int fd = t->end[i].watch.fd;
	ssize_t n;

	flush(t, i);
	for (int turn = 0; turn < TURN && !w->rest && !w->eof; turn++) {
		n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		/* An error is an end: there is no other way to tell. */
		if (n <= 0)
			w->eof = true;
		else
			hand_on(t, i, (size_t)n);
	}
	if (w->eof && !w->rest && !w->over)
		way_finish(t, i);
}

/* ---- both ---- */

/* A peer that has gone is told of again and again, so it is looked at no more
 * while its last bytes wait. */
static void watch_end(struct tunnel *t, int i)
{
	struct watch *w = &t->end[i].watch;
	uint32_t events = 0;

	if (t->end[i].gone && t->way[i].rest) {
		loop_del(t->loop, w);
		return;
	}
	if (!t->way[i].eof && !t->way[i].rest)
		events |= EPOLLIN;
	if (t->way[!i].rest)
		events |= EPOLLOUT;
	if (w->added)
		loop_mod(t->loop, w, events);
	else if (loop_add(t->loop, w, events, NULL) < 0)
		fail(t);
}

static bool is_over(const struct tunnel *t)
{
	return t->way[0].over && t->way[1].over;
}

static void end_ready(struct watch *w, uint32_t events)
{
	struct tunnel_end *end = container_of(w, struct tunnel_end, watch);
	struct tunnel *t = end->tunnel;
	int i = end == &t->end[1];

	if (events & (EPOLLHUP | EPOLLERR)) {
		end->gone = true;
		way_cut(t, !i);
	}
	if (events & EPOLLOUT)
		move(t, !i);
	move(t, i);
	if (!is_over(t))
		watch_end(t, i);
	if (!is_over(t))
		watch_end(t, !i);
	if (is_over(t))
		t->over(t);
}

static void end_init(struct tunnel *t, int i, int fd)
{
	t->end[i] = (struct tunnel_end){
		.watch = { .fd = fd, .name = "tunnel", .ready = end_ready },
		.tunnel = t,
	};
}

void tunnel_init(struct tunnel *t, struct loop *l, int fd)
{
	*t = (struct tunnel){ .loop = l };
	end_init(t, 0, fd);
	end_init(t, 1, -1);
}

int tunnel_early(struct tunnel *t, const void *bytes, size_t len)
{
	return len > 0 ? keep(&t->way[0], bytes, len) : 0;
}

int tunnel_tie(struct tunnel *t, int fd, struct err *e)
{
	t->end[1].watch.fd = fd;
	for (int i = 0; i < 2; i++) {
		uint32_t events = t->way[i].rest ? 0 : EPOLLIN;

		if (t->way[!i].rest)
			events |= EPOLLOUT;
		if (loop_add(t->loop, &t->end[i].watch, events, e) < 0)
			return -e->code;
	}
	return 0;
}

/* ---- calling ---- */

/* 1: it is busy. */
static int try(struct tunnel *t, struct err *e)
{
	autoclose int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (fd < 0)
		return err_sys(e, "socket");
	memcpy(to.sun_path, t->path, sizeof(t->path));
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		return tunnel_tie(t, take_fd(&fd), e);
	if (errno == EAGAIN)
		return 1;
	return err_sys(e, "connect to %s", t->path);
}

static void try_again(struct timer *timer)
{
	struct tunnel *t = container_of(timer, struct tunnel, retry);
	struct err e;
	int r = try(t, &e);

	if (r == 1 && ++t->tries < RETRIES)
		timer_set(timer, RETRY_MS);
	else if (r != 0)
		t->over(t);
	else
		timer_fini(timer, t->loop);
}

int tunnel_dial(struct tunnel *t, const char *path, struct err *e)
{
	size_t len = strlen(path);
	int r;

	if (len > TUNNEL_PATH_MAX)
		return err_set(e, ENAMETOOLONG, "%.32s...: more than %d bytes",
			       path, TUNNEL_PATH_MAX);
	memcpy(t->path, path, len + 1);
	r = try(t, e);
	if (r != 1)
		return r;
	r = timer_init(&t->retry, t->loop, "tunnel", try_again, e);
	if (r == 0)
		timer_set(&t->retry, RETRY_MS);
	return r;
}

void tunnel_fini(struct tunnel *t)
{
	if (!t->loop)
		return;
	timer_fini(&t->retry, t->loop);
	for (int i = 0; i < 2; i++) {
		loop_del(t->loop, &t->end[i].watch);
		if (t->end[i].watch.fd >= 0)
			close(t->end[i].watch.fd);
		t->end[i].watch.fd = -1;
		free(t->way[i].rest);
	}
	t->loop = NULL;
}
