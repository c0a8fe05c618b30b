/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/vsock.h"

#include "base/auto.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PUMP_MAX 100000

static void on_kick(struct watch *w, uint32_t events)
{
	struct vguest *s = container_of(w, struct vguest, kick);

	(void)events;
	mmio_kick(s->v);
}

static void listen_start(struct vguest *s)
{
	char *made;
	int r;

	snprintf(s->dir, sizeof(s->dir), "/tmp/vial-vsock-XXXXXX");
	made = mkdtemp(s->dir);
	assert(made);
	(void)made;
	s->addr.sun_family = AF_UNIX;
	snprintf(s->addr.sun_path, sizeof(s->addr.sun_path), "%s/s", s->dir);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = bind(s->listen_fd, (struct sockaddr *)&s->addr, sizeof(s->addr));
	assert(r == 0);
	r = listen(s->listen_fd, 2000);
	assert(r == 0);
	(void)r;
}

void vguest_start(struct vguest *s, uint64_t features)
{
	bool agreed = guest_start(s->v, features);

	assert(agreed);
	(void)agreed;
	if (!s->rx.size) {
		ring_alloc(&s->rx, &s->g, s->v, VSOCK_RX, 256);
		ring_alloc(&s->tx, &s->g, s->v, VSOCK_TX, 128);
		ring_alloc(&s->event, &s->g, s->v, VSOCK_EVENT, 8);
	}
	for (unsigned i = 0; i < 3; i++) {
		struct ring *r = i == 0 ? &s->rx : i == 1 ? &s->tx : &s->event;

		r->next_desc = r->avail_idx = r->last_used = 0;
		ring_set_avail_idx(r, 0);
		memset(guest_at(&s->g, r->used, 4), 0, 4);
		ring_enable(r);
	}
	s->rx_posted = s->tx_sent = 0;
	guest_go(s->v);
}

void vguest_init(struct vguest *s, uint64_t features)
{
	struct dev_conf conf = { .type = DEV_VSOCK };
	struct err e = { 0 };
	int r;

	memset(s, 0, sizeof(*s));
	guest_init(&s->g);
	listen_start(s);
	r = loop_init(&s->loop, NULL, &e);
	assert(r == 0);
	conf.vsock.listen_fd = s->listen_fd;
	conf.vsock.guest_cid = VGUEST_CID;
	s->v = vsock_create(&conf, &s->g.mem, &s->loop, &e);
	assert(s->v);
	s->kick = (struct watch){ .fd = s->v->kick_fd,
				  .name = "kick",
				  .ready = on_kick };
	r = loop_add(&s->loop, &s->kick, EPOLLIN, &e);
	assert(r == 0);
	(void)r;
	for (unsigned i = 0; i < VGUEST_RX; i++)
		s->rx_pool[i] =
			guest_alloc(&s->g, VSOCK_HDR + VGUEST_RX_BYTES, 1);
	for (unsigned i = 0; i < VGUEST_TX; i++)
		s->tx_pool[i] =
			guest_alloc(&s->g, VSOCK_HDR + VGUEST_TX_BYTES, 1);
	vguest_start(s, features);
	vguest_post(s, VGUEST_RX);
}

void vguest_fini(struct vguest *s)
{
	loop_del(&s->loop, &s->kick);
	vsock_destroy(s->v);
	loop_fini(&s->loop);
	close(s->listen_fd);
	unlink(s->addr.sun_path);
	rmdir(s->dir);
	guest_fini(&s->g);
}

unsigned vguest_pump(struct vguest *s)
{
	struct pollfd p = { .fd = s->loop.epfd, .events = POLLIN };
	unsigned turns = 0;

	while (poll(&p, 1, 0) > 0) {
		loop_once(&s->loop, 0);
		if (++turns == PUMP_MAX) {
			fprintf(stderr, "vsock: the loop never sleeps\n");
			abort();
		}
	}
	return turns;
}

void vguest_post(struct vguest *s, unsigned n)
{
	while (n-- > 0 && s->rx_posted < VGUEST_RX) {
		gpa_t at = s->rx_pool[s->rx_next++ % VGUEST_RX];
		struct seg seg[2] = {
			SEG_IN(at, VSOCK_HDR),
			SEG_IN(GPA(at.v + VSOCK_HDR), VGUEST_RX_BYTES),
		};

		s->rx_at[ring_add(&s->rx, seg, 2)] = at;
		s->rx_posted++;
	}
	guest_write32(s->v, MMIO_QUEUE_NOTIFY, VSOCK_RX);
}

static void tx_reap(struct vguest *s)
{
	while (ring_used(&s->tx, NULL, NULL))
		s->tx_sent--;
}

void vguest_queue(struct vguest *s, const struct vsock_hdr *h, const void *data,
		  size_t len, unsigned segs)
{
	uint32_t all = VSOCK_HDR + (uint32_t)len;
	struct seg seg[3];
	gpa_t at;

	tx_reap(s);
	assert(s->tx_sent < VGUEST_TX && len <= VGUEST_TX_BYTES);
	at = s->tx_pool[s->tx_next++ % VGUEST_TX];
	pkt_encode(guest_at(&s->g, at, VSOCK_HDR), h);
	if (len)
		memcpy(guest_at(&s->g, GPA(at.v + VSOCK_HDR), len), data, len);
	segs = segs < 2 || len == 0 ? 1 : segs;
	seg[0] = SEG_OUT(at, segs == 1 ? all : segs == 2 ? VSOCK_HDR : 20);
	seg[1] = SEG_OUT(GPA(at.v + seg[0].len),
			 segs == 3 ? 25 : all - seg[0].len);
	seg[2] = SEG_OUT(GPA(at.v + 45), all - 45);
	if (segs == 3 && all == 45)
		segs = 2;
	ring_add(&s->tx, seg, segs);
	s->tx_sent++;
}

struct vsock_hdr vguest_hdr(const struct vconn *c, enum vsock_op op)
{
	return (struct vsock_hdr){
		.src_cid = VGUEST_CID,
		.dst_cid = VSOCK_HOST_CID,
		.src_port = c->guest_port,
		.dst_port = c->host_port,
		.type = VSOCK_TYPE_STREAM,
		.op = (uint16_t)op,
		.buf_alloc = c->buf_alloc,
		.fwd_cnt = c->fwd_cnt,
	};
}

static void ring_tx(struct vguest *s)
{
	guest_write32(s->v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	vguest_pump(s);
	tx_reap(s);
}

void vguest_send(struct vguest *s, const struct vconn *c, enum vsock_op op,
		 const void *data, size_t len)
{
	struct vsock_hdr h = vguest_hdr(c, op);

	h.len = (uint32_t)len;
	vguest_queue(s, &h, data, len, 2);
	ring_tx(s);
}

void vguest_shutdown(struct vguest *s, const struct vconn *c, uint32_t flags)
{
	struct vsock_hdr h = vguest_hdr(c, VSOCK_OP_SHUTDOWN);

	h.flags = flags;
	vguest_queue(s, &h, NULL, 0, 1);
	ring_tx(s);
}

bool vguest_recv(struct vguest *s, struct vpkt *p)
{
	uint32_t head, used;
	uint8_t *raw;

	if (!ring_used(&s->rx, &head, &used)) {
		ring_set_used_event(&s->rx, s->rx.last_used);
		return false;
	}
	s->rx_posted--;
	assert(used >= VSOCK_HDR && used <= VSOCK_HDR + VGUEST_RX_BYTES);
	raw = guest_at(&s->g, s->rx_at[head], used);
	pkt_decode(&p->h, raw);
	memcpy(p->data, raw + VSOCK_HDR, used - VSOCK_HDR);
	p->used = used;
	if (!s->keep_rx)
		vguest_post(s, 1);
	return true;
}

void vguest_ready(struct vguest *s)
{
	struct vconn c = { .host_port = VSOCK_READY_PORT, .guest_port = 7 };
	struct vpkt p;
	bool got;

	vguest_send(s, &c, VSOCK_OP_REQUEST, NULL, 0);
	got = vguest_recv(s, &p);
	assert(got && p.h.op == VSOCK_OP_RST && p.h.dst_port == 7);
	(void)got;
	vguest_pump(s);
}

int vguest_client(struct vguest *s)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (struct sockaddr *)&s->addr, sizeof(s->addr));

	assert(r == 0);
	(void)r;
	return fd;
}

int vguest_open(struct vguest *s, struct vconn *c)
{
	int fd = vguest_client(s);
	char ok[32] = "";
	ssize_t n;
	struct vpkt p;
	bool got;

	n = write(fd, "CONNECT 1024\n", 13);
	vguest_pump(s);
	got = vguest_recv(s, &p);
	assert(n == 13 && got && p.h.op == VSOCK_OP_REQUEST);
	(void)got;
	*c = (struct vconn){ .host_port = p.h.src_port,
			     .guest_port = p.h.dst_port,
			     .buf_alloc = 256u << 10 };
	vguest_send(s, c, VSOCK_OP_RESPONSE, NULL, 0);
	n = recv(fd, ok, sizeof(ok) - 1, MSG_DONTWAIT);
	assert(n > 3 && memcmp(ok, "OK ", 3) == 0);
	(void)n;
	return fd;
}
