/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - links, addresses and routes of the namespace the socket was opened
 * in, by netlink (libnl-route-3). Addresses are in host byte order. */
#pragma once

#include "base/err.h"

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

struct nl_sock;

/* NULL: e says why. */
struct nl_sock *link_open(struct err *e);
void link_close(struct nl_sock *sk);

/* mtu 0: as it is. */
int link_up(struct nl_sock *sk, const char *name, unsigned mtu, struct err *e);
int link_address(struct nl_sock *sk, const char *name, in_addr_t a,
		 unsigned prefix, struct err *e);
int link_address6(struct nl_sock *sk, const char *name,
		  const struct in6_addr *a, unsigned prefix, struct err *e);
/* prefix 0: everything. via INADDR_ANY: who is asked for is on the link. */
int link_route(struct nl_sock *sk, const char *name, in_addr_t to,
	       unsigned prefix, in_addr_t via, struct err *e);
int link_route6(struct nl_sock *sk, const char *name, const struct in6_addr *to,
		unsigned prefix, const struct in6_addr *via, struct err *e);
/* A pair: name here, peer in the network namespace of pid. -EEXIST: there is
 * one of that name. */
int link_veth(struct nl_sock *sk, const char *name, const char *peer, pid_t pid,
	      struct err *e);
/* What is not there is no failure. */
int link_remove(struct nl_sock *sk, const char *name, struct err *e);
