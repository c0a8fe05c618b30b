/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/net.h"

#include "base/auto.h"
#include "base/fd.h"
#include "dev/net_priv.h"

#include <errno.h>
#include <string.h>

#define NET_QUEUE_SIZE 256

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

/* ---- what the loops watch ---- */

static uint32_t reading(const struct net_pair *p)
{
	return !p->starved && !p->way[NET_RX].waits ? EPOLLIN : 0;
}

void net_watch(struct net_pair *p)
{
	struct net *n = p->net;
	bool live = virtio_live(&n->virtio);
	uint32_t events = 0;

	if (live && p->up)
		events = reading(p) | (p->full ? EPOLLOUT : 0);
	/* A hang-up is told whatever was asked for, again and again. */
	if (p->up)
		loop_mod(p->loop, &p->watch, events);
	if (p != n->pair)
		return;
	for (unsigned i = 1; i < n->npairs; i++)
		if (!n->pair[i].on)
			loop_mod(n->loop, &n->pair[i].stray,
				 live ? reading(p) : 0);
}

void net_down(struct net_pair *p)
{
	struct net *n = p->net;

	if (!p->up)
		return;
	p->up = false;
	loop_del(p->loop, &p->watch);
	loop_del(n->loop, &p->stray);
	if (!atomic_exchange(&n->up, false))
		return;
	log_limited(&p->limit, "net %s: the other end of the %s is gone",
		    n->virtio.id, n->back->name);
	if (p->rx->aside)
		virtio_config_changed_aside(&n->virtio);
	else
		virtio_config_changed(&n->virtio);
}

void net_again(struct net_pair *p)
{
	virtio_kick_queue(&p->net->virtio, p->tx->index);
}

/* ---- the loop of a pair ---- */

/* from: whose back end it is about. */
static void pair_ready(struct net_pair *p, struct net_pair *from,
		       uint32_t events)
{
	const uint32_t ended = EPOLLHUP | EPOLLERR;
	struct net *n = p->net;

	if (!virtio_live(&n->virtio)) {
		if (events & ended)
			net_down(from);
		net_watch(p);
		return;
	}
	if (p->full && (events & EPOLLOUT)) {
		int r = n->back->flush ? n->back->flush(p) : 0;

		p->full = r == -EAGAIN;
		if (r < 0 && r != -EAGAIN)
			net_down(p);
		net_send(p);
	}
	if (events & (EPOLLIN | ended))
		net_receive(p, from);
	/* It has hung up, and there is nothing to read it from. */
	if (from->up && p->starved && (events & ended))
		net_down(from);
	net_watch(p);
}

static void net_ready_fd(struct watch *w, uint32_t events)
{
	struct net_pair *p = container_of(w, struct net_pair, watch);

	/* One that was told of while it was being taken away. */
	if (p->on)
		pair_ready(p, p, events);
}

static void net_ready_stray(struct watch *w, uint32_t events)
{
	struct net_pair *from = container_of(w, struct net_pair, stray);

	pair_ready(from->net->pair, from, events & ~(uint32_t)EPOLLOUT);
}

void net_kick_pair(struct net_pair *p)
{
	net_send(p);
	if (virtio_live(&p->net->virtio))
		net_receive(p, p);
	net_watch(p);
}

static void net_kick(struct virtio *v)
{
	struct net *n = net_of(v);

	net_kick_pair(n->pair);
	if (virtio_live(v))
		net_control(n);
}

static void tx_fired(struct timer *t)
{
	struct net_pair *p =
		container_of(t, struct net_pair, way[NET_TX].timer);

	p->way[NET_TX].waits = false;
	if (virtio_live(&p->net->virtio))
		net_send(p);
	net_watch(p);
}

static void rx_fired(struct timer *t)
{
	struct net_pair *p =
		container_of(t, struct net_pair, way[NET_RX].timer);

	p->way[NET_RX].waits = false;
	if (virtio_live(&p->net->virtio))
		net_receive(p, p);
	net_watch(p);
}

/* ---- the device ---- */

static void net_go(struct virtio *v)
{
	struct net *n = net_of(v);
	struct net_pair *p = n->pair;

	if (n->back->agreed)
		n->back->agreed(n);
	p->starved = p->full = false;
	net_watch(p);
}

static void net_reset(struct virtio *v)
{
	struct net *n = net_of(v);
	struct net_pair *p = n->pair;

	net_set_pairs(n, 1);
	p->starved = p->full = false;
	p->spread.n = 0;
	net_watch(p);
}

static void net_config_read(struct virtio *v, uint32_t off, void *dst,
			    uint32_t len)
{
	struct net *n = net_of(v);
	struct net_config c = { .status = n->up ? STATUS_LINK_UP : 0,
				.max_virtqueue_pairs = (uint16_t)n->npairs,
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

static int attach_pair(struct net_pair *p, int fd, struct err *e)
{
	p->fd = fd;
	p->watch = (struct watch){ .fd = fd,
				   .name = "net",
				   .ready = net_ready_fd };
	p->stray = (struct watch){ .fd = fd,
				   .name = "net",
				   .ready = net_ready_stray };
	if (loop_add(p->net->loop, p->on ? &p->watch : &p->stray, 0, e) < 0)
		return -e->code;
	p->up = true;
	return 0;
}

int net_attach(struct net *n, const struct net_conf *conf, struct err *e)
{
	struct net_way *way = n->pair[0].way;

	if (attach_pair(n->pair, conf->fd, e) < 0)
		return -e->code;
	for (unsigned i = 1; i < n->npairs; i++)
		if (attach_pair(&n->pair[i], conf->more[i - 1], e) < 0)
			return -e->code;
	n->mtu = conf->mtu;
	memcpy(n->mac, conf->mac, sizeof(n->mac));
	rate_init(&way[NET_RX].rate, &conf->rx, NULL);
	rate_init(&way[NET_TX].rate, &conf->tx, NULL);
	n->virtio.offered &= ~NET_F_MTU;
	if (n->mtu)
		n->virtio.offered |= NET_F_MTU;
	n->up = true;
	return 0;
}

static int open_timers(struct net *n, struct err *e)
{
	static const struct {
		const char *name;
		void (*fired)(struct timer *t);
	} timers[] = { [NET_RX] = { "net rx rate", rx_fired },
		       [NET_TX] = { "net tx rate", tx_fired } };

	for (unsigned i = 0; i < NET_NQUEUES; i++)
		if (timer_init(&n->pair[0].way[i].timer, n->loop,
			       timers[i].name, timers[i].fired, e) < 0)
			return -e->code;
	return 0;
}

static int open_pair(struct net *n, unsigned i, int fd, struct err *e)
{
	struct net_pair *p = &n->pair[i];
	int r;

	p->net = n;
	p->rx = &n->virtio.queue[NET_NQUEUES * i + NET_RX];
	p->tx = &n->virtio.queue[NET_NQUEUES * i + NET_TX];
	p->loop = n->loop;
	p->fd = -1;
	p->on = i == 0;
	p->spill = malloc(NET_HDR + NET_FRAME_MAX);
	if (!p->spill)
		return err_set(e, ENOMEM, "net: no memory");
	r = fd < 0 ? 0 : fd_set_nonblock(fd, true);
	return r < 0 ? err_set(e, -r, "net: %s", strerror(-r)) : 0;
}

static int net_open(struct net *n, const struct net_conf *conf, struct err *e)
{
	n->virtio.offered |= n->back->features;
	if (n->npairs > 1)
		n->virtio.offered |= NET_F_CTRL_VQ | NET_F_MQ;
	if (n->back == &net_stream && net_stream_init(n, e) < 0)
		return -e->code;
	for (unsigned i = 0; i < n->npairs; i++)
		if (open_pair(n, i, i == 0 ? conf->fd : conf->more[i - 1], e) <
		    0)
			return -e->code;
	if (open_timers(n, e) < 0)
		return -e->code;
	if (n->npairs > 1 && net_pairs_init(n, e) < 0)
		return -e->code;
	if (conf->fd >= 0)
		return net_attach(n, conf, e);
	n->virtio.absent = true;
	return 0;
}

/* A rate is the device's, and its buckets are one thread's. */
static unsigned pairs_of(const struct net_conf *c)
{
	bool rate = c->rx.bytes || c->rx.ops || c->tx.bytes || c->tx.ops;

	return c->stream || rate ? 1 : 1 + c->nmore;
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
	n->npairs = pairs_of(c);
	n->ops = net_ops;
	if (n->npairs > 1)
		n->ops.queues = NET_NQUEUES * n->npairs + 1;
	if (virtio_init(&n->virtio, &n->ops, c->name, mem, e) < 0) {
		free(n);
		return NULL;
	}
	n->loop = loop;
	n->back = c->stream ? &net_stream : &net_tap;
	if (net_open(n, c, e) < 0) {
		net_destroy(&n->virtio);
		return NULL;
	}
	return &n->virtio;
}

int net_start(struct virtio *v, const struct dev_threads *t, struct err *e)
{
	return net_pairs_start(net_of(v), t, e);
}

void net_destroy(struct virtio *v)
{
	struct net *n = net_of(v);

	net_pairs_fini(n);
	for (unsigned i = 0; i < n->npairs; i++) {
		struct net_pair *p = &n->pair[i];

		loop_del(n->loop, &p->stray);
		free(p->spill);
	}
	loop_del(n->loop, &n->pair[0].watch);
	if (n->plugged)
		close(n->pair[0].fd);
	for (unsigned i = 0; i < NET_NQUEUES; i++)
		timer_fini(&n->pair[0].way[i].timer, n->loop);
	virtio_fini(v);
	net_stream_fini(n);
	free(n);
}

void net_stats(struct virtio *v, struct dev_stats *s)
{
	const struct net *n = net_of(v);

	for (unsigned i = 0; i < n->npairs; i++) {
		const struct net_way *w = n->pair[i].way;

		s->net_rx_bytes += w[NET_RX].bytes;
		s->net_tx_bytes += w[NET_TX].bytes;
		s->net_dropped += w[NET_RX].dropped + w[NET_TX].dropped;
	}
}
