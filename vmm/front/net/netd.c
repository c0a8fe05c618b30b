/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netd.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/passfd.h"
#include "net/seal.h"
#include "net/six.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ID_SHOWN 12
#define PROBE_MS 200

/* ---- the request ---- */

static int take_port(const Vial__Net__Port *from, struct port *to,
		     struct err *e)
{
	struct ip ip = { .len = 0 };

	if (*from->address && !ip_parse(from->address, &ip))
		return err_set(e, EINVAL, "'%.60s' is no address",
			       from->address);
	if (from->host > UINT16_MAX || from->guest > UINT16_MAX ||
	    from->guest == 0)
		return err_set(e, EINVAL, "a port is none");
	*to = (struct port){ .address = ip,
			     .host = (uint16_t)from->host,
			     .guest = (uint16_t)from->guest,
			     .udp = from->udp,
			     .fd = -1 };
	return 0;
}

static int take_ports(struct netd *n, struct err *e)
{
	if (n->req->n_ports > PORTS_MAX)
		return err_set(e, E2BIG, "more than %d ports", PORTS_MAX);
	n->ports.v = calloc(n->req->n_ports + 1, sizeof(*n->ports.v));
	if (!n->ports.v)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < n->req->n_ports; i++) {
		if (take_port(n->req->ports[i], &n->ports.v[i], e) < 0)
			return -e->code;
		n->ports.n++;
	}
	return ports_families(&n->ports, e);
}

int netd_recv(struct netd *n, struct err *e)
{
	ProtobufCMessage *m;

	chan_init(&n->chan, NETD_FD);
	m = chan_recv(&n->chan, &vial__net__request__descriptor, e);
	if (!m)
		return -e->code;
	n->req = (Vial__Net__Request *)m;
	if (strlen(n->req->id) < ID_SHOWN ||
	    strspn(n->req->id, "0123456789abcdef") < ID_SHOWN ||
	    n->req->mac.len != NETD_MAC)
		return err_set(e, EINVAL, "not a request");
	snprintf(n->name, sizeof(n->name), "vial-%.12s", n->req->id);
	snprintf(n->link, sizeof(n->link), HOST_LINK "%.12s", n->req->id);
	return take_ports(n, e);
}

/* ---- the answer ---- */

struct raw {
	uint8_t guest[4], gateway[4], resolver[4];
};

static void put4(ProtobufCBinaryData *to, uint8_t raw[4], in_addr_t a)
{
	in_addr_t net = htonl(a);

	memcpy(raw, &net, sizeof(net));
	*to = (ProtobufCBinaryData){ sizeof(net), raw };
}

static void put_four(Vial__Net__Family *f, struct raw *r,
		     const struct addr_plan *a)
{
	vial__net__family__init(f);
	put4(&f->guest, r->guest, a->guest);
	put4(&f->gateway, r->gateway, a->gateway);
	put4(&f->resolver, r->resolver, a->resolver);
	f->prefix = a->prefix;
}

static ProtobufCBinaryData bytes(struct in6_addr *a)
{
	return (ProtobufCBinaryData){ sizeof(*a), a->s6_addr };
}

static void put_six(Vial__Net__Family *f, struct addr_plan *a)
{
	vial__net__family__init(f);
	f->guest = bytes(&a->guest6);
	f->gateway = bytes(&a->gateway6);
	f->resolver = bytes(&a->gateway6);
	f->prefix = SIX_BITS;
}

struct said_port {
	Vial__Net__Port m;
	char address[IP_TEXT];
};

/* With numbers and families where there were none. */
static void put_port(struct said_port *to, const struct port *p)
{
	vial__net__port__init(&to->m);
	to->m.address = ip_text(&p->address, to->address);
	to->m.host = p->host;
	to->m.guest = p->guest;
	to->m.udp = p->udp;
}

static int send_answer(struct netd *n, Vial__Net__Answer *a)
{
	autofree struct said_port *said = calloc(n->ports.n + 1, sizeof(*said));
	autofree Vial__Net__Port **ports =
		calloc(n->ports.n + 1, sizeof(void *));

	if (!said || !ports)
		return -ENOMEM;
	for (size_t i = 0; i < n->ports.n; i++) {
		put_port(&said[i], &n->ports.v[i]);
		ports[i] = &said[i].m;
	}
	a->ports = ports;
	a->n_ports = n->ports.n;
	return chan_send(&n->chan, &a->base);
}

int netd_answer(struct netd *n, struct err *e)
{
	Vial__Net__Answer a = VIAL__NET__ANSWER__INIT;
	Vial__Net__Family four, six, *families[2] = { &four, &six };
	struct raw raw;
	int r;

	put_four(&four, &raw, &n->addr);
	put_six(&six, &n->addr);
	a.families = families;
	a.n_families = n->addr.six ? 2 : 1;
	a.mtu = n->mtu;
	a.warning = n->warning;
	r = (int)passfd_send(n->chan.fd, "", 1, n->tap.fd, n->tap.n);
	if (r > 0)
		r = send_answer(n, &a);
	/* It is the monitor's from now on, and ends with it. */
	tap_close(&n->tap);
	return r < 0 ? err_set(e, -r, "answer: %s", strerror(-r)) : 0;
}

void netd_refuse(struct netd *n, const struct err *why)
{
	Vial__Net__Answer a = VIAL__NET__ANSWER__INIT;
	char text[sizeof(why->msg)];

	memcpy(text, why->msg, sizeof(text));
	a.error = (uint32_t)why->code;
	a.message = text;
	if (passfd_send(n->chan.fd, "", 1, NULL, 0) == 1)
		chan_send(&n->chan, &a.base);
}

/* ---- networks that come and go ---- */

static int add_name(struct netd *n, const char *name,
		    const ProtobufCBinaryData *address, struct err *e)
{
	struct ip ip = { .len = (uint8_t)address->len };

	if (address->len != 4 && address->len != 16)
		return err_set(e, EINVAL, "not an address");
	memcpy(ip.b, address->data, ip.len);
	return egress_add_host(n->egress, name, &ip, e);
}

static int add_members(struct netd *n, const Vial__Net__Members *m,
		       struct err *e)
{
	for (size_t i = 0; i < m->n_members; i++)
		for (size_t j = 0; j < m->members[i]->n_names; j++)
			if (add_name(n, m->members[i]->names[j],
				     &m->members[i]->address, e) < 0)
				return -e->code;
	return 0;
}

int netd_names(struct netd *n, struct err *e)
{
	egress_forget_hosts(n->egress);
	for (size_t i = 0; i < n->req->n_names; i++) {
		const Vial__Net__Name *name = n->req->names[i];

		if (add_name(n, name->name, &name->address, e) < 0)
			return -e->code;
	}
	for (size_t i = 0; i < ARRAY_LEN(n->nets); i++)
		if (n->nets[i].lan.members &&
		    add_members(n, n->nets[i].lan.members, e) < 0)
			return -e->code;
	return 0;
}

static void lan_ready(struct watch *w, uint32_t events)
{
	struct netd_net *net = container_of(w, struct netd_net, watch);
	struct netd *n = net->netd;
	struct err e = { 0 };
	int error = chan_fill(&net->lan.chan);

	(void)events;
	while (error >= 0 && lan_news(&net->lan, &error))
		if (netd_names(n, &e) < 0)
			log_warn("box %.12s: %s", n->req->id, e.msg);
	if (error >= 0)
		return;
	loop_del(&n->loop, w);
	log_warn("box %.12s: its network's keeper has ended: who comes later "
		 "is not seen",
		 n->req->id);
}

static int watch_lan(struct netd *n, struct netd_net *net, struct err *e)
{
	net->netd = n;
	if (net->lan.chan.fd < 0)
		return 0;
	net->watch = (struct watch){ .fd = net->lan.chan.fd,
				     .name = "lan",
				     .ready = lan_ready };
	return loop_add(&n->loop, &net->watch, EPOLLIN, e);
}

static void drop_net(struct netd *n, struct netd_net *net)
{
	loop_del(&n->loop, &net->watch);
	lan_fini(&net->lan);
	egress_drop_guest(n->egress, &net->guest);
	*net->id = '\0';
}

static struct netd_net *find_net(struct netd *n, const char *id)
{
	for (size_t i = 1; i < ARRAY_LEN(n->nets); i++)
		if (strcmp(n->nets[i].id, id) == 0)
			return &n->nets[i];
	return NULL;
}

static void set_guest(struct netd *n, struct netd_net *net)
{
	const Vial__Net__Members *m = net->lan.members;

	net->guest = (struct ip){ 0 };
	if (!m || m->address.len != 4)
		return;
	net->guest.len = 4;
	memcpy(net->guest.b, m->address.data, 4);
	egress_add_guest(n->egress, &net->guest);
}

/* fd is the connection to its keeper; taken. */
static int add_net(struct netd *n, Vial__Net__Change *c, int fd, struct err *e)
{
	struct netd_net *net = find_net(n, "");

	if (!net || !*c->network || strlen(c->network) >= sizeof(net->id)) {
		close(fd);
		return err_set(e, ENOSPC, "the box is on too many networks");
	}
	snprintf(net->id, sizeof(net->id), "%s", c->network);
	chan_init(&net->lan.chan, fd);
	net->lan.members = take_ptr(&c->members);
	set_guest(n, net);
	if (watch_lan(n, net, e) == 0 && netd_names(n, e) == 0)
		return 0;
	drop_net(n, net);
	return -e->code;
}

/* To who links them with a network, and ends; nobody keeps them: without us
 * nothing is to be in there. */
static int give_namespaces(struct netd *n, struct err *e)
{
	const int fds[] = { n->netns, netd_roof(n) };

	if (passfd_send(n->chan.fd, "", 1, fds, fds[1] < 0 ? 1 : 2) != 1)
		return err_set(e, EPIPE, "gone");
	return 0;
}

/* From the box's namespace; who is silent is waited for a moment. */
static int probe(const struct netd *n, uint32_t port, struct err *e)
{
	autoclose int fd =
		socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(n->addr.guest),
	};
	int error = 0;
	socklen_t len = sizeof(error);

	if (fd < 0)
		return err_sys(e, "socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return 0;
	if (errno == EINPROGRESS && poll(&p, 1, PROBE_MS) == 1 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	    error == 0)
		return 0;
	return err_set(e, ECONNREFUSED, "nothing answers at port %u", port);
}

static int change(struct netd *n, int fd, struct err *e)
{
	Vial__Net__Change *c = (Vial__Net__Change *)chan_recv(
		&n->chan, &vial__net__change__descriptor, e);
	struct netd_net *net;
	int r;

	if (!c) {
		if (fd >= 0)
			close(fd);
		return -e->code;
	}
	net = find_net(n, c->network);
	if (c->namespaces || c->probe) {
		r = c->probe ? probe(n, c->probe, e) : give_namespaces(n, e);
		if (fd >= 0)
			close(fd);
	} else if (fd >= 0) {
		r = add_net(n, c, fd, e);
	} else {
		if (net && *c->network)
			drop_net(n, net);
		r = netd_names(n, e);
	}
	vial__net__change__free_unpacked(c, NULL);
	return r;
}

/* The box's end, or a network that it joins or leaves. */
static void chan_ready(struct watch *w, uint32_t events)
{
	struct netd *n = container_of(w, struct netd, chan_watch);
	Vial__Net__Answer a = VIAL__NET__ANSWER__INIT;
	struct err e = { 0 };
	char byte;
	int fd;

	(void)events;
	if (passfd_recv(n->chan.fd, &byte, 1, &fd, 1) <= 0) {
		loop_stop(&n->loop);
		return;
	}
	if (change(n, fd, &e) < 0) {
		a.error = (uint32_t)e.code;
		a.message = e.msg;
	}
	chan_send(&n->chan, &a.base);
}

/* ---- the loop ---- */

static void pasta_ready(struct watch *w, uint32_t events)
{
	struct netd *n = container_of(w, struct netd, pasta_watch);

	(void)events;
	loop_del(&n->loop, w);
	log_warn("box %.12s: pasta ends whenever it is started: the box's "
		 "network leads nowhere",
		 n->req->id);
}

static void pasta_back(struct uplink *u)
{
	struct netd *n = container_of(u, struct netd, uplink);
	struct err e = { 0 };

	if (netd_raise(n, &e) < 0)
		log_warn("box %.12s: pasta has ended: %s", n->req->id, e.msg);
	else
		log_warn("box %.12s: pasta has ended and was started again",
			 n->req->id);
}

static int watch_pasta(struct netd *n, struct err *e)
{
	if (n->pasta.pid == 0)
		return 0;
	n->pasta_watch =
		(struct watch){ .name = "pasta", .ready = pasta_ready };
	n->pasta_watch.fd = (int)syscall(SYS_pidfd_open, n->pasta.pid, 0);
	if (n->pasta_watch.fd < 0)
		return err_sys(e, "watch pasta");
	if (uplink_init(&n->uplink, HOST_UP, pasta_back, e) < 0 ||
	    uplink_start(&n->uplink, &n->loop, e) < 0)
		return -e->code;
	return loop_add(&n->loop, &n->pasta_watch, EPOLLIN, e);
}

int netd_serve(struct netd *n, struct err *e)
{
	int r;

	n->chan_watch = (struct watch){ .fd = n->chan.fd,
					.name = "vial",
					.ready = chan_ready };
	if (loop_init(&n->loop, NULL, e) < 0 ||
	    loop_add(&n->loop, &n->chan_watch, EPOLLIN | EPOLLRDHUP, e) < 0 ||
	    watch_pasta(n, e) < 0 || watch_lan(n, &n->nets[0], e) < 0 ||
	    egress_start(n->egress, &n->loop, e) < 0 ||
	    doors_start(n->doors, &n->loop, e) < 0)
		return -e->code;
	if (seal(-1, e) < 0)
		return -e->code;
	r = loop_run(&n->loop);
	egress_stop(n->egress);
	return r < 0 ? err_set(e, -r, "loop: %s", strerror(-r)) : 0;
}

void netd_fini(struct netd *n)
{
	if (n->egress)
		egress_free(n->egress);
	doors_free(n->doors);
	uplink_fini(&n->uplink);
	pasta_fini(&n->pasta);
	host_fini(&n->host);
	hostnft_close(&n->nft);
	ports_fini(&n->ports);
	pool_give(&n->lease);
	for (size_t i = 0; i < ARRAY_LEN(n->nets); i++)
		lan_fini(&n->nets[i].lan);
	lan_place_fini(&n->place);
	if (n->netns >= 0)
		close(n->netns);
	if (n->pasta_watch.fd >= 0)
		close(n->pasta_watch.fd);
	tap_close(&n->tap);
	loop_fini(&n->loop);
	if (n->req)
		vial__net__request__free_unpacked(n->req, NULL);
	chan_fini(&n->chan);
}
