/* SPDX-License-Identifier: Apache-2.0 */
/* net_tx.c - frames from the guest; net.h. */
#include "dev/net_priv.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>

/* Chains one doorbell may have served before others get their turn. */
#define TURN_CHAINS 256

/* The first bytes of a chain, out of the guest's hands; the rest stays where
 * it is. Returns the entries of iov. */
static unsigned take_head(const struct chain *c, uint8_t *head, size_t len,
			  struct iovec *iov)
{
	unsigned n = 1;
	size_t got = 0;

	for (unsigned i = 0; i < c->nout; i++) {
		const struct iovec *seg = &c->iov[i];
		size_t part = MIN(seg->iov_len, len - got);

		memcpy(head + got, seg->iov_base, part);
		got += part;
		if (part < seg->iov_len)
			iov[n++] =
				(struct iovec){ (uint8_t *)seg->iov_base + part,
						seg->iov_len - part };
	}
	iov[0] = (struct iovec){ head, len };
	return n;
}

/* 0: it is out, or dropped. -EAGAIN: later. */
static int send_one(struct net_pair *p, const struct chain *c)
{
	struct net_way *w = &p->way[NET_TX];
	uint8_t head[NET_HDR + NET_ETH];
	struct iovec iov[NET_SEGMENTS + 1];
	unsigned niov;
	int r = -EINVAL;

	if (p->up && c->out_bytes >= sizeof(head) &&
	    c->out_bytes <= NET_HDR + NET_FRAME_MAX) {
		niov = take_head(c, head, sizeof(head), iov);
		/* Nobody else's address. */
		if (memcmp(head + NET_HDR + NET_ETH_SOURCE, p->net->mac,
			   NET_MAC) == 0)
			r = p->net->back->send(p, iov, niov);
	}
	if (r == -EAGAIN)
		return r;
	if (r < 0) {
		net_count(&w->dropped, 1);
		return 0;
	}
	net_count(&w->frames, 1);
	net_count(&w->bytes, c->out_bytes - NET_HDR);
	rate_take(&w->rate, c->out_bytes - NET_HDR, 1);
	return 0;
}

static bool tx_held(struct net_pair *p)
{
	struct net_way *w = &p->way[NET_TX];
	uint64_t us = w->waits ? 0 : rate_wait(&w->rate, 1);

	if (us > 0) {
		w->waits = true;
		timer_set(&w->timer, us / 1000 + 1);
	}
	return w->waits;
}

/* As many as may go now. True: there are more, for the next turn. */
static bool send_some(struct net_pair *p)
{
	struct queue *q = p->tx;
	struct chain *c;

	for (unsigned i = 0; i < TURN_CHAINS; i++) {
		if (tx_held(p))
			return false;
		c = queue_pop(q);
		if (!c) {
			if (!queue_want_kick(q))
				return false;
			continue;
		}
		if (c->nin) {
			queue_broken(q, "a frame to be written to");
			return false;
		}
		if (send_one(p, c) < 0) {
			queue_unpop(q, c);
			p->full = true;
			return false;
		}
		queue_push(q, c, 0);
	}
	return true;
}

void net_send(struct net_pair *p)
{
	if (p->full || p->way[NET_TX].waits)
		return;
	queue_no_kick(p->tx);
	if (send_some(p))
		net_again(p);
	queue_notify(p->tx);
}
