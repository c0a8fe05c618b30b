/* SPDX-License-Identifier: Apache-2.0 */
/* net_rx.c - frames to the guest; net.h. */
#include "dev/net_priv.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>

/* One turn of the loop: then others are served. */
#define TURN_FRAMES 64

static size_t fill(const struct chain *c, const uint8_t *src, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < c->nin && done < len; i++) {
		const struct iovec *seg = &c->iov[c->nout + i];
		size_t part = MIN(seg->iov_len, len - done);

		memcpy(seg->iov_base, src + done, part);
		done += part;
	}
	return done;
}

/* num_buffers is 16 bits of the header, which may lie across segments. */
static void set_buffers(const struct chain *c, unsigned n)
{
	const uint8_t value[2] = { (uint8_t)n, (uint8_t)(n >> 8) };
	size_t at = NET_HDR_BUFFERS;
	unsigned byte = 0;

	for (unsigned i = 0; i < c->nin && byte < 2; i++) {
		const struct iovec *seg = &c->iov[c->nout + i];

		while (byte < 2 && at < seg->iov_len)
			((uint8_t *)seg->iov_base)[at++] = value[byte++];
		at -= MIN(at, seg->iov_len);
	}
}

static void put_back(struct queue *q, struct net_spread *s)
{
	while (s->n > 0)
		queue_unpop(q, s->chain[--s->n]);
}

/* Not even every buffer the guest could offer would do. */
static bool hopeless(const struct net_pair *p)
{
	return !(p->net->virtio.features & NET_F_MRG_RXBUF) ||
	       p->spread.n >= p->rx->size;
}

/* The rest of a frame, in more chains. -ENOBUFS: it waits for them; -EMSGSIZE:
 * it cannot have them. */
static int spread_rest(struct net_pair *p)
{
	struct queue *q = p->rx;
	struct net_spread *s = &p->spread;
	size_t first = s->chain[0]->in_bytes;

	while (s->done < s->len) {
		struct chain *c = hopeless(p) ? NULL : queue_pop(q);
		size_t took;

		if (!c)
			return hopeless(p) ? -EMSGSIZE : -ENOBUFS;
		took = fill(c, p->spill + (s->done - first), s->len - s->done);
		s->chain[s->n] = c;
		s->used[s->n++] = (uint32_t)took;
		if (took == 0)
			return -EMSGSIZE;
		s->done += took;
	}
	return 0;
}

/* 0: the frame has gone its way; -ENOBUFS: it waits for buffers. */
static int deliver(struct net_pair *p)
{
	struct queue *q = p->rx;
	struct net_spread *s = &p->spread;
	int r = spread_rest(p);

	if (r == -ENOBUFS)
		return r;
	if (r < 0) {
		net_count(&p->way[NET_RX].dropped, 1);
		put_back(q, s);
		return 0;
	}
	set_buffers(s->chain[0], s->n);
	for (unsigned i = 0; i < s->n; i++)
		queue_put(q, s->chain[i], s->used[i]);
	queue_show(q);
	s->n = 0;
	net_count(&p->way[NET_RX].frames, 1);
	net_count(&p->way[NET_RX].bytes, s->len - NET_HDR);
	rate_take(&p->way[NET_RX].rate, s->len - NET_HDR, 1);
	return 0;
}

/* One frame. 0, -EAGAIN: none, -ENOBUFS: no room, or -errno. */
static int receive_one(struct net_pair *p, struct net_pair *from)
{
	struct queue *q = p->rx;
	struct iovec iov[NET_SEGMENTS + 1];
	struct net_spread *s = &p->spread;
	struct chain *c;
	ssize_t len;

	if (s->n > 0)
		return deliver(p);
	c = queue_pop(q);
	if (!c)
		return -ENOBUFS;
	if (c->nout || c->in_bytes < NET_HDR + NET_ETH) {
		queue_broken(q, "a buffer no frame fits into");
		return -EPROTO;
	}
	memcpy(iov, c->iov, c->nin * sizeof(*iov));
	iov[c->nin] = (struct iovec){ p->spill, NET_HDR + NET_FRAME_MAX };
	len = p->net->back->recv(from, iov, c->nin + 1u);
	if (len < NET_HDR + NET_ETH) {
		queue_unpop(q, c);
		return len < 0 ? (int)len : 0;
	}
	s->chain[0] = c;
	s->n = 1;
	s->len = (size_t)len;
	s->done = MIN(s->len, c->in_bytes);
	s->used[0] = (uint32_t)s->done;
	return deliver(p);
}

/* Behind a limit, time tells when to go on. */
static bool held(struct net_pair *p)
{
	struct net_way *w = &p->way[NET_RX];
	uint64_t us = rate_wait(&w->rate, 1);

	if (us == 0)
		return false;
	w->waits = true;
	timer_set(&w->timer, us / 1000 + 1);
	return true;
}

void net_forget(struct net_pair *p)
{
	if (p->spread.n > 0)
		net_count(&p->way[NET_RX].dropped, 1);
	put_back(p->rx, &p->spread);
}

void net_receive(struct net_pair *p, struct net_pair *from)
{
	const struct net_back *back = p->net->back;
	struct net_way *w = &p->way[NET_RX];
	int r = 0;

	p->starved = false;
	if (!from->up || w->waits)
		return;
	for (unsigned i = 0; i < TURN_FRAMES && r == 0 && !held(p); i++) {
		r = receive_one(p, from);
		if (r == -ENOBUFS && queue_want_kick(p->rx))
			r = 0;
		if (w->waits)
			break;
	}
	queue_notify(p->rx);
	if (r == -ENOBUFS)
		p->starved = true;
	else if (r == -EPIPE)
		net_down(from);
	else if (r == 0 && back->buffered && back->buffered(from))
		net_again(p);
	net_watch(p);
}
