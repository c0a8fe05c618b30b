/* SPDX-License-Identifier: Apache-2.0 */
/* THEORY OF OPERATION
 *
 * A virtio socket device in user space. Each connection of the guest has a
 * connected unix socket of the host behind it:
 *
 *	client --unix socket-- conn --RX queue--> guest
 *	                            <--TX queue--
 *
 *	vsock.c		the device: TX queue, what each packet means
 *	vsock_conn.c	connections, their states as a table, credit
 *	vsock_bridge.c	unix sockets: CONNECT line, bytes, end of file
 *	vsock_rx.c	the RX queue: who gets the guest's buffers
 *	vsock_pkt.c	bytes of a packet
 *
 * To the client. The bytes of a packet go from guest memory into the socket by
 * one sendmsg(); packets that follow each other on one connection share it.
 * What the socket does not take is kept in the connection's buffer, which is
 * never more than the credit the guest was given and is freed when empty.
 *
 * To the guest. A connection with something for the guest (a packet it owes, or
 * bytes that wait in its socket) stands in line on v->run. Each gets a turn of
 * one packet or one read, then goes to the end. Bytes are read straight into
 * the guest's buffers, many at a time when the socket is full of them. A read
 * happens only when there are a buffer and credit to receive it; else EPOLLIN
 * is off and the guest's next doorbell or credit brings the connection back.
 *
 * Nothing is polled, and no level-triggered event stays armed that nobody can
 * act on: EPOLLIN only while the socket is believed empty, EPOLLOUT only while
 * something is kept, and a descriptor that hung up leaves the loop.
 *
 * What can go wrong. Packets the guest owes an explanation for (wrong length,
 * no room for a header) break the device. A packet that its connection does not
 * expect ends the connection. What the guest leaves behind, by closing or by a
 * reset, is still delivered to the client before its socket is closed. A guest
 * that gives no RX buffers makes nothing grow: what is owed to it is a flag in
 * the connection, and resets for unknown ports are a short ring; when that is
 * full the TX queue waits. */
#include "dev/vsock.h"

#include "base/auto.h"
#include "base/fd.h"
#include "dev/vsock_priv.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TX_BUDGET 128 /* packets in one turn of the loop */
#define BATCH_CHAINS 32
#define BATCH_IOVS 64
#define BATCH_BYTES (64u << 10)

/* Packets of one connection on the way to one sendmsg(). */
struct batch {
	struct conn *conn;
	struct chain *chain[BATCH_CHAINS];
	struct iovec iov[BATCH_IOVS];
	unsigned nchains, niov;
	size_t bytes;
};

static struct vsock *vsock_of(struct virtio *vi)
{
	return container_of(vi, struct vsock, virtio);
}

/* ---- packets of the guest ---- */

static void batch_flush(struct vsock *v, struct batch *b)
{
	if (b->nchains == 0)
		return;
	client_write(b->conn, b->iov, b->niov);
	for (unsigned i = 0; i < b->nchains; i++)
		queue_push(&v->virtio.queue[VSOCK_TX], b->chain[i], 0);
	b->nchains = b->niov = 0;
	b->bytes = 0;
}

/* Takes the chain, and pushes it at the next flush. */
static void batch_add(struct vsock *v, struct batch *b, struct conn *c,
		      struct chain *ch, uint32_t len)
{
	if (b->nchains > 0 && (b->conn != c || b->nchains == BATCH_CHAINS ||
			       b->niov + VSOCK_CHAIN_MAX > BATCH_IOVS))
		batch_flush(v, b);
	b->conn = c;
	b->niov += pkt_slice(ch->iov, ch->nout, VSOCK_HDR, len,
			     b->iov + b->niov, BATCH_IOVS - b->niov);
	b->chain[b->nchains++] = ch;
	b->bytes += len;
	c->received += len;
	if (b->bytes >= BATCH_BYTES)
		batch_flush(v, b);
}

/* The guest may send, and keeps to the credit it was given. */
static bool tx_data_ok(const struct conn *c, const struct vsock_hdr *h)
{
	uint32_t kept = c->received - c->forwarded;

	return c->state == CONN_OPEN && !(c->shut_in & VSOCK_SHUT_SEND) &&
	       kept <= VSOCK_BUF_ALLOC && h->len <= VSOCK_BUF_ALLOC - kept;
}

static void agent_ready(struct vsock *v)
{
	struct conn *c;

	v->agent_ready = true;
	while ((c = TAILQ_FIRST(&v->held.head)))
		conn_event(c, EV_READY, 0);
}

static void tx_stranger(struct vsock *v, const struct vsock_hdr *h)
{
	if (h->op == VSOCK_OP_RST)
		return;
	if (h->op == VSOCK_OP_REQUEST && h->type == VSOCK_TYPE_STREAM &&
	    h->dst_port == VSOCK_READY_PORT)
		agent_ready(v);
	stray_add(v, h);
}

static void tx_control(struct conn *c, const struct vsock_hdr *h)
{
	static const enum conn_event events[VSOCK_NOPS] = {
		[VSOCK_OP_RESPONSE] = EV_RESPONSE,
		[VSOCK_OP_RST] = EV_RST,
		[VSOCK_OP_SHUTDOWN] = EV_SHUTDOWN,
		[VSOCK_OP_CREDIT_UPDATE] = EV_CREDIT_UPDATE,
		[VSOCK_OP_CREDIT_REQUEST] = EV_CREDIT_REQUEST,
	};
	enum conn_event ev = h->op < VSOCK_NOPS ? events[h->op] : EV_NONE;

	if (h->type != VSOCK_TYPE_STREAM)
		ev = EV_NONE;
	if (!conn_event(c, ev, h->flags))
		conn_event(c, EV_ABORT, 0);
}

/* Copies the header once. False when the packet is to be dropped. */
static bool tx_header(struct vsock *v, const struct chain *ch,
		      struct vsock_hdr *h)
{
	uint8_t raw[VSOCK_HDR];

	if (pkt_get(ch->iov, ch->nout, raw, sizeof(raw)) < sizeof(raw)) {
		virtio_broken(&v->virtio, "packet without a header");
		return false;
	}
	pkt_decode(h, raw);
	if (h->len > ch->out_bytes - VSOCK_HDR) {
		virtio_broken(&v->virtio, "packet longer than its chain");
		return false;
	}
	return h->src_cid == v->guest_cid && h->dst_cid == VSOCK_HOST_CID;
}

static void tx_packet(struct vsock *v, struct batch *b, struct chain *ch)
{
	struct vsock_hdr h;
	struct conn *c;

	if (tx_header(v, ch, &h)) {
		c = conn_find(v, h.dst_port, h.src_port);
		if (c)
			conn_credit_set(c, h.buf_alloc, h.fwd_cnt);
		if (c && h.op == VSOCK_OP_RW && h.type == VSOCK_TYPE_STREAM &&
		    tx_data_ok(c, &h)) {
			batch_add(v, b, c, ch, h.len);
			return;
		}
		batch_flush(v, b);
		if (c)
			tx_control(c, &h);
		else
			tx_stranger(v, &h);
	}
	queue_push(&v->virtio.queue[VSOCK_TX], ch, 0);
}

enum tx_end { TX_DRY, TX_BLOCKED, TX_SPENT };

static enum tx_end tx_run(struct vsock *v, unsigned *budget)
{
	struct queue *q = &v->virtio.queue[VSOCK_TX];
	enum tx_end end = TX_DRY;
	struct batch b;
	struct chain *ch;

	b.nchains = b.niov = 0;
	b.bytes = 0;
	for (;;) {
		end = stray_full(v) ? TX_BLOCKED : TX_SPENT;
		if (stray_full(v) || *budget == 0)
			break;
		end = TX_DRY;
		ch = queue_pop(q);
		if (!ch && (v->virtio.broken || !queue_want_kick(q)))
			break;
		if (!ch)
			continue;
		--*budget;
		tx_packet(v, &b, ch);
	}
	batch_flush(v, &b);
	return end;
}

static void vsock_kick(struct virtio *vi)
{
	struct vsock *v = vsock_of(vi);
	struct queue *q = &vi->queue[VSOCK_TX];
	unsigned budget = TX_BUDGET;
	enum tx_end end;

	client_resume(v);
	queue_no_kick(q);
	v->starved = false;
	do {
		end = tx_run(v, &budget);
		vsock_rx(v);
	} while (end == TX_BLOCKED && !stray_full(v));
	queue_notify(q);
	if (end == TX_SPENT)
		virtio_kick_self(vi);
}

/* ---- life ---- */

void vsock_drop(struct vsock *v)
{
	v->agent_ready = false;
	v->nstray = 0;
	v->starved = v->rx_armed = false;
	conns_event(v, EV_RESET);
}

static void vsock_reset(struct virtio *vi)
{
	vsock_drop(vsock_of(vi));
}

static void vsock_config_read(struct virtio *vi, uint32_t off, void *dst,
			      uint32_t len)
{
	uint64_t cid = htole64(vsock_of(vi)->guest_cid);

	memcpy(dst, (uint8_t *)&cid + off, len);
}

static const struct virtio_ops vsock_ops = {
	.type = VIRTIO_ID_VSOCK,
	.name = "vsock",
	.queues = VSOCK_NQUEUES,
	.queue_max = QUEUE_MAX_SIZE,
	.chain_max = VSOCK_CHAIN_MAX,
	.kick = vsock_kick,
	.reset = vsock_reset,
	.config_size = sizeof(uint64_t),
	.config_read = vsock_config_read,
};

struct virtio *vsock_create(const struct dev_conf *conf, const struct mem *mem,
			    struct loop *loop, struct err *e)
{
	autofree struct vsock *v = calloc(1, sizeof(*v));
	int r;

	if (v)
		v->conns = calloc(VSOCK_MAX_CONNS, sizeof(*v->conns));
	if (!v || !v->conns) {
		err_set(e, ENOMEM, "vsock: no memory");
		return NULL;
	}
	v->loop = loop;
	v->guest_cid = conf->vsock.guest_cid;
	v->listen = (struct watch){ .fd = conf->vsock.listen_fd,
				    .name = "vsock listen",
				    .ready = client_accept };
	conns_init(v);
	r = virtio_init(&v->virtio, &vsock_ops, "vsock", mem, e);
	if (r == 0 && fd_set_nonblock(v->listen.fd, true) < 0)
		r = err_sys(e, "vsock: listening socket");
	if (r == 0)
		r = loop_add(loop, &v->listen, EPOLLIN, e);
	if (r < 0) {
		virtio_fini(&v->virtio);
		free(v->conns);
		return NULL;
	}
	return &take_ptr(&v)->virtio;
}

void vsock_destroy(struct virtio *vi)
{
	struct vsock *v = vsock_of(vi);

	loop_del(v->loop, &v->listen);
	for (unsigned i = 0; i < v->top; i++) {
		struct conn *c = &v->conns[i];

		if (c->client.fd < 0 || c->state == CONN_FREE)
			continue;
		client_flush(c);
		client_close(c);
	}
	virtio_fini(vi);
	free(v->conns);
	free(v);
}

bool vsock_pending(struct virtio *vi)
{
	const struct vsock *v = vsock_of(vi);

	for (unsigned i = 0; i < v->top; i++)
		if (v->conns[i].state != CONN_FREE &&
		    buf_len(&v->conns[i].out) > 0)
			return true;
	return false;
}
