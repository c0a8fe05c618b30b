/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/caller.h"

#include "base/auto.h"
#include "base/fd.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* Deadlines are all equally far away: the one that is armed comes first. */
static void callers_arm(struct callers *cs)
{
	if (cs->armed)
		return;
	cs->armed = true;
	timer_set(&cs->timer, CALLER_WAIT_MS);
}

static void callers_rearm(struct callers *cs, uint64_t now)
{
	uint64_t first = UINT64_MAX;

	for (const struct caller *c = cs->list; c; c = c->next)
		if (c->kind != CALLER_CONTROL && c->deadline_ms < first)
			first = c->deadline_ms;
	cs->armed = first != UINT64_MAX;
	if (cs->armed)
		timer_set(&cs->timer, first - now);
}

static void callers_expire(struct timer *t)
{
	struct callers *cs = container_of(t, struct callers, timer);
	uint64_t now = now_us() / 1000;
	struct caller *next;

	for (struct caller *c = cs->list; c; c = next) {
		next = c->next;
		if (c->kind != CALLER_CONTROL && c->deadline_ms <= now)
			caller_free(cs, c);
	}
	callers_rearm(cs, now);
}

int callers_init(struct callers *cs, struct loop *l,
		 void (*ready)(struct watch *w, uint32_t events), struct err *e)
{
	*cs = (struct callers){ .loop = l, .ready = ready };
	return timer_init(&cs->timer, l, "unpaired", callers_expire, e);
}

void callers_fini(struct callers *cs)
{
	while (cs->list)
		caller_free(cs, cs->list);
	timer_fini(&cs->timer, cs->loop);
}

struct caller *caller_new(struct callers *cs, int fd)
{
	struct caller *c = cs->count < CALLER_MAX ? calloc(1, sizeof(*c))
						  : NULL;
	struct err e;

	if (!c) {
		close(fd);
		return NULL;
	}
	c->callers = cs;
	chan_init(&c->chan, fd);
	c->watch = (struct watch){ .fd = fd,
				   .name = "connection",
				   .ready = cs->ready };
	c->deadline_ms = now_us() / 1000 + CALLER_WAIT_MS;
	if (loop_add(cs->loop, &c->watch, EPOLLIN, &e) < 0) {
		close(fd);
		free(c);
		return NULL;
	}
	callers_arm(cs);
	c->next = cs->list;
	cs->list = c;
	cs->count++;
	return c;
}

void caller_free(struct callers *cs, struct caller *c)
{
	for (struct caller **p = &cs->list; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		cs->count--;
		break;
	}
	loop_del(cs->loop, &c->watch);
	if (c->watch.fd >= 0)
		close(c->watch.fd);
	chan_fini(&c->chan);
	free(c);
}

void caller_control(struct caller *c)
{
	c->kind = CALLER_CONTROL;
}

void caller_park(struct callers *cs, struct caller *c, uint64_t key,
		 unsigned which)
{
	c->kind = CALLER_STREAM;
	c->key = key;
	c->which = which;
	c->deadline_ms = now_us() / 1000 + CALLER_WAIT_MS;
	/* Its bytes are for the job. Only a hang-up wakes it, and input not even
	 * that: what was sent before is still to be read. */
	if (which == CALLER_STDIN || which == CALLER_TAR)
		loop_del(cs->loop, &c->watch);
	else
		loop_mod(cs->loop, &c->watch, 0);
	callers_arm(cs);
}

struct caller *caller_find(const struct callers *cs, uint64_t key,
			   unsigned which)
{
	for (struct caller *c = cs->list; c; c = c->next)
		if (c->kind == CALLER_STREAM && c->key == key &&
		    c->which == which)
			return c;
	return NULL;
}

void callers_drop_key(struct callers *cs, uint64_t key)
{
	struct caller *next;

	for (struct caller *c = cs->list; c; c = next) {
		next = c->next;
		if (c->kind == CALLER_STREAM && c->key == key)
			caller_free(cs, c);
	}
}

int caller_take_fd(struct callers *cs, struct caller *c)
{
	loop_del(cs->loop, &c->watch);
	return take_fd(&c->watch.fd);
}

void caller_flush(struct callers *cs, struct caller *c)
{
	int r = chan_flush(&c->chan);

	if (r < 0)
		shutdown(c->watch.fd, SHUT_RDWR);
	/* While Events wait, no more Requests are taken: a peer that does not
	 * read cannot make the agent remember more. */
	loop_mod(cs->loop, &c->watch, r == 0 ? EPOLLOUT : EPOLLIN);
}

void caller_send(struct callers *cs, struct caller *c,
		 const ProtobufCMessage *ev)
{
	if (chan_put(&c->chan, ev) < 0) {
		shutdown(c->watch.fd, SHUT_RDWR);
		loop_mod(cs->loop, &c->watch, EPOLLIN);
		return;
	}
	caller_flush(cs, c);
}
