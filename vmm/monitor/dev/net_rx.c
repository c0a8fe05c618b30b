/* SPDX-License-Identifier: Apache-2.0 */
/* net_rx.c - frames to the guest; net.h. */
#include "dev/net_priv.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>

/* One turn of the loop: then others are served. */
#define TURN_FRAMES 64

/* The chains one frame is spread over, and what was written to each. */
struct spread {
	struct chain *chain[QUEUE_MAX_SIZE];
	uint32_t used[QUEUE_MAX_SIZE];
	unsigned n;
};

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

static void put_back(struct queue *q, struct spread *s)
{
	while (s->n > 0)
		queue_unpop(q, s->chain[--s->n]);
}

/* The rest of a frame, in more chains. False: it cannot be had. */
static bool spread_rest(struct net *n, struct spread *s, size_t rest)
{
	struct queue *q = &n->virtio.queue[NET_RX];
	const uint8_t *at = n->spill;

	if (!(n->virtio.features & NET_F_MRG_RXBUF))
		return false;
	while (rest > 0) {
		struct chain *c = s->n < ARRAY_LEN(s->chain) ? queue_pop(q)
							     : NULL;
		size_t took;

		if (!c)
			return false;
		took = fill(c, at, rest);
		s->chain[s->n] = c;
		s->used[s->n++] = (uint32_t)took;
		if (took == 0)
			return false;
		at += took;
		rest -= took;
	}
	return true;
}

static void deliver(struct net *n, struct spread *s, size_t len)
{
	struct queue *q = &n->virtio.queue[NET_RX];
	size_t first = s->chain[0]->in_bytes;

	s->used[0] = (uint32_t)MIN(len, first);
	/* Too long for what the guest offers, or it has no more buffers. */
	if (len > first && !spread_rest(n, s, len - first)) {
		n->way[NET_RX].dropped++;
		put_back(q, s);
		return;
	}
	set_buffers(s->chain[0], s->n);
	for (unsigned i = 0; i < s->n; i++)
		queue_put(q, s->chain[i], s->used[i]);
	queue_show(q);
	n->way[NET_RX].frames++;
	n->way[NET_RX].bytes += len - NET_HDR;
	rate_take(&n->way[NET_RX].rate, len - NET_HDR, 1);
}

/* One frame. 0, -EAGAIN: none, -ENOBUFS: no room, or -errno. */
static int receive_one(struct net *n)
{
	struct queue *q = &n->virtio.queue[NET_RX];
	struct iovec iov[NET_SEGMENTS + 1];
	struct spread s = { .n = 1 };
	struct chain *c = queue_pop(q);
	ssize_t len;

	if (!c)
		return -ENOBUFS;
	if (c->nout || c->in_bytes < NET_HDR + NET_ETH) {
		virtio_broken(&n->virtio, "a buffer no frame fits into");
		return -EPROTO;
	}
	memcpy(iov, c->iov, c->nin * sizeof(*iov));
	iov[c->nin] = (struct iovec){ n->spill, NET_HDR + NET_FRAME_MAX };
	len = n->back->recv(n, iov, c->nin + 1u);
	if (len < NET_HDR + NET_ETH) {
		queue_unpop(q, c);
		return len < 0 ? (int)len : 0;
	}
	s.chain[0] = c;
	deliver(n, &s, (size_t)len);
	return 0;
}

/* Behind a limit, time tells when to go on. */
static bool held(struct net *n)
{
	struct net_way *w = &n->way[NET_RX];
	uint64_t us = rate_wait(&w->rate, 1);

	if (us == 0)
		return false;
	w->waits = true;
	timer_set(&w->timer, us / 1000 + 1);
	return true;
}

void net_receive(struct net *n)
{
	struct queue *q = &n->virtio.queue[NET_RX];
	int r = 0;

	n->starved = false;
	if (!n->up || n->way[NET_RX].waits)
		return;
	for (unsigned i = 0; i < TURN_FRAMES && r == 0 && !held(n); i++) {
		r = receive_one(n);
		if (r == -ENOBUFS && queue_want_kick(q))
			r = 0;
		if (n->way[NET_RX].waits)
			break;
	}
	queue_notify(q);
	if (r == -ENOBUFS)
		n->starved = true;
	else if (r == -EPIPE)
		net_down(n);
	else if (r == 0 && n->back->buffered && n->back->buffered(n))
		virtio_kick_self(&n->virtio);
	net_watch(n);
}
