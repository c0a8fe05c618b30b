/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/vsock_priv.h"

#include "base/auto.h"

#include <assert.h>
#include <stdio.h>

#define SLOT_MASK (VSOCK_MAX_CONNS - 1u)
static_assert((VSOCK_MAX_CONNS & SLOT_MASK) == 0, "slots are the low bits");

/* ---- the table ---- */

void conns_init(struct vsock *v)
{
	TAILQ_INIT(&v->run);
	TAILQ_INIT(&v->free.head);
	TAILQ_INIT(&v->lines.head);
	TAILQ_INIT(&v->held.head);
}

static void conn_wait(struct conn *c, struct conn_list *l)
{
	if (c->home) {
		TAILQ_REMOVE(&c->home->head, c, wait);
		c->home->n--;
	}
	if (l) {
		TAILQ_INSERT_TAIL(&l->head, c, wait);
		l->n++;
	}
	c->home = l;
}

/* The low bits of a host port are the slot, so a packet finds its connection
 * without a search. The others count its uses: packets for an earlier user of
 * the slot find nobody. All ones is VMADDR_PORT_ANY and left out. */
static uint32_t next_port(uint32_t port)
{
	uint32_t next = port + VSOCK_MAX_CONNS;

	if (next < VSOCK_MAX_CONNS || (next | SLOT_MASK) == UINT32_MAX)
		next = VSOCK_MAX_CONNS | (port & SLOT_MASK);
	return next;
}

struct conn *conn_new(struct vsock *v, int fd)
{
	struct conn *c = TAILQ_FIRST(&v->free.head);
	uint32_t port;

	if (c) {
		conn_wait(c, NULL);
		port = c->host_port;
	} else if (v->top < VSOCK_MAX_CONNS) {
		port = v->top;
		c = &v->conns[v->top++];
	} else {
		return NULL;
	}
	*c = (struct conn){
		.v = v,
		.state = CONN_LINE,
		.host_port = next_port(port),
		.client = { .fd = fd,
			    .name = "vsock client",
			    .ready = client_ready },
	};
	buf_init(&c->out, VSOCK_BUF_ALLOC);
	conn_wait(c, &v->lines);
	return c;
}

struct conn *conn_find(struct vsock *v, uint32_t host_port, uint32_t guest_port)
{
	struct conn *c = &v->conns[host_port & SLOT_MASK];

	if (c->state < CONN_ASKED || c->host_port != host_port ||
	    c->guest_port != guest_port || (c->owe & OWE_REQUEST))
		return NULL;
	return c;
}

/* ---- what waits for RX buffers ---- */

void conn_run(struct conn *c)
{
	if (!c->running)
		TAILQ_INSERT_TAIL(&c->v->run, c, run);
	c->running = true;
}

void conn_unrun(struct conn *c)
{
	if (c->running)
		TAILQ_REMOVE(&c->v->run, c, run);
	c->running = false;
}

void conn_owe(struct conn *c, unsigned what)
{
	c->owe |= what;
	conn_run(c);
}

/* ---- credit (virtio 1.2, 5.10.6.3) ---- */

/* All three counters wrap, and the guest may say anything: a guest that claims
 * to have read what was never sent, or shrinks its buffer, has no room. */
uint32_t conn_credit(const struct conn *c)
{
	uint32_t used = c->sent - c->peer_fwd;

	return used < c->peer_alloc ? c->peer_alloc - used : 0;
}

void conn_credit_set(struct conn *c, uint32_t buf_alloc, uint32_t fwd_cnt)
{
	c->peer_alloc = buf_alloc;
	c->peer_fwd = fwd_cnt;
	if (conn_may_read(c) && conn_credit(c) > 0)
		conn_run(c);
}

bool conn_may_read(const struct conn *c)
{
	return c->state == CONN_OPEN && c->readable && !c->eof &&
	       !(c->shut_in & VSOCK_SHUT_RCV);
}

/* Half of the buffer is told at once: the guest never runs dry, and one update
 * goes with many packets. */
void conn_forwarded(struct conn *c, size_t len)
{
	c->forwarded += (uint32_t)len;
	if (c->state == CONN_OPEN && !(c->shut_in & VSOCK_SHUT_SEND) &&
	    c->forwarded - c->told >= VSOCK_BUF_ALLOC / 2)
		conn_owe(c, OWE_CREDIT);
}

/* ---- actions: they flag what is owed and never touch the queues ---- */

static void act_line(struct conn *c, uint32_t arg)
{
	struct vsock *v = c->v;

	c->guest_port = arg;
	conn_wait(c, &v->held);
	if (v->agent_ready) {
		conn_event(c, EV_READY, 0);
	} else if (v->held.n > VSOCK_MAX_HELD) {
		log_limited(&v->virtio.limit,
			    "vsock: more than %d clients are held",
			    VSOCK_MAX_HELD);
		conn_event(c, EV_HUP, 0);
	}
}

static void act_ask(struct conn *c, uint32_t arg)
{
	(void)arg;
	conn_wait(c, NULL);
	conn_owe(c, OWE_REQUEST);
}

/* The counters start so that they stand at 0 when this line has gone out: it is
 * in the client's way like the guest's bytes, but not one of them. */
static void act_open(struct conn *c, uint32_t arg)
{
	char ok[24];
	int len = snprintf(ok, sizeof(ok), "OK %u\n", c->host_port);
	struct iovec iov = { .iov_base = ok, .iov_len = (size_t)len };

	(void)arg;
	c->forwarded = c->told = 0u - (uint32_t)len;
	client_write(c, &iov, 1);
}

static void act_shutdown(struct conn *c, uint32_t arg)
{
	bool listened = !(c->shut_in & VSOCK_SHUT_RCV);

	c->shut_in |= arg & VSOCK_SHUT_BOTH;
	conn_check(c);
	if (c->state == CONN_OPEN && listened && (arg & VSOCK_SHUT_RCV))
		client_mute(c);
}

static void act_tell(struct conn *c, uint32_t arg)
{
	(void)arg;
	conn_owe(c, OWE_CREDIT);
}

static void act_eof(struct conn *c, uint32_t arg)
{
	(void)arg;
	c->eof = true;
	conn_check(c);
}

/* The client reads no more, but what it wrote before it left is the guest's. */
static void act_hup(struct conn *c, uint32_t arg)
{
	(void)arg;
	c->deaf = c->readable = true;
	loop_del(c->v->loop, &c->client);
	conn_forwarded(c, buf_len(&c->out));
	buf_fini(&c->out);
	conn_check(c);
	if (conn_may_read(c) && conn_credit(c) > 0)
		conn_run(c);
}

static void settle(struct conn *c)
{
	if (c->deaf || buf_len(&c->out) == 0)
		conn_event(c, EV_DRAINED, 0);
}

/* Out of the guest's sight without a word: it knows. */
static void act_part(struct conn *c, uint32_t arg)
{
	(void)arg;
	c->owe = 0;
	conn_unrun(c);
	settle(c);
}

static void act_rst(struct conn *c, uint32_t arg)
{
	(void)arg;
	/* A request that never went out needs no answer. */
	if (c->owe & OWE_REQUEST) {
		act_part(c, 0);
		return;
	}
	c->owe = 0;
	conn_owe(c, OWE_RST);
	settle(c);
}

static void act_forget(struct conn *c, uint32_t arg)
{
	(void)arg;
	c->owe = 0;
	conn_unrun(c);
}

static void act_close(struct conn *c, uint32_t arg)
{
	(void)arg;
	client_close(c);
	if (!c->owe)
		conn_event(c, EV_SENT, 0);
}

static void act_free(struct conn *c, uint32_t arg)
{
	(void)arg;
	c->owe = 0;
	conn_unrun(c);
	conn_wait(c, &c->v->free);
}

/* A client that is gone needs no word: the end of what it wrote, soon read, is
 * the end of the connection. */
unsigned conn_shut(const struct conn *c)
{
	return (c->eof ? VSOCK_SHUT_SEND : 0) |
	       (c->deaf && !c->hup ? VSOCK_SHUT_RCV : 0);
}

void conn_check(struct conn *c)
{
	bool to_guest = !c->eof && !(c->shut_in & VSOCK_SHUT_RCV);
	bool to_client = !c->deaf && !(c->shut_in & VSOCK_SHUT_SEND);

	if (c->state != CONN_OPEN)
		return;
	if (!to_guest && !to_client) {
		conn_event(c, EV_DONE, 0);
		return;
	}
	if (!to_client && !c->deaf && buf_len(&c->out) == 0)
		client_eof(c);
	if (conn_shut(c) & ~c->shut_out)
		conn_owe(c, OWE_SHUTDOWN);
}

static void act_check(struct conn *c, uint32_t arg)
{
	(void)arg;
	conn_check(c);
}

/* ---- the states ---- */

struct step {
	void (*act)(struct conn *c, uint32_t arg);
	enum conn_state next;
};

/* What is not listed is refused. The action runs in the new state. */
static const struct step steps[CONN_NSTATES][EV_NEVENTS] = {
	[CONN_LINE] = {
		[EV_CONNECT] = { act_line, CONN_HELD },
		[EV_HUP] = { act_close, CONN_GONE },
	},
	[CONN_HELD] = {
		[EV_READY] = { act_ask, CONN_ASKED },
		[EV_HUP] = { act_close, CONN_GONE },
	},
	[CONN_ASKED] = {
		[EV_RESPONSE] = { act_open, CONN_OPEN },
		[EV_RST] = { act_part, CONN_DRAIN },
		[EV_HUP] = { act_rst, CONN_DRAIN },
		[EV_ABORT] = { act_rst, CONN_DRAIN },
		[EV_RESET] = { act_part, CONN_DRAIN },
	},
	[CONN_OPEN] = {
		[EV_SHUTDOWN] = { act_shutdown, CONN_OPEN },
		[EV_CREDIT_UPDATE] = { NULL, CONN_OPEN },
		[EV_CREDIT_REQUEST] = { act_tell, CONN_OPEN },
		[EV_DRAINED] = { act_check, CONN_OPEN },
		[EV_EOF] = { act_eof, CONN_OPEN },
		[EV_HUP] = { act_hup, CONN_OPEN },
		[EV_RST] = { act_part, CONN_DRAIN },
		[EV_DONE] = { act_rst, CONN_DRAIN },
		[EV_ABORT] = { act_rst, CONN_DRAIN },
		[EV_RESET] = { act_part, CONN_DRAIN },
	},
	[CONN_DRAIN] = {
		[EV_DRAINED] = { act_close, CONN_GONE },
		[EV_HUP] = { act_close, CONN_GONE },
		[EV_SENT] = { NULL, CONN_DRAIN },
		[EV_RESET] = { act_forget, CONN_DRAIN },
	},
	[CONN_GONE] = {
		[EV_SENT] = { act_free, CONN_FREE },
		[EV_RESET] = { act_free, CONN_FREE },
	},
};

bool conn_event(struct conn *c, enum conn_event ev, uint32_t arg)
{
	const struct step *s = &steps[c->state][ev];

	if (!s->act && s->next == CONN_FREE)
		return false;
	c->state = s->next;
	if (s->act)
		s->act(c, arg);
	client_sync(c);
	return true;
}

void conns_event(struct vsock *v, enum conn_event ev)
{
	for (unsigned i = 0; i < v->top; i++)
		conn_event(&v->conns[i], ev, 0);
}
