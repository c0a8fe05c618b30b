/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/vsock_priv.h"

#include "base/auto.h"

#include <errno.h>

#define RX_TURNS      32	/* turns of connections in one run */
#define RX_TURN_BYTES (64u << 10)
#define RX_CHAINS     16	/* buffers one read may fill */
#define RX_IOVS	      64

/* ---- RX buffers ---- */

static struct chain *rx_next(struct vsock *v)
{
	struct queue *q = &v->virtio.queue[VSOCK_RX];
	struct chain *ch = queue_pop(q);

	if (!ch)
		return NULL;
	if (ch->nout == 0 && ch->in_bytes > VSOCK_HDR)
		return ch;
	virtio_broken(&v->virtio, "rx buffer holds no packet");
	queue_push(q, ch, 0);
	return NULL;
}

/* The same; when there is none, asks to be told. */
static struct chain *rx_pop(struct vsock *v)
{
	struct queue *q = &v->virtio.queue[VSOCK_RX];
	struct chain *ch = rx_next(v);

	if (!ch && !v->virtio.broken) {
		v->rx_armed = true;
		if (queue_want_kick(q))
			ch = rx_next(v);
	}
	v->starved = !ch;
	return ch;
}

static void rx_push(struct vsock *v, struct chain *ch,
		    const struct vsock_hdr *h)
{
	uint8_t raw[VSOCK_HDR];

	pkt_encode(raw, h);
	pkt_put(ch->iov, ch->nin, raw, sizeof(raw));
	queue_push(&v->virtio.queue[VSOCK_RX], ch, VSOCK_HDR + h->len);
}

/* ---- packets without bytes ---- */

static struct vsock_hdr conn_hdr(struct conn *c, enum vsock_op op)
{
	c->told = c->forwarded;
	c->owe &= ~OWE_CREDIT;
	return (struct vsock_hdr){
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = c->v->guest_cid,
		.src_port = c->host_port,
		.dst_port = c->guest_port,
		.type = VSOCK_TYPE_STREAM,
		.op = (uint16_t)op,
		.buf_alloc = VSOCK_BUF_ALLOC,
		.fwd_cnt = c->forwarded,
	};
}

/* One packet that is owed. RST comes alone. CREDIT_UPDATE comes last: any
 * other packet has said the same. */
static void send_owed(struct conn *c, struct chain *ch)
{
	static const struct {
		unsigned owe;
		enum vsock_op op;
	} order[] = {
		{ OWE_RST, VSOCK_OP_RST },
		{ OWE_REQUEST, VSOCK_OP_REQUEST },
		{ OWE_SHUTDOWN, VSOCK_OP_SHUTDOWN },
		{ OWE_ASK, VSOCK_OP_CREDIT_REQUEST },
		{ OWE_CREDIT, VSOCK_OP_CREDIT_UPDATE },
	};
	struct vsock_hdr h;
	unsigned i = 0;

	while (!(c->owe & order[i].owe))
		i++;
	h = conn_hdr(c, order[i].op);
	c->owe &= ~order[i].owe;
	if (h.op == VSOCK_OP_SHUTDOWN) {
		c->shut_out |= conn_shut(c);
		h.flags = c->shut_out;
	}
	rx_push(c->v, ch, &h);
	if (h.op == VSOCK_OP_RST)
		conn_event(c, EV_SENT, 0);
}

/* ---- resets for nobody's connection ---- */

void stray_add(struct vsock *v, const struct vsock_hdr *h)
{
	if (stray_full(v))
		return;
	v->stray[(v->stray_at + v->nstray++) % VSOCK_MAX_STRAY] =
		(struct stray){ .host_port = h->dst_port,
				.guest_port = h->src_port,
				.type = h->type };
}

static void stray_send(struct vsock *v, struct chain *ch)
{
	struct stray s = v->stray[v->stray_at];
	struct vsock_hdr h = {
		.src_cid = VSOCK_HOST_CID,
		.dst_cid = v->guest_cid,
		.src_port = s.host_port,
		.dst_port = s.guest_port,
		.type = s.type,
		.op = VSOCK_OP_RST,
	};

	v->stray_at = (v->stray_at + 1) % VSOCK_MAX_STRAY;
	v->nstray--;
	rx_push(v, ch, &h);
}

/* ---- bytes of the client ---- */

/* Buffers that one read fills, each a packet of its own. */
struct gather {
	struct chain *chain[RX_CHAINS];
	uint32_t room[RX_CHAINS];
	unsigned n, niov;
	uint32_t bytes;
	struct iovec iov[RX_IOVS];
};

static void gather(struct vsock *v, struct gather *g, uint32_t want,
		   unsigned max)
{
	struct chain *ch = rx_pop(v);

	while (ch) {
		uint32_t room = MIN(ch->in_bytes - VSOCK_HDR, want - g->bytes);

		g->niov += pkt_slice(ch->iov, ch->nin, VSOCK_HDR, room,
				     g->iov + g->niov, RX_IOVS - g->niov);
		g->room[g->n] = room;
		g->chain[g->n++] = ch;
		g->bytes += room;
		if (g->bytes == want || g->n == max ||
		    g->niov + VSOCK_CHAIN_MAX > RX_IOVS)
			break;
		ch = rx_next(v);
	}
}

/* Packets for the first got bytes; buffers not needed go back, last first. */
static void scatter(struct conn *c, struct gather *g, uint32_t got)
{
	struct queue *q = &c->v->virtio.queue[VSOCK_RX];
	unsigned i = 0;

	while (got > 0) {
		struct vsock_hdr h = conn_hdr(c, VSOCK_OP_RW);

		h.len = MIN(got, g->room[i]);
		c->sent += h.len;
		got -= h.len;
		rx_push(c->v, g->chain[i++], &h);
	}
	while (g->n > i)
		queue_unpop(q, g->chain[--g->n]);
}

/* A short read has emptied the socket, and the loop tells when there is more.
 * After a hang-up it tells nothing: read on to the end. The first read of a
 * burst is given one buffer: most bursts are short. */
static void move_bytes(struct conn *c)
{
	uint32_t want = MIN(conn_credit(c), RX_TURN_BYTES);
	struct gather g;
	ssize_t got;

	g.n = g.niov = g.bytes = 0;
	gather(c->v, &g, want, c->bulk ? RX_CHAINS : 1);
	if (g.n == 0)
		return;
	got = client_read(c, g.iov, g.niov);
	scatter(c, &g, got > 0 ? (uint32_t)got : 0);
	c->bulk = got == (ssize_t)g.bytes;
	if (!c->bulk && !c->hup)
		c->readable = false;
	if (got <= 0 && (got != -EAGAIN || c->hup))
		conn_event(c, EV_EOF, 0);
}

/* ---- the run ---- */

/* One packet, or one read. False when the buffers are at an end. */
static bool conn_turn(struct conn *c)
{
	struct vsock *v = c->v;

	if (c->owe) {
		struct chain *ch = rx_pop(v);

		if (!ch)
			return false;
		send_owed(c, ch);
	} else if (conn_may_read(c) && conn_credit(c) > 0) {
		move_bytes(c);
		if (v->starved)
			return false;
		/* Once: no bytes move before the answer. */
		if (conn_may_read(c) && conn_credit(c) == 0)
			c->owe |= OWE_ASK;
	}
	if (c->state == CONN_FREE)
		return true;
	/* To the end of the line, or out of it. */
	conn_unrun(c);
	if (c->owe || (conn_may_read(c) && conn_credit(c) > 0))
		conn_run(c);
	client_sync(c);
	return true;
}

static bool stray_turn(struct vsock *v)
{
	struct chain *ch = rx_pop(v);

	if (ch)
		stray_send(v, ch);
	return ch != NULL;
}

void vsock_rx(struct vsock *v)
{
	struct queue *q = &v->virtio.queue[VSOCK_RX];
	unsigned turns = RX_TURNS;
	bool more = true;

	if (v->virtio.broken)
		vsock_drop(v);
	if (v->starved || !virtio_live(&v->virtio))
		return;
	if (v->rx_armed)
		queue_no_kick(q);
	v->rx_armed = false;
	while (more && v->nstray > 0)
		more = stray_turn(v);
	while (more && turns-- > 0 && !TAILQ_EMPTY(&v->run))
		more = conn_turn(TAILQ_FIRST(&v->run));
	queue_notify(q);
	if (v->virtio.broken)
		vsock_drop(v);
	else if (more && !TAILQ_EMPTY(&v->run))
		virtio_kick_self(&v->virtio);
}
