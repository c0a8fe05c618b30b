/* SPDX-License-Identifier: Apache-2.0 */
#include "net/uplink.h"

#include "base/auto.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

/* What they say is not needed: the name says what there is now. */
static void ready(struct watch *w, uint32_t events)
{
	struct uplink *u = container_of(w, struct uplink, watch);
	unsigned index;

	(void)events;
	while (nl_recvmsgs_default(u->events) >= 0)
		;
	index = if_nametoindex(u->name);
	if (index == u->index)
		return;
	u->index = index;
	if (index)
		u->back(u);
}

int uplink_init(struct uplink *u, const char *name,
		void (*back)(struct uplink *u), struct err *e)
{
	int r;

	*u = (struct uplink){ .name = name, .back = back };
	u->watch = (struct watch){ .fd = -1, .name = name, .ready = ready };
	u->events = nl_socket_alloc();
	if (!u->events)
		return err_set(e, ENOMEM, "out of memory");
	nl_socket_disable_seq_check(u->events);
	r = nl_connect(u->events, NETLINK_ROUTE);
	if (r >= 0)
		r = nl_socket_add_membership(u->events, RTNLGRP_LINK);
	if (r >= 0)
		r = nl_socket_set_nonblocking(u->events);
	if (r < 0)
		return err_set(e, EIO, "interface %s: %s", name,
			       nl_geterror(r));
	u->watch.fd = nl_socket_get_fd(u->events);
	u->index = if_nametoindex(name);
	return 0;
}

int uplink_start(struct uplink *u, struct loop *l, struct err *e)
{
	return u->events ? loop_add(l, &u->watch, EPOLLIN, e) : 0;
}

void uplink_fini(struct uplink *u)
{
	if (u->events)
		nl_socket_free(u->events);
	u->events = NULL;
	u->watch.fd = -1;
}
