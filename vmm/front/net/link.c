/* SPDX-License-Identifier: Apache-2.0 */
#include "net/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>

/* What libnl says of a request, in words and in the nearest errno. */
static int said(struct err *e, int r, const char *what, const char *name)
{
	int code = r == -NLE_EXIST     ? EEXIST
		 : r == -NLE_PERM      ? EPERM
		 : r == -NLE_OPNOTSUPP ? EOPNOTSUPP
		 : r == -NLE_NODEV     ? ENODEV
		 : r == -NLE_NOMEM     ? ENOMEM
				       : EIO;

	return err_set(e, code, "%s %s: %s", what, name, nl_geterror(r));
}

struct nl_sock *link_open(struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r >= 0)
		return sk;
	said(e, r, "netlink", "socket");
	nl_socket_free(sk);
	return NULL;
}

void link_close(struct nl_sock *sk)
{
	nl_socket_free(sk);
}

static int index_of(const char *name, struct err *e)
{
	unsigned i = if_nametoindex(name);

	return i ? (int)i : err_sys(e, "interface %s", name);
}

int link_up(struct nl_sock *sk, const char *name, unsigned mtu, struct err *e)
{
	struct rtnl_link *which = rtnl_link_alloc();
	struct rtnl_link *change = rtnl_link_alloc();
	int index = index_of(name, e), r = -NLE_NOMEM;

	if (which && change && index > 0) {
		rtnl_link_set_ifindex(which, index);
		rtnl_link_set_flags(change, IFF_UP);
		if (mtu)
			rtnl_link_set_mtu(change, mtu);
		r = rtnl_link_change(sk, which, change, 0);
	}
	rtnl_link_put(which);
	rtnl_link_put(change);
	if (index < 0)
		return index;
	return r < 0 ? said(e, r, "interface", name) : 0;
}

static struct nl_addr *addr_of(int family, const void *raw, size_t len,
			       unsigned prefix)
{
	struct nl_addr *a = nl_addr_build(family, raw, len);

	if (a)
		nl_addr_set_prefixlen(a, (int)prefix);
	return a;
}

static int add_address(struct nl_sock *sk, const char *name,
		       struct nl_addr *local, struct err *e)
{
	struct rtnl_addr *a = rtnl_addr_alloc();
	int index = index_of(name, e), r = -NLE_NOMEM;

	if (a && local && index > 0) {
		rtnl_addr_set_ifindex(a, index);
		rtnl_addr_set_local(a, local);
		/* Nobody else has it: no waiting for who might object. */
		if (nl_addr_get_family(local) == AF_INET6)
			rtnl_addr_set_flags(a, IFA_F_NODAD);
		r = rtnl_addr_add(sk, a, 0);
	}
	rtnl_addr_put(a);
	nl_addr_put(local);
	if (index < 0)
		return index;
	return r < 0 ? said(e, r, "address of", name) : 0;
}

int link_address(struct nl_sock *sk, const char *name, in_addr_t a,
		 unsigned prefix, struct err *e)
{
	in_addr_t raw = htonl(a);

	return add_address(sk, name,
			   addr_of(AF_INET, &raw, sizeof(raw), prefix), e);
}

int link_address6(struct nl_sock *sk, const char *name,
		  const struct in6_addr *a, unsigned prefix, struct err *e)
{
	return add_address(sk, name, addr_of(AF_INET6, a, sizeof(*a), prefix),
			   e);
}

static int add_route(struct nl_sock *sk, const char *name, struct nl_addr *to,
		     struct nl_addr *via, struct err *e)
{
	struct rtnl_route *r = rtnl_route_alloc();
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	int index = index_of(name, e), n = -NLE_NOMEM;

	if (r && hop && to && index > 0) {
		rtnl_route_set_family(r, (uint8_t)nl_addr_get_family(to));
		rtnl_route_set_dst(r, to);
		rtnl_route_set_table(r, RT_TABLE_MAIN);
		rtnl_route_set_protocol(r, RTPROT_STATIC);
		rtnl_route_set_scope(r,
				     via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
		rtnl_route_nh_set_ifindex(hop, index);
		if (via) {
			rtnl_route_nh_set_gateway(hop, via);
			rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
		}
		rtnl_route_add_nexthop(r, hop);
		hop = NULL;
		n = rtnl_route_add(sk, r, 0);
	}
	if (hop)
		rtnl_route_nh_free(hop);
	rtnl_route_put(r);
	nl_addr_put(to);
	nl_addr_put(via);
	if (index < 0)
		return index;
	return n < 0 ? said(e, n, "route over", name) : 0;
}

int link_route(struct nl_sock *sk, const char *name, in_addr_t to,
	       unsigned prefix, in_addr_t via, struct err *e)
{
	in_addr_t rawto = htonl(to), rawvia = htonl(via);

	return add_route(
		sk, name, addr_of(AF_INET, &rawto, sizeof(rawto), prefix),
		via ? addr_of(AF_INET, &rawvia, sizeof(rawvia), 32) : NULL, e);
}

int link_route6(struct nl_sock *sk, const char *name, const struct in6_addr *to,
		unsigned prefix, const struct in6_addr *via, struct err *e)
{
	return add_route(sk, name, addr_of(AF_INET6, to, sizeof(*to), prefix),
			 via ? addr_of(AF_INET6, via, sizeof(*via), 128) : NULL,
			 e);
}

int link_veth(struct nl_sock *sk, const char *name, const char *peer, pid_t pid,
	      struct err *e)
{
	int r = rtnl_link_veth_add(sk, name, peer, pid);

	return r < 0 ? said(e, r, "veth pair", name) : 0;
}

int link_remove(struct nl_sock *sk, const char *name, struct err *e)
{
	struct rtnl_link *which = rtnl_link_alloc();
	unsigned index = if_nametoindex(name);
	int r = which ? 0 : -NLE_NOMEM;

	if (which && index > 0) {
		rtnl_link_set_ifindex(which, (int)index);
		r = rtnl_link_delete(sk, which);
	}
	rtnl_link_put(which);
	return r < 0 ? said(e, r, "remove", name) : 0;
}
