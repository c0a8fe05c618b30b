/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/relay.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Fills and empties of the buffer before others get their turn. */
#define TURNS 8

/* A pipe that polls writable takes this much without blocking. */
#define PATIENT_MAX PIPE_BUF

static ssize_t end_read(struct relay_end *x, void *buf, size_t len)
{
	ssize_t n;

	if (x->how == RELAY_PATIENT && !x->ready)
		return -EAGAIN;
	x->ready = false;
	do
		n = x->how == RELAY_SOCKET
			  ? recv(x->watch.fd, buf, len, MSG_DONTWAIT)
			  : read(x->watch.fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t end_write(struct relay_end *x, const void *buf, size_t len)
{
	ssize_t n;

	if (x->how == RELAY_PATIENT && !x->ready)
		return -EAGAIN;
	if (x->how == RELAY_PATIENT && len > PATIENT_MAX)
		len = PATIENT_MAX;
	x->ready = false;
	do
		n = x->how == RELAY_SOCKET ? send(x->watch.fd, buf, len,
						  MSG_DONTWAIT | MSG_NOSIGNAL)
					   : write(x->watch.fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Asleep means out of the loop: a hang-up would be told without end. */
static void end_wait(struct relay *r, struct relay_end *x, uint32_t events)
{
	struct err ignored;

	if (x->how == RELAY_ALWAYS || (events != 0) == x->watch.added)
		return;
	if (events == 0)
		loop_del(r->loop, &x->watch);
	else if (loop_add(r->loop, &x->watch, events, &ignored) < 0)
		x->how = RELAY_ALWAYS;
}

/* Every taker, the first one included, for whom bytes are left. */
static bool full(const struct relay *r)
{
	if (r->dst.on && r->dst.left)
		return true;
	for (int i = 0; i < RELAY_SINKS; i++)
		if (r->sink[i] && r->sink[i]->left)
			return true;
	return false;
}

static void relay_wait(struct relay *r, bool src)
{
	bool only = src && r->src.how == RELAY_ALWAYS;

	end_wait(r, &r->src, src ? EPOLLIN : 0);
	/* A file cannot be waited for; its turn comes with the other end. */
	if (r->dst.on)
		end_wait(r, &r->dst.end, only || r->dst.left ? EPOLLOUT : 0);
	for (int i = 0; i < RELAY_SINKS; i++)
		if (r->sink[i])
			end_wait(r, &r->sink[i]->end,
				 r->sink[i]->left ? EPOLLOUT : 0);
}

static void relay_end(struct relay *r, enum relay_state state, int error)
{
	r->state = state;
	r->error = error;
	end_wait(r, &r->src, 0);
	if (r->dst.on)
		end_wait(r, &r->dst.end, 0);
	for (int i = 0; i < RELAY_SINKS; i++)
		if (r->sink[i])
			end_wait(r, &r->sink[i]->end, 0);
	free(take_ptr(&r->buf));
	if (r->ended)
		r->ended(r);
}

/* Fresh bytes, from the offset to the end. */
static void relay_pour(struct relay *r, size_t from, size_t end)
{
	r->end = end;
	r->bytes += end - from;
	r->dst.left = end - from;
	for (int i = 0; i < RELAY_SINKS; i++)
		if (r->sink[i])
			r->sink[i]->left = end - from;
	if (r->tap)
		r->tap(r, r->buf + from, end - from);
}

/* Returns false when the buffer stays empty for now or for ever. */
static bool relay_fill(struct relay *r)
{
	ssize_t n = end_read(&r->src, r->buf,
			     r->filter ? RELAY_FILTERED : RELAY_BUF);
	int took = 0;

	if (n == -EAGAIN) {
		relay_wait(r, true);
		return false;
	}
	if (n > 0 && r->from_agent)
		took = dial_answer(&r->dial, r->buf, (size_t)n);
	if (n < 0 || took < 0) {
		relay_end(r, RELAY_SRC_FAILED, n < 0 ? (int)-n : -took);
		return false;
	}
	/* A stream the guest never took has ended without a beginning. */
	if (n == 0 && r->from_agent && !r->dial.done) {
		relay_end(r, RELAY_SRC_FAILED, ECONNREFUSED);
		return false;
	}
	if (n == 0) {
		relay_end(r, RELAY_EOF, 0);
		return false;
	}
	if (r->filter)
		n = (ssize_t)r->filter(r, r->buf, (size_t)n);
	if (n > took)
		relay_pour(r, (size_t)took, (size_t)n);
	return true;
}

/* -EAGAIN, 0 or why not. */
static int sink_drain(struct relay *r, struct relay_sink *s)
{
	while (s->left > 0) {
		ssize_t n =
			end_write(&s->end, r->buf + r->end - s->left, s->left);

		if (n < 0)
			return (int)n;
		s->left -= (size_t)n;
	}
	return 0;
}

/* False when somebody has not taken everything yet, or the relay has ended. */
static bool relay_drain(struct relay *r)
{
	int n = r->dst.on ? sink_drain(r, &r->dst) : 0;

	if (n < 0 && n != -EAGAIN) {
		relay_end(r, RELAY_DST_FAILED, -n);
		return false;
	}
	for (int i = 0; i < RELAY_SINKS; i++) {
		struct relay_sink *s = r->sink[i];

		if (!s || !s->left)
			continue;
		n = sink_drain(r, s);
		if (n < 0 && n != -EAGAIN) {
			relay_drop(s);
			s->gone(s);
		}
	}
	if (!full(r))
		return true;
	relay_wait(r, false);
	return false;
}

/* EAGAIN says that one of the ends cannot go on, not which. */
static void splice_wait(struct relay *r)
{
	struct pollfd p = { .fd = r->dst.end.watch.fd, .events = POLLOUT };
	bool room = poll(&p, 1, 0) != 0;

	end_wait(r, &r->src, room ? EPOLLIN : 0);
	end_wait(r, &r->dst.end, room ? 0 : EPOLLOUT);
}

/* Returns false when nothing more can be moved for now or for ever. */
static bool relay_splice(struct relay *r)
{
	ssize_t n = splice(r->src.watch.fd, NULL, r->dst.end.watch.fd, NULL,
			   RELAY_BUF, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

	if (n > 0) {
		r->bytes += (uint64_t)n;
		return true;
	}
	if (n == 0)
		relay_end(r, RELAY_EOF, 0);
	else if (errno == EAGAIN || errno == EINTR)
		splice_wait(r);
	else if (errno == EINVAL)
		r->splice = false; /* not with these two after all */
	else
		relay_end(r,
			  errno == EPIPE ? RELAY_DST_FAILED : RELAY_SRC_FAILED,
			  errno);
	return false;
}

static bool may_splice(const struct relay *r)
{
	if (!r->splice || !r->dial.done || r->tap || full(r))
		return false;
	for (int i = 0; i < RELAY_SINKS; i++)
		if (r->sink[i])
			return false;
	return true;
}

static void relay_run(struct relay *r)
{
	for (int i = 0; i < TURNS; i++) {
		bool whole;

		if (may_splice(r)) {
			if (relay_splice(r))
				continue;
			if (r->splice)
				return;
		}
		if (!full(r) && !relay_fill(r))
			return;
		whole = r->end == RELAY_BUF;
		if (!relay_drain(r))
			return;
		/* A short read has emptied a socket or a pipe: asking again
		 * would only say so. */
		if (!whole && r->src.how != RELAY_ALWAYS)
			break;
	}
	relay_wait(r, true);
}

static void src_ready(struct watch *w, uint32_t events)
{
	struct relay *r = container_of(w, struct relay, src.watch);

	(void)events;
	r->src.ready = true;
	relay_run(r);
}

static void dst_ready(struct watch *w, uint32_t events)
{
	struct relay_sink *s = container_of(w, struct relay_sink, end.watch);

	(void)events;
	s->end.ready = true;
	relay_run(s->relay);
}

/* A descriptor of our own on the same pipe or terminal. */
static int reopen(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

static void end_init(struct relay_end *x, int fd, bool writes,
		     void (*ready)(struct watch *, uint32_t))
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st = { 0 };

	x->watch = (struct watch){ .fd = fd,
				   .ready = ready,
				   .name = writes ? "relay out" : "relay in" };
	x->how = RELAY_PATIENT;
	if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
		x->how = RELAY_SOCKET;
	else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		x->how = RELAY_ALWAYS;
	else if (flags >= 0 && (flags & O_NONBLOCK))
		x->how = RELAY_NONBLOCK;
	else if (writes && (S_ISFIFO(st.st_mode) || isatty(fd)) &&
		 (fd = reopen(fd)) >= 0) {
		x->watch.fd = fd;
		x->own = true;
		x->how = RELAY_NONBLOCK;
	}
}

bool relay_starves(const struct relay *r)
{
	return r->state == RELAY_RUNNING && (r->src.watch.events & EPOLLIN);
}

int relay_start(struct relay *r, struct loop *l, int src, int dst,
		bool from_agent, void (*ended)(struct relay *r), struct err *e)
{
	*r = (struct relay){ .loop = l,
			     .ended = ended,
			     .from_agent = from_agent };
	r->buf = malloc(RELAY_BUF);
	if (!r->buf)
		return err_set(e, ENOMEM, "out of memory");
	end_init(&r->src, src, false, src_ready);
	r->dst.relay = r;
	r->dst.on = dst >= 0;
	if (r->dst.on)
		end_init(&r->dst.end, dst, true, dst_ready);
	r->splice = from_agent && r->dst.on && r->src.how == RELAY_SOCKET &&
		    r->dst.end.how == RELAY_NONBLOCK &&
		    is_pipe(r->dst.end.watch.fd);
	r->state = RELAY_RUNNING;
	/* Devices such as /dev/null refuse to be waited for; end_wait() finds
	 * out, so both are asked once. */
	if (r->dst.on)
		end_wait(r, &r->dst.end, EPOLLOUT);
	end_wait(r, &r->src, EPOLLIN);
	relay_wait(r, true);
	return 0;
}

int relay_add(struct relay *r, struct relay_sink *s, int fd)
{
	if (r->state != RELAY_RUNNING)
		return -EPIPE;
	for (int i = 0; i < RELAY_SINKS; i++) {
		if (r->sink[i])
			continue;
		end_init(&s->end, fd, true, dst_ready);
		s->relay = r;
		s->left = 0;
		end_wait(r, &s->end, EPOLLOUT);
		end_wait(r, &s->end, 0);
		r->sink[i] = s;
		return 0;
	}
	return -ENOSPC;
}

void relay_drop(struct relay_sink *s)
{
	struct relay *r = s->relay;

	if (!r)
		return;
	end_wait(r, &s->end, 0);
	if (s->end.own)
		close(s->end.watch.fd);
	s->relay = NULL;
	s->left = 0;
	for (int i = 0; i < RELAY_SINKS; i++)
		if (r->sink[i] == s)
			r->sink[i] = NULL;
	/* Maybe it was the one everybody waited for. */
	if (r->state == RELAY_RUNNING && !full(r))
		relay_wait(r, true);
}

void relay_leave(struct relay *r)
{
	if (r->state == RELAY_IDLE || !r->dst.on)
		return;
	end_wait(r, &r->dst.end, 0);
	if (r->dst.end.own)
		close(r->dst.end.watch.fd);
	r->dst.on = r->splice = false;
	r->dst.left = 0;
	if (r->state == RELAY_RUNNING && !full(r))
		relay_wait(r, true);
}

void relay_fini(struct relay *r)
{
	if (r->state == RELAY_IDLE)
		return;
	for (int i = 0; i < RELAY_SINKS; i++)
		if (r->sink[i])
			relay_drop(r->sink[i]);
	end_wait(r, &r->src, 0);
	if (r->dst.on)
		end_wait(r, &r->dst.end, 0);
	if (r->src.own)
		close(r->src.watch.fd);
	if (r->dst.on && r->dst.end.own)
		close(r->dst.end.watch.fd);
	free(r->buf);
	*r = (struct relay){ .state = RELAY_IDLE };
}
