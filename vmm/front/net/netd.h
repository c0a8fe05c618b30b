/* SPDX-License-Identifier: Apache-2.0 */
/* netd.h - the network of one box, from the first message to its end.
 *
 * THEORY OF OPERATION
 *
 * vial-netd is a process beside each monitor whose box has a network. It is a
 * program of its own because it changes the host's network and reads what the
 * guest sends to its resolver, and what starts boxes need do neither.
 *
 *     guest ── tap vial0 │ the box's namespace: rules, │ up0 ── host
 *                        │ forwarding, resolver        │
 *
 * The namespace has no name: vial-netd is in it, and with the process the
 * kernel removes the interfaces, pairs and rules. It belongs to a user
 * namespace of its own, also when root starts it, so that the rights which
 * vial-netd keeps, to change rules in it, are none on the host.
 *
 *     main     the order of everything
 *     netd     the request, the answer, the loop; netd_build: what is made
 *     netns    the namespaces, the settings in them
 *     host     what root does outside of them, by a short-lived child
 *     link     links, addresses, routes
 *     tap      the interface whose other end is the monitor's
 *     pool     which addresses are whose          nat: a veth pair
 *     six      those of IPv6, if the host has it
 *     hostnft  the box's rules on the host        nat
 *     blocked  whether others' rules undo it      nat
 *     pasta    the way up without rights          user
 *     uplink   and whether it has come back       user
 *     ports    ports of the host that lead to the guest's
 *     loopback those of them that the host asks for itself    user
 *     doors    those that no rule can lead on; doors_udp: datagrams
 *     seal     what is given up when all is there
 *     lan      a network of several boxes; lan_keeper: who holds it
 *     meet     where boxes meet those who serve several of them
 *     roof     what lets an ordinary user link namespaces
 *     join     one that comes and goes while the box runs
 *     egress   what the guest may reach, names, the log (egress.h)
 *
 * Killed at any point it leaves nothing but an empty lease file, which the
 * next one removes. */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "net/addr.h"
#include "net/egress.h"
#include "net/host.h"
#include "net/hostnft.h"
#include "net/lan.h"
#include "net/pasta.h"
#include "net/pool.h"
#include "net/ports.h"
#include "net/doors.h"
#include "net/uplink.h"
#include "proto/chan.h"
#include "proto/net.pb-c.h"

#include <stdint.h>

/* The socket by which it is started. */
#define NETD_FD 3

#define NETD_MAC 6

struct netd;

/* A network of several boxes that the box is on. */
struct netd_net {
	struct netd *netd;
	char id[65]; /* "": none */
	struct lan lan;
	struct ip guest; /* of one that came later: the guest's there */
	struct watch watch;
};

struct netd {
	struct chan chan;
	struct watch chan_watch, pasta_watch;
	struct loop loop;
	Vial__Net__Request *req;
	char name[24]; /* "vial-" and the begin of the box's id: a table */
	char link[16]; /* HOST_LINK and it: the host's end of the pair */
	struct addr_plan addr;
	unsigned mtu;
	struct pool_lease lease;
	struct ports ports;
	struct doors *doors;
	struct hostnft nft;
	struct host host;
	struct pasta pasta;
	struct uplink uplink;
	struct egress *egress;
	/* The first is what it was started on, the others came later. */
	struct netd_net nets[1 + LAN_LATER_MAX];
	struct lan_place place;
	struct tap tap;
	int netns;
	char warning[400]; /* "": none */
};

#define NETD_INIT                                                              \
	{                                                                      \
		.chan.fd = -1, .loop.epfd = -1, .pasta_watch.fd = -1,          \
		.lease = POOL_LEASE_INIT, .host = HOST_INIT,                   \
		.pasta = PASTA_INIT, .uplink = UPLINK_INIT,                    \
		.nets = { [0 ... LAN_LATER_MAX] = { .lan = LAN_INIT } },       \
		.place = LAN_PLACE_INIT, .netns = -1                           \
	}

/* Reads and checks the request. */
int netd_recv(struct netd *n, struct err *e);
/* Namespace, interfaces, rules (netd_build.c). */
int netd_build(struct netd *n, struct err *e);
/* Address and route of the way up, which has been made anew. */
int netd_raise(struct netd *n, struct err *e);
/* What the box's namespaces are below; -1: nothing of ours. */
int netd_roof(const struct netd *n);
/* All names that are answered here: those of the request and of members. */
int netd_names(struct netd *n, struct err *e);
/* Tells that all is there, and hands the tap out. */
int netd_answer(struct netd *n, struct err *e);
/* Tells why not. */
void netd_refuse(struct netd *n, const struct err *why);
/* Until the socket ends. */
int netd_serve(struct netd *n, struct err *e);
void netd_fini(struct netd *n);
