/* SPDX-License-Identifier: Apache-2.0 */
#include "net/join.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "jail/ids.h"
#include "net/host.h"
#include "net/lan.h"
#include "net/link.h"
#include "net/netd.h"
#include "net/nftrun.h"
#include "net/tap.h"
#include "proto/chan.h"
#include "proto/net.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LATE_TEXT 24

/* The namespaces of a box: its network's, and what that is below (roof.h). */
enum { NET, ROOF, NS };

/* What a box has of one network that it joined. */
struct late {
	const Vial__Net__Late *ask;
	char link[LATE_TEXT], tap[LATE_TEXT];
	struct lan lan;
	int fd;	    /* of the tap; -1: none */
	int ns[NS]; /* the box's */
};

#define LATE_INIT                                                              \
	{                                                                      \
		.lan = LAN_INIT, .fd = -1, .ns = { -1, -1 }                    \
	}

static void name_links(struct late *l, const Vial__Net__Late *ask)
{
	l->ask = ask;
	snprintf(l->link, sizeof(l->link), LAN_LATER, ask->link);
	snprintf(l->tap, sizeof(l->tap), LAN_LATER_TAP, ask->link);
}

static void late_fini(struct late *l)
{
	lan_fini(&l->lan);
	if (l->fd >= 0)
		close(take_fd(&l->fd));
	for (int i = 0; i < NS; i++)
		if (l->ns[i] >= 0)
			close(take_fd(&l->ns[i]));
}

static bool is_request(const Vial__Net__Late *l)
{
	return l && l->link >= 1 && l->link <= LAN_LATER_MAX &&
	       l->mac.len == NETD_MAC;
}

static Vial__Net__Request *hear(struct chan *c, struct late *l, struct err *e)
{
	Vial__Net__Request *r;
	char byte;

	chan_init(c, NETD_FD);
	passfd_recv(NETD_FD, &byte, 1, l->ns, NS);
	r = (Vial__Net__Request *)chan_recv(c, &vial__net__request__descriptor,
					    e);
	if (!r || is_request(r->late))
		return r;
	vial__net__request__free_unpacked(r, NULL);
	err_set(e, EINVAL, "not a request");
	return NULL;
}

static void answer(struct chan *c, const struct late *late,
		   const struct err *why)
{
	const struct lan *l = &late->lan;
	const int fds[] = { l->chan.fd, late->fd };
	Vial__Net__Answer a = VIAL__NET__ANSWER__INIT;
	Vial__Net__Family f = VIAL__NET__FAMILY__INIT, *all[1] = { &f };
	in_addr_t net = htonl(l->address), gateway = htonl(l->subnet + 1);
	char text[sizeof(why->msg)];

	memcpy(text, why->msg, sizeof(text));
	a.error = (uint32_t)why->code;
	a.message = text;
	f.guest = (ProtobufCBinaryData){ sizeof(net), (uint8_t *)&net };
	f.gateway =
		(ProtobufCBinaryData){ sizeof(gateway), (uint8_t *)&gateway };
	f.prefix = l->prefix;
	a.families = all;
	a.n_families = 1;
	a.members = l->members;
	if (passfd_send(c->fd, "", 1, fds,
			why->code == 0 && late->fd >= 0 ? 2 : 0) == 1)
		chan_send(c, &a.base);
}

/* To where there are rights over the box and the network; root has them. */
static int rise(const struct late *l, struct err *e)
{
	if (ids_choose() == IDS_OWN)
		return 0;
	if (l->ns[ROOF] < 0)
		return err_set(e, EPERM,
			       "it was started where there is no place for "
			       "networks");
	return roof_enter(l->ns[ROOF], e);
}

static int enter(const struct late *l, struct err *e)
{
	if (l->ns[NET] < 0 || setns(l->ns[NET], CLONE_NEWNET) < 0)
		return err_sys(e, "enter the box's network");
	if (if_nametoindex(HOST_TAP) == 0)
		return err_set(e, ESRCH, "the box has ended");
	return 0;
}

static int run(const char *text, struct err *e)
{
	struct nft_ctx *ctx = nftrun_open(e);
	int r;

	if (!ctx)
		return -e->code;
	r = nftrun(ctx, text, e);
	nft_ctx_free(ctx);
	return r;
}

/* Nothing comes from the guest here but what is its own; where that may go is
 * the box's rules' (policy_nft.h). */
static int guard(const struct late *l, struct err *e)
{
	const uint8_t *m = l->ask->mac.data;
	char text[512], ip[INET_ADDRSTRLEN], mac[18];
	struct in_addr a = { htonl(l->lan.address) };

	inet_ntop(AF_INET, &a, ip, sizeof(ip));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
		 m[2], m[3], m[4], m[5]);
	snprintf(text, sizeof(text),
		 "table netdev vial-%s {\nchain guest {\n"
		 "type filter hook ingress device \"%s\" priority -500; "
		 "policy drop;\n"
		 "ether saddr != %s drop\n"
		 "arp saddr ether %s arp saddr ip { %s, 0.0.0.0 } accept\n"
		 "ip saddr %s accept\n}\n}\n",
		 l->link, l->tap, mac, mac, ip, ip);
	return run(text, e);
}

/* The network's first address is who the guest asks; nobody else has it. */
static int furnish_tap(const struct late *l, struct nl_sock *sk, struct err *e)
{
	if (link_address(sk, l->tap, l->lan.subnet + 1, 32, e) < 0 ||
	    link_up(sk, l->tap, l->ask->mtu, e) < 0)
		return -e->code;
	return link_route(sk, l->tap, l->lan.address, 32, INADDR_ANY, e);
}

/* Within the box's namespace: its end of the pair, and the guest's. */
static int furnish(struct late *l, struct err *e)
{
	struct nl_sock *sk;
	int r;

	l->fd = tap_open(l->tap, e);
	if (l->fd < 0 || guard(l, e) < 0)
		return -e->code;
	sk = link_open(e);
	if (!sk)
		return -e->code;
	r = link_address(sk, l->link, LAN_HERE, 32, e);
	if (r == 0)
		r = link_up(sk, l->link, l->ask->mtu, e);
	if (r == 0)
		r = link_route(sk, l->link, l->lan.subnet, l->lan.prefix,
			       LAN_THERE, e);
	if (r == 0)
		r = furnish_tap(l, sk, e);
	link_close(sk);
	return r;
}

/* What is not there is no failure: half of it may be. */
static int leave(const struct late *l, struct err *e)
{
	struct nl_sock *sk;
	char text[128];
	int r;

	if (enter(l, e) < 0)
		return -e->code;
	sk = link_open(e);
	if (!sk)
		return -e->code;
	r = link_remove(sk, l->tap, e);
	if (r == 0)
		r = link_remove(sk, l->link, e);
	link_close(sk);
	/* One that is not there is made, so that it can be removed. */
	snprintf(text, sizeof(text),
		 "table netdev vial-%s\ndelete table netdev vial-%s\n", l->link,
		 l->link);
	return r < 0 ? r : run(text, e);
}

/* The connection to the network's keeper is made from where we start. */
static int reach(const Vial__Net__Request *r, struct late *l, struct err *e)
{
	struct lan_place at = LAN_PLACE_INIT;

	if (lan_place_open(&at, r->folder, e) == 0)
		lan_join(&l->lan, &at, r->network, e);
	lan_place_fini(&at);
	if (e->code == 0 && l->lan.roof >= 0 && l->ns[ROOF] >= 0 &&
	    !roof_same(l->lan.roof, l->ns[ROOF]))
		err_set(e, EXDEV,
			"what held both together was killed (start the boxes "
			"again)");
	return e->code ? -e->code : rise(l, e);
}

static int join(const Vial__Net__Request *r, struct late *l, struct err *e)
{
	struct lan *lan = &l->lan;
	struct err ignored;

	if (!r->network)
		return err_set(e, EINVAL, "not a request");
	if (reach(r, l, e) < 0 ||
	    host_lan(lan->netns, lan->address, l->link, l->ask->mtu,
		     (pid_t)l->ask->process, e) < 0 ||
	    enter(l, e) < 0)
		return -e->code;
	if (furnish(l, e) == 0)
		return 0;
	/* Half of it would be in the way of the next one. */
	leave(l, &ignored);
	return -e->code;
}

static int serve(bool come, struct err *e)
{
	struct late l = LATE_INIT;
	struct chan c;
	Vial__Net__Request *r = hear(&c, &l, e);

	if (r) {
		name_links(&l, r->late);
		if (come)
			join(r, &l, e);
		else if (rise(&l, e) == 0)
			leave(&l, e);
	}
	answer(&c, &l, e);
	late_fini(&l);
	if (r)
		vial__net__request__free_unpacked(r, NULL);
	chan_fini(&c);
	return -e->code;
}

int join_run(struct err *e)
{
	return serve(true, e);
}

int join_leave(struct err *e)
{
	return serve(false, e);
}
