/* SPDX-License-Identifier: Apache-2.0 */
/* net_pairs.c - pairs of queues behind the first; net.h. */
#include "dev/net_priv.h"

#include "base/auto.h"
#include "dev/net_worker.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>

struct net_more {
	struct net_worker worker;
	struct watch kick; /* eventfd, owned: the doorbell of both queues */
	struct net_pair *pair;
};

/* ---- in the worker ---- */

static void more_kicked(struct watch *w, uint32_t events)
{
	struct net_more *m = container_of(w, struct net_more, kick);
	struct net_pair *p = m->pair;
	uint64_t rung;

	(void)events;
	if (read(w->fd, &rung, sizeof(rung)) < 0)
		rung = 0;
	if (!p->on)
		/* A driver that wants one pair has its control queue here. */
		virtio_kick_self(&p->net->virtio);
	else if (virtio_live(&p->net->virtio))
		net_kick_pair(p);
	else
		net_watch(p);
}

/* ---- in the machine's loop ---- */

/* What tells of frames moves to the pair's own loop. */
static void turn_on(struct net_pair *p)
{
	struct err e;

	loop_del(p->net->loop, &p->stray);
	p->starved = p->full = false;
	p->on = p->rx->aside = p->tx->aside = true;
	if (p->up && loop_add(p->loop, &p->watch, 0, &e) < 0) {
		log_limited(&p->limit, "net %s: %s", p->net->virtio.id, e.msg);
		net_down(p);
	}
}

/* What the guest has sent before it asked goes out, as far as it goes. */
static void turn_off(struct net_pair *p)
{
	struct err e;

	if (virtio_live(&p->net->virtio))
		net_send(p);
	net_forget(p);
	loop_del(p->loop, &p->watch);
	p->on = p->rx->aside = p->tx->aside = false;
	if (p->up && loop_add(p->net->loop, &p->stray, 0, &e) < 0) {
		log_limited(&p->limit, "net %s: %s", p->net->virtio.id, e.msg);
		net_down(p);
	}
}

void net_set_pairs(struct net *n, unsigned on)
{
	for (unsigned i = 1; i < n->npairs; i++) {
		struct net_pair *p = &n->pair[i];

		if (p->on == (i < on))
			continue;
		net_worker_hold(&p->more->worker);
		if (p->on)
			turn_off(p);
		else
			turn_on(p);
		net_worker_let(&p->more->worker);
		/* What came before is looked at. */
		if (p->on)
			net_again(p);
	}
	net_watch(n->pair);
}

static int open_more(struct net *n, unsigned i, struct err *e)
{
	struct net_pair *p = &n->pair[i];
	struct net_more *m = calloc(1, sizeof(*m));

	if (!m)
		return err_set(e, ENOMEM, "net: no memory");
	p->more = m;
	m->pair = p;
	m->kick = (struct watch){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
				  .name = "net pair",
				  .ready = more_kicked };
	if (m->kick.fd < 0)
		return err_sys(e, "net: eventfd");
	p->loop = &m->worker.loop;
	return net_worker_init(&m->worker, &m->kick, e);
}

int net_pairs_init(struct net *n, struct err *e)
{
	unsigned q = 0;

	for (unsigned i = 0; i < n->npairs; i++) {
		if (i > 0 && open_more(n, i, e) < 0)
			return -e->code;
		for (unsigned j = 0; j < NET_NQUEUES; j++)
			n->kick_fds[q++] = i > 0 ? n->pair[i].more->kick.fd
						 : n->virtio.kick_fd;
	}
	n->kick_fds[q] = n->virtio.kick_fd; /* the control queue's */
	n->virtio.queue_kick_fds = n->kick_fds;
	return 0;
}

int net_pairs_start(struct net *n, const struct dev_threads *t, struct err *e)
{
	for (unsigned i = 1; i < n->npairs; i++)
		if (net_worker_start(&n->pair[i].more->worker, t, e) < 0)
			return err_wrap(e, "net %s", n->virtio.id);
	return 0;
}

void net_pairs_fini(struct net *n)
{
	for (unsigned i = 1; i < n->npairs; i++) {
		struct net_more *m = n->pair[i].more;

		if (!m)
			continue;
		net_worker_fini(&m->worker, &m->kick);
		if (m->kick.fd >= 0)
			close(m->kick.fd);
		free(m);
		n->pair[i].more = NULL;
	}
}
