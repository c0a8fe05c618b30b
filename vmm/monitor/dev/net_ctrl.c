/* SPDX-License-Identifier: Apache-2.0 */
/* net_ctrl.c - the control queue (virtio 1.2, 5.1.6.5); net.h. One command: how
 * many pairs of queues the guest uses. */
#include "dev/net_priv.h"

#include "base/auto.h"

#include <string.h>

/* One turn of the loop: then others are served. */
#define TURN_COMMANDS 16

#define CTRL_MQ		 4 /* class */
#define CTRL_MQ_SET	 0 /* VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET */
#define CTRL_OK		 0
#define CTRL_ERR	 1

/* class, command, pairs in 16 bits, little-endian */
#define COMMAND_BYTES 4

/* Behind the last pair; without NET_F_MQ there is one for the driver. */
static struct queue *control_queue(struct net *n)
{
	size_t pairs = (n->virtio.features & NET_F_MQ) ? n->npairs : 1;

	return &n->virtio.queue[NET_NQUEUES * pairs];
}

static uint8_t obey(struct net *n, const struct chain *c)
{
	uint8_t b[COMMAND_BYTES] = { 0 };
	unsigned pairs;
	size_t got = 0;

	if (c->out_bytes != sizeof(b))
		return CTRL_ERR;
	for (unsigned i = 0; i < c->nout; i++) {
		memcpy(b + got, c->iov[i].iov_base, c->iov[i].iov_len);
		got += c->iov[i].iov_len;
	}
	pairs = b[2] | (unsigned)b[3] << 8;
	if (b[0] != CTRL_MQ || b[1] != CTRL_MQ_SET ||
	    !(n->virtio.features & NET_F_MQ) || pairs < 1 || pairs > n->npairs)
		return CTRL_ERR;
	net_set_pairs(n, pairs);
	return CTRL_OK;
}

/* False: nothing more to do now. */
static bool control_one(struct net *n, struct queue *q)
{
	struct chain *c = queue_pop(q);

	if (!c)
		return queue_want_kick(q);
	if (!c->in_bytes) {
		virtio_broken(&n->virtio, "a command without room for answers");
		return false;
	}
	*(uint8_t *)c->iov[c->nout].iov_base = obey(n, c);
	queue_push(q, c, 1);
	return true;
}

void net_control(struct net *n)
{
	struct queue *q = control_queue(n);
	unsigned left = TURN_COMMANDS;

	if (!(n->virtio.features & NET_F_CTRL_VQ))
		return;
	while (left > 0 && control_one(n, q))
		left--;
	queue_notify(q);
	if (!left)
		virtio_kick_self(&n->virtio);
}
