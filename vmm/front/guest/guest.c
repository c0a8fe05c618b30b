/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/guest.h"

#include "base/auto.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static void guest_lost(struct guest *g, int code, const char *what)
{
	struct err e;

	if (!g->open)
		return;
	guest_close(g);
	err_set(&e, code, "%s", what);
	g->lost(g, &e);
}

static void guest_flush(struct guest *g)
{
	int r = g->open ? chan_flush(&g->chan) : 1;

	if (r < 0)
		guest_lost(g, -r, "the agent has closed the connection");
	else if (g->open)
		loop_mod(g->loop, &g->watch, r ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

/* What a request is called follows from its kind: each has its own, and the
 * members of the union are all pointers to one. */
static void wrap(Vial__Agent__Request *req, ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = &vial__agent__request__descriptor;
	unsigned i = 0;

	while (i < d->n_fields && d->fields[i].descriptor != m->descriptor)
		i++;
	assert(i < d->n_fields);
	vial__agent__request__init(req);
	req->op_case = (Vial__Agent__Request__OpCase)d->fields[i].id;
	req->hello = (void *)m;
}

int guest_send(struct guest *g, ProtobufCMessage *m)
{
	Vial__Agent__Request req;
	int r;

	if (!g->open)
		return -EPIPE;
	wrap(&req, m);
	r = chan_put(&g->chan, &req.base);
	if (r == 0)
		guest_flush(g);
	return r;
}

/* Hello must come first and only once. */
static bool in_order(struct guest *g, const Vial__Agent__Event *ev)
{
	bool hello = ev->ev_case == VIAL__AGENT__EVENT__EV_HELLO;

	if (hello == g->greeted)
		return false;
	if (hello)
		g->greeted = ev->hello->generation >= 1;
	return !hello || g->greeted;
}

static void guest_events(struct guest *g)
{
	ProtobufCMessage *m;
	int r = 0;

	while (g->open &&
	       (m = chan_next(&g->chan, &vial__agent__event__descriptor, &r))) {
		const Vial__Agent__Event *ev = (const void *)m;

		if (in_order(g, ev))
			g->heard(g, ev);
		else
			guest_lost(g, EPROTO, "the agent speaks out of turn");
		protobuf_c_message_free_unpacked(m, NULL);
	}
	if (g->open && r < 0)
		guest_lost(g, -r, "the agent has sent nonsense");
}

static void guest_ready(struct watch *w, uint32_t events)
{
	struct guest *g = container_of(w, struct guest, watch);
	int r;

	if (events & EPOLLOUT)
		guest_flush(g);
	if (!g->open || !(events & ~(uint32_t)EPOLLOUT))
		return;
	r = chan_fill(&g->chan);
	if (r > 0 && !g->dial.done) {
		int took = dial_answer(&g->dial, buf_head(&g->chan.in),
				       buf_len(&g->chan.in));

		if (took < 0) {
			guest_lost(g, EPROTO, "the box has answered nonsense");
			return;
		}
		buf_take(&g->chan.in, (size_t)took);
	}
	if (r > 0)
		guest_events(g);
	else if (r < 0)
		guest_lost(g, -r, "the agent has closed the connection");
}

int guest_open(struct guest *g, struct loop *l, int boxdir, struct err *e)
{
	Vial__Agent__Hello hello = VIAL__AGENT__HELLO__INIT;
	int fd = dial_agent(boxdir, e);

	if (fd < 0)
		return fd;
	g->loop = l;
	g->dial = (struct dial){ 0 };
	g->greeted = false;
	g->watch = (struct watch){ .fd = fd,
				   .name = "agent",
				   .ready = guest_ready };
	if (loop_add(l, &g->watch, EPOLLIN, e) < 0) {
		close(fd);
		return -e->code;
	}
	chan_init(&g->chan, fd);
	g->open = true;
	hello.generation = GUEST_GENERATION;
	hello.version = guest_text(VIAL_VERSION);
	guest_send(g, &hello.base);
	return 0;
}

void guest_close(struct guest *g)
{
	if (!g->open)
		return;
	g->open = false;
	loop_del(g->loop, &g->watch);
	close(g->watch.fd);
	chan_fini(&g->chan);
}

static int exec_rlimits(Vial__Agent__Exec *m, const struct spec *s,
			Vial__Agent__Rlimit **all, struct err *e)
{
	Vial__Agent__Rlimit *r;

	if (s->nrlimits == 0)
		return 0;
	/* The messages and the pointers to them in one piece. */
	*all = calloc(s->nrlimits, sizeof(*r) + sizeof(void *));
	if (!*all)
		return err_set(e, ENOMEM, "out of memory");
	r = *all;
	m->rlimits = (Vial__Agent__Rlimit **)(void *)(r + s->nrlimits);
	m->n_rlimits = s->nrlimits;
	for (size_t i = 0; i < s->nrlimits; i++) {
		vial__agent__rlimit__init(&r[i]);
		r[i].resource = s->rlimits[i].resource;
		r[i].soft = s->rlimits[i].soft;
		r[i].hard = s->rlimits[i].hard;
		m->rlimits[i] = &r[i];
	}
	return 0;
}

int guest_exec(struct guest *g, uint64_t key, const struct spec *s,
	       const struct guest_exec *x, struct err *e)
{
	Vial__Agent__Exec m = VIAL__AGENT__EXEC__INIT;
	Vial__Agent__Size sz = VIAL__AGENT__SIZE__INIT;
	autofree Vial__Agent__Rlimit *rlimits = NULL;
	int r;

	m.key = key;
	m.argv = s->argv.v;
	m.n_argv = s->argv.n;
	m.env = s->env.v;
	m.n_env = s->env.n;
	m.cwd = guest_text(s->cwd);
	m.user = guest_text(s->user);
	m.groups = s->groups.v;
	m.n_groups = s->groups.n;
	if (exec_rlimits(&m, s, &rlimits, e) < 0)
		return -e->code;
	m.tty = s->tty;
	if (x->size) {
		sz.rows = x->size->ws_row;
		sz.cols = x->size->ws_col;
		m.size = &sz;
	}
	m.stdin = s->interactive && !x->no_in;
	m.stdout = !x->no_out;
	m.stderr = !s->tty && !x->no_out;
	m.timeout_ms = s->timeout_ms;
	m.grace_ms = s->grace_ms;
	m.kill_rest = !x->rest;
	m.detach = x->detach;
	m.make_cwd = true;
	m.report = s->timeout_ms > 0;
	m.default_caps = true;
	m.cap_add = s->cap_add.v;
	m.n_cap_add = s->cap_add.n;
	m.cap_drop = s->cap_drop.v;
	m.n_cap_drop = s->cap_drop.n;
	m.privileged = s->privileged;
	m.no_new_privs = s->no_new_privs;
	r = guest_send(g, &m.base);
	if (r == -EMSGSIZE || r == -ENOBUFS)
		return err_set(e, E2BIG,
			       "the command, its arguments and its "
			       "environment are too long together (1 MiB)");
	return r < 0 ? err_set(e, -r, "command: %s", strerror(-r)) : 0;
}

void guest_signal(struct guest *g, uint64_t key, int signo, bool group)
{
	Vial__Agent__Signal m = VIAL__AGENT__SIGNAL__INIT;

	m.key = key;
	m.signal = (uint32_t)signo;
	m.group = group;
	guest_send(g, &m.base);
}

void guest_resize(struct guest *g, uint64_t key, const struct winsize *size)
{
	Vial__Agent__Resize m = VIAL__AGENT__RESIZE__INIT;
	Vial__Agent__Size sz = VIAL__AGENT__SIZE__INIT;

	sz.rows = size->ws_row;
	sz.cols = size->ws_col;
	m.key = key;
	m.size = &sz;
	guest_send(g, &m.base);
}

void guest_stats(struct guest *g)
{
	Vial__Agent__Stats m = VIAL__AGENT__STATS__INIT;

	guest_send(g, &m.base);
}

void guest_processes(struct guest *g)
{
	Vial__Agent__Processes m = VIAL__AGENT__PROCESSES__INIT;

	guest_send(g, &m.base);
}

void guest_stat(struct guest *g, uint64_t key, const char *path)
{
	Vial__Agent__Stat m = VIAL__AGENT__STAT__INIT;

	m.key = key;
	m.path = guest_text(path);
	guest_send(g, &m.base);
}

void guest_hang_up(struct guest *g, uint64_t call)
{
	Vial__Agent__HangUp m = VIAL__AGENT__HANG_UP__INIT;

	m.call = call;
	guest_send(g, &m.base);
}

int guest_listen(struct guest *g, uint64_t key, const char *path)
{
	Vial__Agent__Listen m = VIAL__AGENT__LISTEN__INIT;

	m.key = key;
	m.path = guest_text(path);
	return guest_send(g, &m.base);
}

void guest_shutdown(struct guest *g)
{
	Vial__Agent__Shutdown m = VIAL__AGENT__SHUTDOWN__INIT;

	guest_send(g, &m.base);
}

char *guest_text(const char *s)
{
	return (char *)(uintptr_t)(s ? s : "");
}

uint64_t guest_key(void)
{
	uint64_t key = 0;

	while (key == 0)
		if (getrandom(&key, sizeof(key), 0) != sizeof(key))
			abort();
	return key;
}
