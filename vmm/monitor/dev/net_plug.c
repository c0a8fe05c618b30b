/* SPDX-License-Identifier: Apache-2.0 */
/* net_plug.c - a tap that comes and goes while the guest runs; net.h.
 *
 * A device made without a back end is a placeholder. It has its queues, timers
 * and doorbell from the start, since none of them can be made once the
 * monitor's system calls are closed; what comes later is a descriptor and a few
 * numbers, and one pair of queues. The guest may have ignored its end: then the
 * frames have nowhere to go, its driver is told that the device needs a reset,
 * and until it did that nothing is plugged in here again. */
#include "dev/net_priv.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static struct net *net_of(struct virtio *v)
{
	return container_of(v, struct net, virtio);
}

int net_plug(struct virtio *v, const struct dev_conf *conf, struct err *e)
{
	struct net *n = net_of(v);

	if (!v->absent || v->status)
		return err_set(e, EBUSY, "net %s: there is one", v->id);
	if (net_attach(n, &conf->net, e) < 0)
		return err_wrap(e, "net %s", v->id);
	n->plugged = true;
	virtio_appear(v);
	return 0;
}

void net_unplug(struct virtio *v)
{
	struct net *n = net_of(v);
	struct net_pair *p = n->pair;

	loop_del(n->loop, &p->watch);
	if (n->plugged)
		close(p->fd);
	n->plugged = p->up = false;
	n->up = false;
	p->fd = -1;
	n->mtu = 0;
	memset(n->mac, 0, sizeof(n->mac));
	virtio_vanish(v);
}
