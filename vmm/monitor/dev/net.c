/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/net.h"

#include "base/auto.h"
#include "base/fd.h"
#include "dev/net_priv.h"

#include <errno.h>
#include <string.h>

#define NET_QUEUE_SIZE 256
/* Chains one doorbell may have served before others get their turn. */
#define TURN_CHAINS 256

#define STATUS_LINK_UP 1

/* virtio 1.2, 5.1.4; without the parts of features that are not offered */
struct net_config {
	uint8_t mac[NET_MAC];
	uint16_t status;
	uint16_t max_virtqueue_pairs;
	uint16_t mtu;
};

static struct net *net_of(struct virtio *v)
{
	return container_of(v, struct net, virtio);
}

/* ---- what the loop watches ---- */

void net_watch(struct net *n)
{
	uint32_t events = 0;

	if (virtio_live(&n->virtio) && n->up) {
		if (!n->starved && !n->way[NET_RX].waits)
			events |= EPOLLIN;
		if (n->full)
			events |= EPOLLOUT;
	}
	/* A hang-up is told whatever was asked for, again and again. */
	if (n->up)
		loop_mod(n->loop, &n->watch, events);
}

void net_down(struct net *n)
{
	if (!n->up)
		return;
	n->up = false;
	loop_del(n->loop, &n->watch);
	log_limited(&n->limit, "net %s: the other end of the %s is gone",
		    n->virtio.id, n->back->name);
	virtio_config_changed(&n->virtio);
}

/* ---- what the guest sends ---- */

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
static int send_one(struct net *n, const struct chain *c)
{
	struct net_way *w = &n->way[NET_TX];
	uint8_t head[NET_HDR + NET_ETH];
	struct iovec iov[NET_SEGMENTS + 1];
	unsigned niov;
	int r = -EINVAL;

	if (n->up && c->out_bytes >= sizeof(head) &&
	    c->out_bytes <= NET_HDR + NET_FRAME_MAX) {
		niov = take_head(c, head, sizeof(head), iov);
		/* Nobody else's address. */
		if (memcmp(head + NET_HDR + NET_ETH_SOURCE, n->mac, NET_MAC) ==
		    0)
			r = n->back->send(n, iov, niov);
	}
	if (r == -EAGAIN)
		return r;
	if (r < 0) {
		w->dropped++;
		return 0;
	}
	w->frames++;
	w->bytes += c->out_bytes - NET_HDR;
	rate_take(&w->rate, c->out_bytes - NET_HDR, 1);
	return 0;
}

static bool tx_held(struct net *n)
{
	struct net_way *w = &n->way[NET_TX];
	uint64_t us = w->waits ? 0 : rate_wait(&w->rate, 1);

	if (us > 0) {
		w->waits = true;
		timer_set(&w->timer, us / 1000 + 1);
	}
	return w->waits;
}

/* As many as may go now. True: there are more, for the next turn. */
static bool send_some(struct net *n)
{
	struct queue *q = &n->virtio.queue[NET_TX];
	struct chain *c;

	for (unsigned i = 0; i < TURN_CHAINS; i++) {
		if (tx_held(n))
			return false;
		c = queue_pop(q);
		if (!c) {
			if (!queue_want_kick(q))
				return false;
			continue;
		}
		if (c->nin) {
			virtio_broken(&n->virtio, "a frame to be written to");
			return false;
		}
		if (send_one(n, c) < 0) {
			queue_unpop(q, c);
			n->full = true;
			return false;
		}
		queue_push(q, c, 0);
	}
	return true;
}

static void net_send(struct net *n)
{
	if (n->full || n->way[NET_TX].waits)
		return;
	queue_no_kick(&n->virtio.queue[NET_TX]);
	if (send_some(n))
		virtio_kick_self(&n->virtio);
	queue_notify(&n->virtio.queue[NET_TX]);
}

/* ---- the loop ---- */

static void net_kick(struct virtio *v)
{
	struct net *n = net_of(v);

	net_send(n);
	if (virtio_live(v))
		net_receive(n);
	else
		net_watch(n);
}

static void net_ready_fd(struct watch *w, uint32_t events)
{
	struct net *n = container_of(w, struct net, watch);

	if (!virtio_live(&n->virtio)) {
		if (events & (EPOLLHUP | EPOLLERR))
			net_down(n);
		return;
	}
	if (n->full && (events & EPOLLOUT)) {
		int r = n->back->flush ? n->back->flush(n) : 0;

		n->full = r == -EAGAIN;
		if (r < 0 && r != -EAGAIN)
			net_down(n);
		net_send(n);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		net_receive(n);
	/* It has hung up, and there is nothing to read it from. */
	if (n->up && n->starved && (events & (EPOLLHUP | EPOLLERR)))
		net_down(n);
	net_watch(n);
}

static void tx_fired(struct timer *t)
{
	struct net *n = container_of(t, struct net, way[NET_TX].timer);

	n->way[NET_TX].waits = false;
	if (virtio_live(&n->virtio))
		net_send(n);
	net_watch(n);
}

static void rx_fired(struct timer *t)
{
	struct net *n = container_of(t, struct net, way[NET_RX].timer);

	n->way[NET_RX].waits = false;
	if (virtio_live(&n->virtio))
		net_receive(n);
	net_watch(n);
}

/* ---- the device ---- */

static void net_go(struct virtio *v)
{
	struct net *n = net_of(v);

	if (n->back->agreed)
		n->back->agreed(n);
	n->starved = n->full = false;
	net_watch(n);
}

static void net_reset(struct virtio *v)
{
	struct net *n = net_of(v);

	n->starved = n->full = false;
	n->spread.n = 0;
	net_watch(n);
}

static void net_config_read(struct virtio *v, uint32_t off, void *dst,
			    uint32_t len)
{
	struct net *n = net_of(v);
	struct net_config c = { .status = n->up ? STATUS_LINK_UP : 0,
				.max_virtqueue_pairs = 1,
				.mtu = n->mtu };

	memcpy(c.mac, n->mac, sizeof(c.mac));
	memcpy(dst, (uint8_t *)&c + off, len);
}

static const struct virtio_ops net_ops = {
	.type = VIRTIO_ID_NET,
	.name = "net",
	.queues = NET_NQUEUES,
	.queue_max = NET_QUEUE_SIZE,
	.chain_max = NET_SEGMENTS,
	.features = NET_F_MAC | NET_F_STATUS | NET_F_MRG_RXBUF,
	.kick = net_kick,
	.ready = net_go,
	.reset = net_reset,
	.config_size = sizeof(struct net_config),
	.config_read = net_config_read,
};

int net_attach(struct net *n, const struct net_conf *conf, struct err *e)
{
	n->watch = (struct watch){ .fd = conf->fd,
				   .name = "net",
				   .ready = net_ready_fd };
	if (loop_add(n->loop, &n->watch, 0, e) < 0)
		return -e->code;
	n->fd = conf->fd;
	n->mtu = conf->mtu;
	memcpy(n->mac, conf->mac, sizeof(n->mac));
	rate_init(&n->way[NET_RX].rate, &conf->rx, NULL);
	rate_init(&n->way[NET_TX].rate, &conf->tx, NULL);
	n->virtio.offered &= ~NET_F_MTU;
	if (n->mtu)
		n->virtio.offered |= NET_F_MTU;
	n->up = true;
	return 0;
}

static int net_open(struct net *n, const struct net_conf *conf,
		    struct loop *loop, struct err *e)
{
	static const struct {
		const char *name;
		void (*fired)(struct timer *t);
	} timers[] = { [NET_RX] = { "net rx rate", rx_fired },
		       [NET_TX] = { "net tx rate", tx_fired } };
	int r;

	n->spill = malloc(NET_HDR + NET_FRAME_MAX);
	if (!n->spill)
		return err_set(e, ENOMEM, "net: no memory");
	if (n->back == &net_stream && net_stream_init(n, e) < 0)
		return -e->code;
	for (unsigned i = 0; i < NET_NQUEUES; i++)
		if (timer_init(&n->way[i].timer, loop, timers[i].name,
			       timers[i].fired, e) < 0)
			return -e->code;
	n->virtio.offered |= n->back->features;
	if (conf->fd < 0) {
		n->virtio.absent = true;
		return 0;
	}
	r = fd_set_nonblock(conf->fd, true);
	if (r < 0)
		return err_set(e, -r, "net: %s", strerror(-r));
	return net_attach(n, conf, e);
}

struct virtio *net_create(const struct dev_conf *conf, const struct mem *mem,
			  struct loop *loop, struct err *e)
{
	const struct net_conf *c = &conf->net;
	struct net *n = calloc(1, sizeof(*n));

	if (!n) {
		err_set(e, ENOMEM, "net: no memory");
		return NULL;
	}
	if (virtio_init(&n->virtio, &net_ops, c->name, mem, e) < 0) {
		free(n);
		return NULL;
	}
	n->loop = loop;
	n->back = c->stream ? &net_stream : &net_tap;
	n->fd = -1;
	if (net_open(n, c, loop, e) < 0) {
		net_destroy(&n->virtio);
		return NULL;
	}
	return &n->virtio;
}

void net_destroy(struct virtio *v)
{
	struct net *n = net_of(v);

	loop_del(n->loop, &n->watch);
	if (n->plugged)
		close(n->fd);
	for (unsigned i = 0; i < NET_NQUEUES; i++)
		timer_fini(&n->way[i].timer, n->loop);
	virtio_fini(v);
	net_stream_fini(n);
	free(n->spill);
	free(n);
}

void net_stats(struct virtio *v, struct dev_stats *s)
{
	const struct net *n = net_of(v);

	s->net_rx_bytes += n->way[NET_RX].bytes;
	s->net_tx_bytes += n->way[NET_TX].bytes;
	s->net_dropped += n->way[NET_RX].dropped + n->way[NET_TX].dropped;
}
