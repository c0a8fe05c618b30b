/* SPDX-License-Identifier: Apache-2.0 */
/* egress.h - what the guest of one box may reach, enforced outside of it.
 *
 * In the box's network namespace between the guest's tap and the way up: a
 * packet filter (policy_nft.h), the guest's name server (resolver.h) that
 * answers only the names it may ask and opens the addresses it returned, the
 * account of connections (flows.h) and the log of all that (egresslog.h).
 *
 * The order, and where each is called:
 *
 *     egress_conf_host()	host's netns	name servers, host's addresses
 *     egress_new()		host's netns	sockets to the name servers
 *     egress_setup()		box's netns	tap, its addresses and the way
 *						up exist; the guest does not run
 *     egress_start()		anywhere	needs no more files or sockets,
 *						but CAP_NET_ADMIN over the box
 *     egress_stop()		anywhere	the last lines of the log */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "net/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRESS_TAP "vial0"
#define EGRESS_TAPS "vial*" /* with those of networks joined later */
#define EGRESS_UP "up0"
#define EGRESS_PEERS "net0" /* others of the same network (lan.h) */

#define EGRESS_SERVERS 3
#define EGRESS_HOST_ADDRS 64
#define EGRESS_LOG_MAX (16ull << 20)

/* A port of the guest's that others may connect to. */
struct egress_port {
	bool udp;
	uint16_t port;
};

struct egress_conf {
	/* As --egress has it, a word each (policy.h); none: "all". */
	const char *const *list;
	size_t nlist;

	uint8_t mac[6]; /* the guest's */
	struct ip guest4, guest6;
	struct ip resolver4, resolver6; /* on the tap's side of the netns */

	struct ip server[EGRESS_SERVERS]; /* that the resolver asks */
	size_t nservers;
	/* Closed, as private ranges are. */
	struct ip_range host[EGRESS_HOST_ADDRS];
	size_t nhost;
	const struct egress_port *ports; /* what else comes in has no answer */
	size_t nports;

	int log_fd;	  /* JSON lines; -1: none. Borrowed. */
	int record_fd;	  /* the list of what was used; -1: none. Borrowed. */
	uint64_t log_max; /* bytes; 0: EGRESS_LOG_MAX */
};

#define EGRESS_CONF_INIT                                                       \
	{                                                                      \
		.log_fd = -1, .record_fd = -1                                  \
	}

/* Adds the name servers of a file as resolv.conf (NULL: the host's), and the
 * addresses of this network namespace; of IPv6 with them who is on the same
 * links: what a private range keeps among themselves with IPv4 has addresses of
 * the internet there. */
int egress_conf_host(struct egress_conf *c, const char *resolv_conf,
		     struct err *e);

struct egress;

/* Copies what it needs of c but for the descriptors. */
int egress_new(struct egress **out, const struct egress_conf *c, struct err *e);
int egress_setup(struct egress *eg, struct err *e);
int egress_start(struct egress *eg, struct loop *l, struct err *e);
/* A name that is answered here, for boxes that share a network. Any time after
 * egress_new(). */
int egress_add_host(struct egress *eg, const char *name, const struct ip *ip,
		    struct err *e);
void egress_forget_hosts(struct egress *eg);
/* An address that the guest has on a network it joined, and has no more: what
 * comes from there is the guest's. */
void egress_add_guest(struct egress *eg, const struct ip *ip);
void egress_drop_guest(struct egress *eg, const struct ip *ip);
/* Connections that are still there are logged as they are. */
void egress_stop(struct egress *eg);
void egress_free(struct egress *eg);
