/* SPDX-License-Identifier: Apache-2.0 */
#include "run/sockets.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/tunnel.h"
#include "guest/dial.h"
#include "run/hostsock.h"
#include "spec/forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define ACCEPT_TURN 16

struct sockets_one {
	struct spec_forward s;
	struct sockets *of;
	uint64_t key;
	struct hostsock sock; /* to_guest */
	struct watch watch;
	bool warned;
};

struct sockets_call {
	struct sockets *of;
	struct sockets_call *next;
	struct tunnel tunnel;
	struct dial dial;
};

/* ---- one connection ---- */

static void listen_all(struct sockets *f)
{
	uint32_t events = f->ncalls < SOCKETS_CALLS_MAX ? EPOLLIN : 0;

	for (unsigned i = 0; i < f->n; i++)
		loop_mod(f->loop, &f->v[i].watch, events);
}

static void call_free(struct sockets_call *c)
{
	struct sockets *f = c->of;

	for (struct sockets_call **p = &f->calls; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		f->ncalls--;
		break;
	}
	f->moved += c->tunnel.bytes;
	tunnel_fini(&c->tunnel);
	free(c);
	listen_all(f);
}

static void call_over(struct tunnel *t)
{
	call_free(container_of(t, struct sockets_call, tunnel));
}

/* The bridge's answer comes before the guest's bytes. */
static ssize_t strip_answer(struct tunnel *t, const uint8_t *bytes, size_t len)
{
	struct sockets_call *c = container_of(t, struct sockets_call, tunnel);
	int n = dial_answer(&c->dial, bytes, len);

	if (c->dial.done)
		t->strip = NULL;
	return n;
}

/* Takes agent over, a connection to it. */
static struct sockets_call *call_new(struct sockets *f, int agent)
{
	struct sockets_call *c =
		f->ncalls < SOCKETS_CALLS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		close(agent);
		return NULL;
	}
	c->of = f;
	tunnel_init(&c->tunnel, f->loop, agent);
	c->tunnel.strip = strip_answer;
	c->tunnel.over = call_over;
	c->next = f->calls;
	f->calls = c;
	f->ncalls++;
	listen_all(f);
	return c;
}

static void warn(struct sockets_one *w, const struct err *e)
{
	if (!w->warned && !w->of->quiet)
		log_warn("forward %s: %s", w->s.guest, e->msg);
	w->warned = true;
}

/* ---- the guest calls ---- */

static void call_out(struct sockets_one *w, uint64_t call)
{
	struct sockets *f = w->of;
	struct sockets_call *c = NULL;
	struct err e = { 0 };
	int fd = -1;

	if (f->ncalls < SOCKETS_CALLS_MAX)
		fd = dial_stream(f->boxdir, call,
				 VIAL__AGENT__STREAM__WHICH__SOCKET, &e);
	if (fd >= 0)
		c = call_new(f, fd);
	if (c && tunnel_dial(&c->tunnel, w->s.host, &e) == 0)
		return;
	if (e.code)
		warn(w, &e);
	guest_hang_up(f->guest, call);
	if (c)
		call_free(c);
}

bool sockets_heard(struct sockets *f, const Vial__Agent__Event *ev)
{
	if (ev->ev_case != VIAL__AGENT__EVENT__EV_CALLED)
		return false;
	for (unsigned i = 0; i < f->n; i++)
		if (f->v[i].key == ev->called->key && !f->v[i].s.to_guest) {
			call_out(&f->v[i], ev->called->call);
			break;
		}
	return true;
}

/* ---- the host calls ---- */

static void call_in(struct sockets_one *w, int fd)
{
	struct sockets_call *c = NULL;
	struct err e = { 0 };
	int agent = dial_socket(w->of->boxdir, w->s.guest, &e);

	if (agent >= 0)
		c = call_new(w->of, agent);
	if (!c)
		close(fd);
	else if (tunnel_tie(&c->tunnel, fd, &e) < 0)
		call_free(c);
	if (e.code)
		warn(w, &e);
}

static void host_calls(struct watch *w, uint32_t events)
{
	struct sockets_one *one = container_of(w, struct sockets_one, watch);

	(void)events;
	for (int i = 0; i < ACCEPT_TURN && one->of->ncalls < SOCKETS_CALLS_MAX;
	     i++) {
		int fd = accept4(w->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0)
			break;
		call_in(one, fd);
	}
}

void sockets_ready(struct sockets *f)
{
	struct err e;

	for (unsigned i = 0; i < f->n && f->loop; i++) {
		struct sockets_one *w = &f->v[i];

		if (!w->s.to_guest || w->watch.added)
			continue;
		w->watch = (struct watch){ .fd = w->sock.fd,
					   .name = "forward",
					   .ready = host_calls };
		if (loop_add(f->loop, &w->watch, EPOLLIN, &e) < 0)
			warn(w, &e);
	}
}

/* ---- begin and end ---- */

static int find_agent(struct spec_forward *s, struct err *e)
{
	const char *path = getenv("SSH_AUTH_SOCK");

	if (!path || path[0] != '/' || strlen(path) > SPEC_SOCKET_MAX)
		return err_set(e, ENOENT,
			       "ssh: SSH_AUTH_SOCK names no ssh-agent (start "
			       "one: eval \"$(ssh-agent)\")");
	memcpy(s->host, path, strlen(path) + 1);
	return 0;
}

static int open_one(struct sockets_one *w, struct err *e)
{
	struct stat st;

	if (w->s.ssh && find_agent(&w->s, e) < 0)
		return -e->code;
	if (w->s.to_guest)
		return hostsock_open(&w->sock, w->s.host, e);
	if (stat(w->s.host, &st) < 0)
		return err_sys(e, "%s", w->s.host);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ENOTSOCK, "%s: is no socket", w->s.host);
	return 0;
}

int sockets_open(struct sockets *f, const struct spec *s, struct err *e)
{
	*f = (struct sockets){ .quiet = s->quiet, .open = true };
	if (s->forwards.n == 0)
		return 0;
	f->v = calloc(s->forwards.n, sizeof(*f->v));
	if (!f->v)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < s->forwards.n; i++) {
		struct sockets_one *w = &f->v[f->n++];

		w->of = f;
		w->key = guest_key();
		w->sock = (struct hostsock)HOSTSOCK_INIT;
		if (spec_forward_parse(s->forwards.v[i], &w->s, e) < 0 ||
		    open_one(w, e) < 0)
			return err_wrap(e, "--forward");
	}
	return 0;
}

int sockets_start(struct sockets *f, struct loop *l, struct guest *g,
		  int boxdir, struct err *e)
{
	f->loop = l;
	f->guest = g;
	f->boxdir = boxdir;
	for (unsigned i = 0; i < f->n; i++) {
		const struct sockets_one *w = &f->v[i];
		int r = w->s.to_guest ? 0 : guest_listen(g, w->key, w->s.guest);

		if (r < 0)
			return err_set(e, -r, "--forward: %s", strerror(-r));
	}
	return 0;
}

bool sockets_failed(const struct sockets *f, uint64_t key)
{
	for (unsigned i = 0; i < f->n; i++)
		if (f->v[i].key == key)
			return true;
	return false;
}

void sockets_unlink(const struct sockets *f)
{
	for (unsigned i = 0; f->open && i < f->n; i++)
		hostsock_unlink(&f->v[i].sock);
}

unsigned sockets_calls(const struct sockets *f)
{
	return f->ncalls;
}

uint64_t sockets_moved(const struct sockets *f)
{
	uint64_t sum = f->moved;

	for (const struct sockets_call *c = f->calls; c; c = c->next)
		sum += c->tunnel.bytes;
	return sum;
}

void sockets_hang_up(struct sockets *f)
{
	while (f->calls)
		call_free(f->calls);
	for (unsigned i = 0; i < f->n && f->loop; i++)
		loop_del(f->loop, &f->v[i].watch);
	f->loop = NULL;
}

void sockets_close(struct sockets *f)
{
	for (unsigned i = 0; i < f->n; i++)
		hostsock_close(&f->v[i].sock);
	free(take_ptr(&f->v));
	f->n = 0;
	f->open = false;
}
