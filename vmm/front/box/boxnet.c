/* SPDX-License-Identifier: Apache-2.0 */
#include "box/boxnet.h"

#include "base/auto.h"
#include "base/settings.h"
#include "box/create.h"
#include "box/netd.h"
#include "box/network.h"
#include "box/netegress.h"
#include "proto/net.pb-c.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* --network container:BOX */
#define BOX_OF "container:"
#define MODE_ROOM 300

const char *boxnet_mode(const struct spec *s)
{
	return s->network ? s->network : "default";
}

/* Of no manufacturer, and of this box: from its id. */
static void make_mac(const char *id, uint8_t mac[NETINFO_MAC])
{
	mac[0] = 0x02;
	for (size_t i = 1; i < NETINFO_MAC; i++) {
		char digits[3] = { id[2 * i], id[2 * i + 1], '\0' };

		mac[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

static int start(struct boxnet *n, const char *mode, const struct spec *s,
		 const struct box *b, int log, struct err *e)
{
	const struct netd_lan none = { .net = NULL };

	snprintf(n->info.mode, sizeof(n->info.mode), "%s", mode);
	if (netd_start(n, s, &none, b->id, log, e) == 0)
		return 0;
	snprintf(n->info.mode, sizeof(n->info.mode), "none");
	return err_wrap(e, "network %s", mode);
}

static bool is_mode(const char *word)
{
	static const char *const modes[] = { "default", "none", "nat", "user" };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (strcmp(word, modes[i]) == 0)
			return true;
	return false;
}

/* What vial.conf has for boxes that say nothing: [network] mode. */
static int configured(char mode[MODE_ROOM], struct err *e)
{
	json_t *all = settings_load(e);
	const json_t *text =
		json_object_get(json_object_get(all, "network"), "mode");
	const char *word = text ? json_string_value(text) : "default";
	bool known = word && is_mode(word);

	if (known)
		snprintf(mode, MODE_ROOM, "%s", word);
	else if (all)
		err_set(e, EINVAL,
			"vial.conf: [network] mode is none of default, none, "
			"nat, user");
	json_decref(all);
	return known && all ? 0 : -e->code;
}

/* What root has, what everybody has, or none and the reason. */
static int start_default(struct boxnet *n, const struct spec *s,
			 const struct box *b, int log, struct err *e)
{
	struct err nat = { 0 };

	if (geteuid() == 0 && start(n, "nat", s, b, log, &nat) == 0)
		return 0;
	/* Another way would not have a port that this one has not. */
	if (s->publish.n > 0 && nat.code == EADDRINUSE) {
		*e = nat;
		return -e->code;
	}
	if (start(n, "user", s, b, log, e) == 0)
		return 0;
	if (nat.code)
		*e = nat;
	if (s->publish.n > 0 || netegress_wanted(s))
		return -e->code;
	snprintf(n->missing, sizeof(n->missing), "%.199s", e->msg);
	return 0;
}

/* The network that another box is on. */
static int of_box(const char *what, struct network *net, struct err *e)
{
	struct box_info info;
	struct spec s;
	struct box b;
	int r;

	if (state_find(what, &info, e) < 0 || state_open(&b, info.id, e) < 0)
		return -e->code;
	r = box_load(&b, &s, e);
	if (r == 0 && (!s.network || is_mode(s.network) ||
		       strncmp(s.network, BOX_OF, strlen(BOX_OF)) == 0))
		r = err_set(e, EINVAL,
			    "box %s is on no network of several boxes (vial "
			    "network create)",
			    what);
	if (r == 0)
		r = network_get(s.network, net, e);
	spec_fini(&s);
	state_close(&b);
	return r;
}

static int start_network(struct boxnet *n, const struct spec *s,
			 const struct box *b, const char *name, int log,
			 struct err *e)
{
	const char *what = s->network;
	bool box = strncmp(what, BOX_OF, strlen(BOX_OF)) == 0;
	struct network net;
	struct netd_lan lan = { .net = &net, .name = name };
	int r;

	r = box ? of_box(what + strlen(BOX_OF), &net, e)
		: network_get(what, &net, e);
	if (r < 0)
		return r;
	snprintf(n->info.mode, sizeof(n->info.mode), "%s",
		 geteuid() == 0 ? "nat" : "user");
	r = netd_start(n, s, &lan, b->id, log, e);
	if (r < 0)
		err_wrap(e, "network %s", net.name);
	snprintf(n->info.network, sizeof(n->info.network), "%s", net.name);
	network_fini(&net);
	return r;
}

int boxnet_open(struct boxnet *n, const struct spec *s, const struct box *b,
		const char *name, unsigned cpus, int log, struct err *e)
{
	char mode[MODE_ROOM];
	int r;

	*n = (struct boxnet)BOXNET_INIT;
	n->rx_bps = s->limits.net_rx_bps;
	n->tx_bps = s->limits.net_tx_bps;
	/* A rate is for one pair of queues. */
	n->queues = n->rx_bps || n->tx_bps ? 1 : MIN(cpus, BOXNET_TAPS);
	snprintf(n->info.mode, sizeof(n->info.mode), "none");
	if (strlen(b->id) < 2ul * NETINFO_MAC)
		return err_set(e, EINVAL, "network: box %s has a short id",
			       b->id);
	make_mac(b->id, n->info.mac);
	snprintf(mode, sizeof(mode), "%s", s->network ? s->network : "");
	r = s->network ? 0 : configured(mode, e);
	if (r < 0)
		return r;
	if (strcmp(mode, "default") == 0)
		r = start_default(n, s, b, log, e);
	else if (!is_mode(mode))
		r = start_network(n, s, b, name, log, e);
	else if (strcmp(mode, "none") != 0)
		r = start(n, mode, s, b, log, e);
	if (r == 0)
		r = netinfo_write(&n->info, b, e);
	if (r < 0)
		boxnet_close(n);
	return r;
}

void boxnet_hand_on(struct boxnet *n)
{
	for (size_t i = 0; i < BOXNET_TAPS; i++)
		if (n->tap[i] >= 0)
			close(take_fd(&n->tap[i]));
}

void boxnet_close(struct boxnet *n)
{
	boxnet_hand_on(n);
	if (n->sock >= 0)
		close(take_fd(&n->sock));
	while (n->pid > 0 && waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
		;
	n->pid = 0;
	netinfo_fini(&n->info);
}

bool boxnet_is(const struct boxnet *n)
{
	return n->pid > 0;
}

int boxnet_check(const struct boxnet *n, struct err *e)
{
	struct pollfd p = { .fd = n->sock, .events = POLLIN };

	if (!boxnet_is(n) || poll(&p, 1, 0) <= 0)
		return 0;
	return err_set(e, ENETDOWN, "network %s: vial-netd has ended",
		       n->info.mode);
}

int boxnet_probe(const struct boxnet *n, unsigned port, struct err *e)
{
	Vial__Net__Change m = VIAL__NET__CHANGE__INIT;

	if (!boxnet_is(n))
		return err_set(e, ENETDOWN, "it has no network");
	m.probe = port;
	return netd_change(n->sock, &m, -1, NULL, 0, e);
}

bool boxnet_plan(const struct boxnet *n, struct boxnet_plan *p, uint32_t fd)
{
	Vial__Plan__Net *net = &p->net;

	if (n->tap[0] < 0)
		return false;
	vial__plan__net__init(net);
	vial__plan__rate__init(&p->rx);
	vial__plan__rate__init(&p->tx);
	p->nets[0] = net;
	net->tap_fd = fd;
	net->mac.data = (uint8_t *)(uintptr_t)n->info.mac;
	net->mac.len = sizeof(n->info.mac);
	net->mtu = n->info.mtu;
	p->rx.bytes = n->rx_bps;
	p->tx.bytes = n->tx_bps;
	net->rx = &p->rx;
	net->tx = &p->tx;
	for (uint32_t i = 1; i < BOXNET_TAPS && n->tap[i] >= 0; i++)
		p->more[net->n_more_tap_fds++] = fd + i;
	net->more_tap_fds = p->more;
	return true;
}

static void set_resolver(const struct boxnet *n, const struct spec *s,
			 struct boxnet_setup *r)
{
	vial__agent__resolver__init(&r->resolver);
	/* The servers of --dns are asked by the box's resolver: only so are
	 * the names those of the list, and servers of a closed network of use. */
	r->servers[0] = netinfo_dotted(n->info.resolver, r->dns);
	r->resolver.servers = r->servers;
	r->resolver.n_servers = 1;
	r->resolver.search = s->dns_search.v;
	r->resolver.n_search = s->dns_search.n;
	r->resolver.options = s->dns_options.v;
	r->resolver.n_options = s->dns_options.n;
}

/* protobuf-c's structs have plain pointers for what they only read. */
static ProtobufCBinaryData bytes(const uint8_t *raw, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)raw };
}

void boxnet_setup(const struct boxnet *n, const struct spec *s,
		  struct boxnet_setup *r, Vial__Agent__Setup *m)
{
	const struct netinfo *i = &n->info;

	if (!boxnet_is(n))
		return;
	vial__agent__link__init(&r->link);
	vial__agent__address__init(&r->address);
	r->address.address = bytes(i->guest, sizeof(i->guest));
	r->address.prefix = i->prefix;
	r->addresses[0] = &r->address;
	r->gateways[0] = bytes(i->gateway, sizeof(i->gateway));
	r->link.mac = bytes(i->mac, sizeof(i->mac));
	r->link.mtu = i->mtu;
	if (i->prefix6) {
		vial__agent__address__init(&r->address6);
		r->address6.address = bytes(i->guest6, sizeof(i->guest6));
		r->address6.prefix = i->prefix6;
		r->addresses[1] = &r->address6;
		r->gateways[1] = bytes(i->gateway6, sizeof(i->gateway6));
	}
	r->link.addresses = r->addresses;
	r->link.n_addresses = i->prefix6 ? 2 : 1;
	r->link.gateways = r->gateways;
	r->link.n_gateways = i->prefix6 ? 2 : 1;
	r->links[0] = &r->link;
	m->links = r->links;
	m->n_links = 1;
	set_resolver(n, s, r);
	m->resolver = &r->resolver;
}
