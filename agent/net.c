/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

/* The first link of a network namespace. */
#define LO_INDEX 1

static int net_request(struct nl_sock *sk)
{
	struct ifinfomsg link = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = LO_INDEX,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	int r = nl_connect(sk, NETLINK_ROUTE);

	if (r < 0)
		return r;
	r = nl_send_simple(sk, RTM_NEWLINK, NLM_F_ACK, &link, sizeof(link));
	return r < 0 ? r : nl_wait_for_ack(sk);
}

int net_loopback_up(struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r = sk ? net_request(sk) : -NLE_NOMEM;

	nl_socket_free(sk);
	if (r < 0)
		return err_set(e, EIO, "lo: %s", nl_geterror(r));
	return 0;
}
