/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stdio.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* Rounds for one relay before the loop looks at the others. */
#define ROUNDS 4

/* Shared by all relays: what does not fit into the destination moves to the
 * relay's own memory before the next one runs. */
static uint8_t scratch[RELAY_CHUNK];

enum flow { FLOW_MORE, FLOW_WAIT_SRC, FLOW_WAIT_DST, FLOW_END };

static void relay_ready(struct watch *w, uint32_t events);

void relay_init(struct relay *r, struct loop *l, const char *name, int job_fd,
		bool to_job)
{
	*r = (struct relay){
		.loop = l,
		.src = { .fd = to_job ? -1 : job_fd, .name = name },
		.dst = { .fd = to_job ? job_fd : -1, .name = name },
		.ended = r->ended,
		.to_job = to_job,
		.open = true,
	};
	r->src.ready = r->dst.ready = relay_ready;
}

void relay_close(struct relay *r)
{
	struct watch *side[] = { &r->src, &r->dst };

	if (!r->open)
		return;
	r->open = false;
	for (size_t i = 0; i < ARRAY_LEN(side); i++) {
		loop_del(r->loop, side[i]);
		if (side[i]->fd >= 0)
			close(side[i]->fd);
		side[i]->fd = -1;
	}
	free(r->rest);
	r->rest = NULL;
	r->rest_len = 0;
}

static int relay_keep(struct relay *r, const void *p, size_t len)
{
	if (len == 0)
		return 0;
	r->rest = malloc(len);
	if (!r->rest)
		return -ENOMEM;
	memcpy(r->rest, p, len);
	r->rest_start = 0;
	r->rest_len = len;
	return 0;
}

/* How much of it went out; *flow says what hindered the rest. */
static size_t relay_write(struct relay *r, const uint8_t *p, size_t len,
			  enum flow *flow)
{
	size_t done = 0;

	*flow = FLOW_MORE;
	while (done < len) {
		ssize_t n = write(r->dst.fd, p + done, len - done);

		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		*flow = n == 0 || errno == EAGAIN ? FLOW_WAIT_DST : FLOW_END;
		break;
	}
	return done;
}

static enum flow relay_drain(struct relay *r)
{
	enum flow flow;
	size_t n = relay_write(r, r->rest + r->rest_start, r->rest_len, &flow);

	r->rest_start += n;
	r->rest_len -= n;
	if (r->rest_len == 0) {
		free(r->rest);
		r->rest = NULL;
	}
	return flow;
}

/* The end of stdin on a terminal is a character, as if it were typed; in raw
 * mode there is no such thing and nothing is sent. */
static void relay_type_eof(struct relay *r)
{
	struct termios t;

	if (tcgetattr(r->dst.fd, &t) < 0 || !(t.c_lflag & ICANON))
		return;
	relay_keep(r, &t.c_cc[VEOF], 1);
}

static enum flow relay_read(struct relay *r)
{
	enum flow flow;
	size_t done;
	ssize_t n;

	do
		n = read(r->src.fd, scratch, sizeof(scratch));
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return FLOW_WAIT_SRC;
	if (n <= 0) {
		/* A terminal whose last process has gone says EIO. */
		r->src_eof = true;
		if (r->to_job && r->tty)
			relay_type_eof(r);
		return r->rest ? FLOW_MORE : FLOW_END;
	}
	done = relay_write(r, scratch, (size_t)n, &flow);
	/* A short read has emptied the source: asking again would only say
	 * so. */
	if (flow == FLOW_MORE && (size_t)n < sizeof(scratch))
		return FLOW_WAIT_SRC;
	if (flow == FLOW_WAIT_DST &&
	    relay_keep(r, scratch + done, (size_t)n - done) < 0)
		return FLOW_END;
	return flow;
}

static void relay_end(struct relay *r)
{
	/* Everything written is on its way before this end of file is. */
	if (r->to_job)
		shutdown(r->src.fd, SHUT_RD);
	else
		shutdown(r->dst.fd, SHUT_WR);
	relay_close(r);
	r->ended(r);
}

/* Exactly one side is in the loop, because the other would report its hang-up
 * again and again while nothing can be done about it. */
static int relay_wait(struct relay *r, enum flow flow, struct err *e)
{
	bool dst = flow == FLOW_WAIT_DST;
	struct watch *on = dst ? &r->dst : &r->src;

	loop_del(r->loop, dst ? &r->src : &r->dst);
	if (on->added)
		return 0;
	return loop_add(r->loop, on, dst ? EPOLLOUT : EPOLLIN, e);
}

static int relay_pump(struct relay *r, struct err *e)
{
	enum flow flow = FLOW_MORE;

	for (int i = 0; i < ROUNDS && flow == FLOW_MORE; i++) {
		if (r->rest_len > 0)
			flow = relay_drain(r);
		if (flow == FLOW_MORE)
			flow = r->src_eof ? FLOW_END : relay_read(r);
	}
	if (flow == FLOW_END) {
		relay_end(r);
		return 0;
	}
	/* FLOW_MORE: out of rounds, or one byte of end of file is left. */
	if (flow == FLOW_MORE && r->rest_len > 0)
		flow = FLOW_WAIT_DST;
	return relay_wait(r, flow, e);
}

static void relay_ready(struct watch *w, uint32_t events)
{
	/* Both watches lead here; the flag of the loop says which it was. */
	struct relay *r = w->events & EPOLLOUT
				? container_of(w, struct relay, dst)
				: container_of(w, struct relay, src);
	struct err e;

	(void)events;
	if (relay_pump(r, &e) < 0)
		relay_end(r);
}

int relay_attach(struct relay *r, int host_fd, const void *early, size_t len,
		 struct err *e)
{
	struct watch *host = r->to_job ? &r->src : &r->dst;
	int ret;

	host->fd = host_fd;
	r->attached = true;
	ret = r->to_job ? relay_keep(r, early, len) : 0;
	if (ret == 0)
		ret = relay_pump(r, e);
	if (ret < 0)
		relay_end(r);
	return ret;
}

void relay_poke(struct relay *r)
{
	struct err e;

	if (r->open && r->attached && relay_pump(r, &e) < 0)
		relay_end(r);
}

bool relay_idle(const struct relay *r)
{
	return r->rest_len == 0;
}
