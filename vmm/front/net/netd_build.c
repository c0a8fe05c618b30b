/* SPDX-License-Identifier: Apache-2.0 */
/* netd_build.c - a box's network, made; netd.h. The order: what the host has to
 * be asked, while we are who we were; the namespaces; what is in them. */
#include "net/netd.h"

#include "base/auto.h"
#include "jail/ids.h"
#include "net/blocked.h"
#include "net/link.h"
#include "net/loopback.h"
#include "net/netns.h"
#include "net/six.h"
#include "net/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <net/if.h>

#define MTU_USUAL 1500

/* The user mode's guest is alone on its segment, always the same one. */
static const struct addr_plan user_addr = {
	.guest = 0x0a00020f,	/* 10.0.2.15 */
	.gateway = 0x0a000202,	/* 10.0.2.2 */
	.resolver = 0x0a000203, /* 10.0.2.3 */
	.prefix = 24,
	.up = 0x0a000301,   /* 10.0.3.1 */
	.host = 0x0a000302, /* 10.0.3.2: nobody, pasta answers for it */
	.up_prefix = 30,
};

static bool is_nat(const struct netd *n)
{
	return n->req->mode == VIAL__NET__MODE__NAT;
}

/* ---- on the host ---- */

/* Of the interface that leads out. */
static unsigned host_mtu(void)
{
	autoclose int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	FILE *f = fopen("/proc/net/route", "re");
	struct ifreq ifr = { 0 };
	char line[256], name[IFNAMSIZ];
	unsigned long to = 1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%15s %lx", name, &to) == 2 && to == 0) {
			memcpy(ifr.ifr_name, name, sizeof(name));
			break;
		}
	if (f)
		fclose(f);
	if (*ifr.ifr_name && s >= 0 && ioctl(s, SIOCGIFMTU, &ifr) == 0 &&
	    ifr.ifr_mtu >= 576 && ifr.ifr_mtu <= 65535)
		return (unsigned)ifr.ifr_mtu;
	return MTU_USUAL;
}

/* An ordinary user's box that is on no network yet may join one later, and is
 * there without that as well. */
static int find_place(struct netd *n, struct err *e)
{
	struct err ignored;

	if (n->req->network)
		return lan_place_open(&n->place, n->req->folder, e);
	if (*n->req->folder && ids_choose() != IDS_OWN)
		lan_place_open(&n->place, n->req->folder, &ignored);
	return 0;
}

/* The guest's address is then one of that network. */
static int join(struct netd *n, struct err *e)
{
	if (find_place(n, e) < 0)
		return -e->code;
	if (!n->req->network)
		return 0;
	if (lan_join(&n->nets[0].lan, &n->place, n->req->network, e) < 0)
		return -e->code;
	n->addr.guest = n->nets[0].lan.address;
	n->addr.prefix = 32;
	return 0;
}

/* Not a failure: it may be seen wrongly, and a box can work without. */
static void warn_blocked(struct netd *n)
{
	struct blocked b;
	struct err e;
	char remedy[200];

	if (blocked_find(&b, NFPROTO_IPV4, &e) == 0 && *b.chain)
		snprintf(n->warning, sizeof(n->warning),
			 "the host's table %s drops what boxes send (run: %s)",
			 b.table, blocked_remedy(&b, remedy, sizeof(remedy)));
}

/* What neither rules nor pasta lead on. */
static int open_doors(struct netd *n, struct err *e)
{
	if (doors_new(&n->doors, n->addr.guest, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n->ports.n; i++) {
		struct port *p = &n->ports.v[i];

		if (port_six(p) && p->fd >= 0 &&
		    doors_add(n->doors, take_fd(&p->fd), p->udp, p->guest, e) <
			    0)
			return -e->code;
	}
	return 0;
}

/* What the host asks for on its own loopback, behind pasta. */
static int open_loopback(struct netd *n, struct err *e)
{
	if (is_nat(n))
		return 0;
	for (size_t i = 0; n->addr.six && i < n->ports.n; i++) {
		const struct port *p = &n->ports.v[i];

		if (port_six(p) && pasta_has(&n->addr, p) &&
		    doors_add_loopback(n->doors, p->udp, p->guest, e) < 0)
			return -e->code;
	}
	return 0;
}

static int prepare_nat(struct netd *n, struct err *e)
{
	if (ids_choose() != IDS_OWN)
		return err_set(e, EPERM,
			       "nat is for root (--network user is not)");
	if (netns_get("ipv4/ip_forward") != 1)
		return err_set(e, EHOSTUNREACH,
			       "the host forwards nothing (run: sysctl "
			       "net.ipv4.ip_forward=1)");
	if (pool_take(&n->lease, NULL, &n->addr, e) < 0 || join(n, e) < 0 ||
	    ports_hold(&n->ports, e) < 0 || open_doors(n, e) < 0)
		return -e->code;
	n->mtu = host_mtu();
	if (!six_missing(true))
		six_plan(&n->addr, n->lease.block);
	warn_blocked(n);
	return hostnft_open(&n->nft, n->name, n->link, &n->addr, &n->ports, e);
}

/* pasta takes the ports itself; that they are free is known before. */
static int prepare_user(struct netd *n, struct err *e)
{
	n->addr = user_addr;
	n->mtu = PASTA_MTU;
	if (!six_missing(false))
		six_plan(&n->addr, SIX_ALONE);
	if (join(n, e) < 0 || ports_hold(&n->ports, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n->ports.n; i++)
		if (pasta_has(&n->addr, &n->ports.v[i]))
			ports_release(&n->ports.v[i]);
	return open_doors(n, e);
}

static struct ip ip4(in_addr_t a)
{
	in_addr_t net = htonl(a);
	struct ip ip = { .len = 4 };

	memcpy(ip.b, &net, sizeof(net));
	return ip;
}

static struct ip ip6(const struct in6_addr *a)
{
	struct ip ip = { .len = sizeof(*a) };

	memcpy(ip.b, a, sizeof(*a));
	return ip;
}

/* Those of the request in place of the host's own. */
static int set_servers(const struct netd *n, struct egress_conf *c,
		       struct err *e)
{
	if (n->req->n_servers > EGRESS_SERVERS)
		return err_set(e, E2BIG, "more than %d name servers",
			       EGRESS_SERVERS);
	for (size_t i = 0; i < n->req->n_servers; i++) {
		c->nservers = i + 1;
		if (!ip_parse(n->req->servers[i], &c->server[i]))
			return err_set(e, EINVAL, "'%s' is not an IP address",
				       n->req->servers[i]);
	}
	return 0;
}

/* The policy, while the host's name servers can still be reached. */
static int prepare_egress(struct netd *n, struct err *e)
{
	struct egress_conf c = EGRESS_CONF_INIT;
	const Vial__Net__Egress *want = n->req->egress;
	autofree struct egress_port *ports =
		calloc(n->ports.n + 1, sizeof(*ports));

	if (!ports)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n->ports.n; i++)
		ports[i] = (struct egress_port){ n->ports.v[i].udp,
						 n->ports.v[i].guest };
	c.ports = ports;
	c.nports = n->ports.n;
	if (want) {
		c.list = (const char *const *)want->rules;
		c.nlist = want->n_rules;
		c.log_fd = want->log_fd ? (int)want->log_fd : -1;
		c.record_fd = want->record_fd ? (int)want->record_fd : -1;
		c.log_max = want->log_max_bytes;
	}
	memcpy(c.mac, n->req->mac.data, sizeof(c.mac));
	c.guest4 = ip4(n->addr.guest);
	c.resolver4 = ip4(n->addr.resolver);
	if (n->addr.six) {
		c.guest6 = ip6(&n->addr.guest6);
		c.resolver6 = ip6(&n->addr.gateway6);
	}
	if (egress_conf_host(&c, NULL, e) < 0 || set_servers(n, &c, e) < 0 ||
	    egress_new(&n->egress, &c, e) < 0)
		return -e->code;
	return netd_names(n, e);
}

static unsigned queues(const struct netd *n)
{
	return MIN(MAX(n->req->queues, 1), TAP_MAX);
}

static int start_host(struct netd *n, struct err *e)
{
	const struct host_job job = { .veth = is_nat(n),
				      .link = n->link,
				      .addr = &n->addr,
				      .mtu = n->mtu,
				      .queues = queues(n),
				      .lan = n->nets[0].lan.netns };

	return host_fork(&n->host, &job, e);
}

static int prepare(struct netd *n, struct err *e)
{
	int r = is_nat(n) ? prepare_nat(n, e) : prepare_user(n, e);

	if (r == 0)
		r = prepare_egress(n, e);
	return r == 0 && ids_choose() == IDS_OWN ? start_host(n, e) : r;
}

/* ---- the namespaces ---- */

int netd_roof(const struct netd *n)
{
	const struct lan *l = &n->nets[0].lan;

	return l->roof >= 0 ? l->roof : n->place.roof.ns;
}

/* From there an ordinary user's child sees both namespaces that it links; what
 * else there is to do, who is not root may do in the box's own. */
static int enter_roof(struct netd *n, struct err *e)
{
	if (netd_roof(n) < 0)
		return 0;
	if (roof_enter(netd_roof(n), e) < 0)
		return -e->code;
	return n->nets[0].lan.netns >= 0 ? start_host(n, e) : 0;
}

static int enter(struct netd *n, struct err *e)
{
	pid_t self = getpid();

	if (netns_become(e) < 0 || enter_roof(n, e) < 0)
		return -e->code;
	if (!is_nat(n) &&
	    (netns_user(true, e) < 0 ||
	     pasta_fork(&n->pasta, &n->addr, &n->ports, self, e) < 0))
		return -e->code;
	if (netns_box(e) < 0)
		return -e->code;
	n->netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return n->netns < 0 ? err_sys(e, "the box's network") : 0;
}

static int make_links(struct netd *n, struct err *e)
{
	int r = 0;

	if (n->host.pid > 0)
		r = host_go(&n->host, &n->tap, e);
	else
		r = tap_open_all(&n->tap, HOST_TAP, queues(n), e);
	if (r >= 0 && n->pasta.pid > 0)
		r = pasta_go(&n->pasta, e);
	netns_close_door();
	return r < 0 ? r : 0;
}

/* ---- inside ---- */

static int set(const char *const settings[][2], size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (netns_set(settings[i][0], settings[i][1], e) < 0)
			return -e->code;
	return 0;
}

static int set_all(const struct netd *n, struct err *e)
{
	static const char *const four[][2] = {
		{ "ipv4/ip_forward", "1" },
		{ "ipv4/conf/all/send_redirects", "0" },
		{ "ipv4/conf/default/send_redirects", "0" },
		{ "ipv4/conf/all/accept_redirects", "0" },
		{ "ipv4/conf/default/accept_redirects", "0" },
		/* What pasta brings from the host's loopback. */
		{ "ipv4/ip_unprivileged_port_start", "0" },
	};

	/* Who forwards listens to no routers either. */
	static const char *const six[][2] = {
		{ "ipv6/conf/all/forwarding", "1" },
		{ "ipv6/conf/all/accept_redirects", "0" },
		{ "ipv6/conf/default/accept_redirects", "0" },
	};

	if (set(four, ARRAY_LEN(four), e) < 0)
		return -e->code;
	return n->addr.six ? set(six, ARRAY_LEN(six), e) : 0;
}

static int furnish_lan(struct netd *n, struct nl_sock *sk, struct err *e)
{
	if (n->nets[0].lan.netns < 0)
		return 0;
	if (link_address(sk, LAN_LINK, LAN_HERE, 32, e) < 0 ||
	    link_up(sk, LAN_LINK, n->mtu, e) < 0)
		return -e->code;
	return link_route(sk, LAN_LINK, n->nets[0].lan.subnet,
			  n->nets[0].lan.prefix, LAN_THERE, e);
}

static int furnish_up(const struct netd *n, struct nl_sock *sk, struct err *e)
{
	const struct addr_plan *a = &n->addr;

	if (link_address(sk, HOST_UP, a->up, a->up_prefix, e) < 0 ||
	    link_up(sk, HOST_UP, n->mtu, e) < 0)
		return -e->code;
	if (link_route(sk, HOST_UP, INADDR_ANY, 0, a->host, e) < 0)
		return -e->code;
	if (!a->six)
		return 0;
	if (link_address6(sk, HOST_UP, &a->up6, SIX_BITS, e) < 0)
		return -e->code;
	return link_route6(sk, HOST_UP, &in6addr_any, 0, &a->host6, e);
}

int netd_raise(struct netd *n, struct err *e)
{
	struct nl_sock *sk = link_open(e);
	int r;

	if (!sk)
		return -e->code;
	r = furnish_up(n, sk, e);
	link_close(sk);
	return r;
}

static int furnish_with(struct netd *n, struct nl_sock *sk, struct err *e)
{
	const struct addr_plan *a = &n->addr;

	if (link_up(sk, "lo", 0, e) < 0 ||
	    link_address(sk, HOST_TAP, a->gateway, a->prefix, e) < 0)
		return -e->code;
	if (a->resolver != a->gateway &&
	    link_address(sk, HOST_TAP, a->resolver, a->prefix, e) < 0)
		return -e->code;
	if (a->six &&
	    link_address6(sk, HOST_TAP, &a->gateway6, SIX_BITS, e) < 0)
		return -e->code;
	if (link_up(sk, HOST_TAP, n->mtu, e) < 0 ||
	    (a->prefix == 32 &&
	     link_route(sk, HOST_TAP, a->guest, 32, INADDR_ANY, e) < 0) ||
	    furnish_lan(n, sk, e) < 0)
		return -e->code;
	return furnish_up(n, sk, e);
}

static int furnish(struct netd *n, struct err *e)
{
	struct nl_sock *sk;
	int r;

	if (set_all(n, e) < 0 ||
	    (!is_nat(n) && loopback_open(&n->addr, &n->ports, e) < 0))
		return -e->code;
	sk = link_open(e);
	if (!sk)
		return -e->code;
	r = furnish_with(n, sk, e);
	link_close(sk);
	return r < 0 ? r : open_loopback(n, e);
}

int netd_build(struct netd *n, struct err *e)
{
	if (prepare(n, e) < 0 || enter(n, e) < 0 || make_links(n, e) < 0 ||
	    furnish(n, e) < 0 || egress_setup(n->egress, e) < 0)
		return -e->code;
	return netns_limit(e);
}
