/* SPDX-License-Identifier: Apache-2.0 */
/* vsock_fuzz - a guest that lies and clients that come and go, in any order.
 *
 * Each step is one byte that says what is done, and its arguments. Bytes of a
 * stream are numbered, both ways: whatever happens, what arrives is what was
 * sent, in order, without a hole. When all have left, all is free. */
#include "base/auto.h"
#include "tests/guest/vsock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 8
#define FIRST_PORT 1000 /* client i asks for FIRST_PORT + i */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
	int fd;
	struct vconn c;
	uint8_t wrote, arrived; /* client to guest, byte numbers */
	uint8_t sent, read;	/* guest to client */
	unsigned ok;		/* bytes of "OK n\n" still to come */
};

struct input {
	const uint8_t *p;
	size_t left;
};

static struct vguest s;
static struct client clients[CLIENTS];

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "vsock_fuzz: %s\n", what);
	abort();
}

static uint8_t u8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static uint32_t u32(struct input *in)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 8 | u8(in);
	return v;
}

static struct client *pick(struct input *in)
{
	return &clients[u8(in) % CLIENTS];
}

/* ---- clients ---- */

static void client_read_some(struct client *c, size_t most)
{
	uint8_t buf[4096];
	ssize_t n = recv(c->fd, buf, MIN(most, sizeof(buf)), MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++) {
		if (c->ok) {
			c->ok = buf[i] == '\n' ? 0 : c->ok;
			continue;
		}
		must(buf[i] == c->read, "client: bytes out of order");
		c->read++;
	}
}

static void client_write_some(struct client *c, size_t len)
{
	uint8_t buf[4096];
	ssize_t n;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(c->wrote + i);
	n = send(c->fd, buf, MIN(len, sizeof(buf)),
		 MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0)
		c->wrote += (uint8_t)n;
}

static void client_leave(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct client){ .fd = -1 };
}

/* The whole line, or as much as the input likes of something else. */
static void client_come(struct client *c, uint8_t how)
{
	char line[32];
	int n;

	client_leave(c);
	c->fd = vguest_client(&s);
	c->ok = 1;
	n = snprintf(line, sizeof(line), "CONNECT %d\n",
		     FIRST_PORT + (int)(c - clients));
	if (how & 1)
		n -= how % n;
	if (send(c->fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		abort();
	if (how & 2)
		client_write_some(c, how);
}

/* ---- the guest ---- */

static void guest_take(struct client *c, const struct vpkt *p)
{
	if (p->h.op == VSOCK_OP_REQUEST) {
		c->c = (struct vconn){ p->h.src_port, p->h.dst_port, 1u << 18,
				       0 };
		/* What was said before had no connection to go to. */
		c->sent = 0;
		return;
	}
	if (p->h.src_port != c->c.host_port || p->h.op != VSOCK_OP_RW)
		return;
	for (uint32_t i = 0; i < p->h.len; i++)
		must(p->data[i] == c->arrived++, "guest: bytes out of order");
	c->c.fwd_cnt += p->h.len;
}

static void guest_recv_all(void)
{
	struct vpkt p;

	while (vguest_recv(&s, &p)) {
		uint32_t i = p.h.dst_port - FIRST_PORT;

		must(p.h.src_cid == 2 && p.h.dst_cid == VGUEST_CID, "cids");
		must(p.used == VSOCK_HDR + p.h.len, "used length");
		if (i < CLIENTS)
			guest_take(&clients[i], &p);
	}
}

static bool tx_room(void)
{
	while (ring_used(&s.tx, NULL, NULL))
		s.tx_sent--;
	return s.tx_sent < VGUEST_TX;
}

/* An honest header with what the input changes in it. */
static void guest_say(struct input *in, struct client *c)
{
	static uint8_t bytes[VGUEST_TX_BYTES];
	uint8_t lie = u8(in), segs = u8(in);
	struct vsock_hdr h = vguest_hdr(&c->c, u8(in) % (VSOCK_NOPS + 1));
	size_t len = h.op == VSOCK_OP_RW ? u32(in) % (VGUEST_TX_BYTES + 1) : 0;

	if (!tx_room())
		return;
	h.len = (uint32_t)len;
	h.flags = u8(in);
	if (lie & 1)
		h.buf_alloc = c->c.buf_alloc = u32(in);
	if (lie & 2)
		h.fwd_cnt = u32(in);
	if (lie & 4)
		h.len = u32(in);
	if (lie & 8)
		h.type = u8(in);
	if (lie & 16)
		h.src_cid = u8(in);
	if (lie & 32)
		h.dst_port += u8(in);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(c->sent + i);
	if (h.op == VSOCK_OP_RW && h.src_cid == VGUEST_CID &&
	    h.dst_port == c->c.host_port)
		c->sent += (uint8_t)MIN(h.len, len);
	vguest_queue(&s, &h, bytes, len, segs % 4);
}

static void guest_raw(struct input *in)
{
	struct vsock_hdr h;
	uint8_t raw[VSOCK_HDR];
	uint8_t bytes[64];

	if (!tx_room())
		return;
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = u8(in);
	memset(bytes, 0xee, sizeof(bytes));
	pkt_decode(&h, raw);
	/* raw bytes of a live stream would not be numbered */
	if (h.op == VSOCK_OP_RW)
		h.src_port = 1;
	vguest_queue(&s, &h, bytes, u8(in) % sizeof(bytes), 1);
}

static void guest_again(uint8_t features)
{
	guest_reset(s.v);
	vguest_start(&s, features & 1 ? VIRTIO_F_EVENT_IDX : 0);
}

static void guest_ready(void)
{
	struct vconn c = { .host_port = VSOCK_READY_PORT, .guest_port = 9 };
	struct vsock_hdr h = vguest_hdr(&c, VSOCK_OP_REQUEST);

	if (tx_room())
		vguest_queue(&s, &h, NULL, 0, 1);
}

/* ---- steps ---- */

static void step(struct input *in)
{
	uint8_t what = u8(in);
	struct client *c = pick(in);
	struct vsock_hdr h;

	switch (what % 14) {
	case 0:
	case 1:
		guest_say(in, c);
		break;
	case 2:
		guest_raw(in);
		break;
	case 3:
		h = vguest_hdr(&c->c, VSOCK_OP_RESPONSE);
		if (tx_room())
			vguest_queue(&s, &h, NULL, 0, 1);
		break;
	case 4:
		client_come(c, u8(in));
		break;
	case 5:
		client_leave(c);
		break;
	case 6:
		if (c->fd >= 0)
			shutdown(c->fd, u8(in) % 3);
		break;
	case 7:
		if (c->fd >= 0 && !c->ok)
			client_write_some(c, u32(in) % 4097);
		break;
	case 8:
		if (c->fd >= 0)
			client_read_some(c, u32(in) % 4097);
		break;
	case 9:
		vguest_post(&s, u8(in) % 32);
		break;
	case 10:
		s.keep_rx = u8(in) & 1;
		guest_recv_all();
		break;
	case 11:
		guest_ready();
		break;
	case 12:
		if (u8(in) % 8 == 0)
			guest_again(u8(in));
		break;
	case 13:
		guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
		vguest_pump(&s);
		break;
	}
}

static void check(void)
{
	struct vsock *v = container_of(s.v, struct vsock, virtio);

	must(v->nstray <= VSOCK_MAX_STRAY, "strays");
	for (unsigned i = 0; i < v->top; i++)
		must(buf_len(&v->conns[i].out) <= VSOCK_BUF_ALLOC, "kept");
}

/* Everybody leaves; the device must have nothing left. Then it is as new. */
static void all_leave(void)
{
	struct vsock *v = container_of(s.v, struct vsock, virtio);

	for (int i = 0; i < CLIENTS; i++)
		client_leave(&clients[i]);
	vguest_pump(&s);
	guest_reset(s.v);
	vguest_pump(&s);
	must(v->free.n == v->top, "a connection is left");
	must(TAILQ_EMPTY(&v->run), "something is owed to nobody");
	memset(v->conns, 0, v->top * sizeof(*v->conns));
	v->top = v->free.n = 0;
	conns_init(v);
}

static void start(uint8_t features)
{
	static bool made;

	if (!made) {
		log_init("vsock_fuzz", LOG_ERR);
		vguest_init(&s, 0);
		for (int i = 0; i < CLIENTS; i++)
			clients[i].fd = -1;
		made = true;
	}
	s.rx_next = s.tx_next = 0;
	s.keep_rx = false;
	guest_again(features);
	vguest_post(&s, VGUEST_RX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	start(u8(&in));
	while (in.left > 0) {
		step(&in);
		check();
	}
	vguest_pump(&s);
	check();
	all_leave();
	return 0;
}
