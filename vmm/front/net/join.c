/* SPDX-License-Identifier: Apache-2.0 */
#include "net/join.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "net/host.h"
#include "net/lan.h"
#include "net/link.h"
#include "net/netd.h"
#include "net/nftrun.h"
#include "proto/chan.h"
#include "proto/net.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#define LATE_TEXT 24

static void link_of(const Vial__Net__Late *l, char name[LATE_TEXT])
{
	snprintf(name, LATE_TEXT, LAN_LATER, l->link);
}

static Vial__Net__Request *hear(struct chan *c, struct err *e)
{
	Vial__Net__Request *r;

	chan_init(c, NETD_FD);
	r = (Vial__Net__Request *)chan_recv(c, &vial__net__request__descriptor,
					    e);
	if (!r ||
	    (r->late && r->late->link >= 1 && r->late->link <= LAN_LATER_MAX &&
	     r->late->guest.len == sizeof(in_addr_t)))
		return r;
	vial__net__request__free_unpacked(r, NULL);
	err_set(e, EINVAL, "not a request");
	return NULL;
}

static void answer(struct chan *c, const struct lan *l, const struct err *why)
{
	Vial__Net__Answer a = VIAL__NET__ANSWER__INIT;
	Vial__Net__Family f = VIAL__NET__FAMILY__INIT, *all[1] = { &f };
	in_addr_t net = htonl(l->address);
	char text[sizeof(why->msg)];

	memcpy(text, why->msg, sizeof(text));
	a.error = (uint32_t)why->code;
	a.message = text;
	f.guest = (ProtobufCBinaryData){ sizeof(net), (uint8_t *)&net };
	f.prefix = l->prefix;
	a.families = all;
	a.n_families = 1;
	a.members = l->members;
	if (passfd_send(c->fd, "", 1, &l->chan.fd,
			why->code == 0 && l->chan.fd >= 0) == 1)
		chan_send(c, &a.base);
}

/* The box's namespace; whoever else has that number now has no such tap. */
static int enter(const Vial__Net__Late *l, struct err *e)
{
	char path[64];
	autoclose int ns = -1;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", l->process);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
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

static int translate(const Vial__Net__Late *late, const char *link,
		     in_addr_t address, struct err *e)
{
	char text[512], mine[INET_ADDRSTRLEN], guest[INET_ADDRSTRLEN];
	struct in_addr a = { htonl(address) };

	inet_ntop(AF_INET, &a, mine, sizeof(mine));
	inet_ntop(AF_INET, late->guest.data, guest, sizeof(guest));
	snprintf(text, sizeof(text),
		 "table ip vial-%s {\n"
		 "chain coming {\ntype nat hook prerouting priority dstnat\n"
		 "iifname \"%s\" ip daddr %s dnat to %s\n}\n"
		 "chain leaving {\ntype nat hook postrouting priority srcnat\n"
		 "oifname \"%s\" snat to %s\n}\n}\n",
		 link, link, mine, guest, link, mine);
	return run(text, e);
}

/* Within the box's namespace: its end of the pair. */
static int furnish(const Vial__Net__Late *late, const char *link,
		   const struct lan *l, struct err *e)
{
	struct nl_sock *sk = link_open(e);
	int r;

	if (!sk)
		return -e->code;
	r = link_address(sk, link, LAN_HERE, 32, e);
	if (r == 0)
		r = link_up(sk, link, late->mtu, e);
	if (r == 0)
		r = link_route(sk, link, l->subnet, l->prefix, LAN_THERE, e);
	link_close(sk);
	return r < 0 ? r : translate(late, link, l->address, e);
}

static int leave(const Vial__Net__Late *late, struct err *e)
{
	struct nl_sock *sk;
	char link[LATE_TEXT], text[96];
	int r;

	link_of(late, link);
	if (enter(late, e) < 0)
		return -e->code;
	sk = link_open(e);
	if (!sk)
		return -e->code;
	r = link_remove(sk, link, e);
	link_close(sk);
	/* One that is not there is made, so that it can be removed. */
	snprintf(text, sizeof(text),
		 "table ip vial-%s\ndelete table ip vial-%s\n", link, link);
	return r < 0 ? r : run(text, e);
}

static int join(const Vial__Net__Request *r, struct lan *l, struct err *e)
{
	const Vial__Net__Late *late = r->late;
	char link[LATE_TEXT];
	struct err ignored;

	if (!r->network)
		return err_set(e, EINVAL, "not a request");
	link_of(late, link);
	/* Before anything is made: is it the box? */
	if (enter(late, e) < 0 || lan_join(l, r->network, e) < 0 ||
	    host_lan(l->netns, l->address, link, late->mtu,
		     (pid_t)late->process, e) < 0 ||
	    enter(late, e) < 0)
		return -e->code;
	if (furnish(late, link, l, e) == 0)
		return 0;
	/* Half of it would be in the way of the next one. */
	leave(late, &ignored);
	return -e->code;
}

int join_run(struct err *e)
{
	struct lan l = LAN_INIT;
	struct chan c;
	Vial__Net__Request *r = hear(&c, e);

	if (r)
		join(r, &l, e);
	answer(&c, &l, e);
	lan_fini(&l);
	if (r)
		vial__net__request__free_unpacked(r, NULL);
	chan_fini(&c);
	return -e->code;
}

int join_leave(struct err *e)
{
	const struct lan none = LAN_INIT;
	struct chan c;
	Vial__Net__Request *r = hear(&c, e);

	if (r)
		leave(r->late, e);
	answer(&c, &none, e);
	if (r)
		vial__net__request__free_unpacked(r, NULL);
	chan_fini(&c);
	return -e->code;
}
