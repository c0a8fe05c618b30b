/* SPDX-License-Identifier: Apache-2.0 */
#include "net/netd.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/passfd.h"
#include "net/seal.h"
#include "net/six.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define ID_SHOWN 12

/* ---- the request ---- */

static int take_port(const Vial__Net__Port *from, struct port *to,
		     struct err *e)
{
	struct in_addr a = { INADDR_ANY };

	if (*from->address && inet_pton(AF_INET, from->address, &a) != 1)
		return err_set(e, EINVAL, "'%s' is no IPv4 address",
			       from->address);
	if (from->host > UINT16_MAX || from->guest > UINT16_MAX ||
	    from->guest == 0)
		return err_set(e, EINVAL, "a port is none");
	*to = (struct port){ .address = ntohl(a.s_addr),
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
	return 0;
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
	snprintf(n->link, sizeof(n->link), "vl%.12s", n->req->id);
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
	/* The same list, with numbers where there were none. */
	for (size_t i = 0; i < n->ports.n; i++)
		n->req->ports[i]->host = n->ports.v[i].host;
	a.ports = n->req->ports;
	a.n_ports = n->req->n_ports;
	r = (int)passfd_send(n->chan.fd, "", 1, &n->tap, 1);
	if (r > 0)
		r = chan_send(&n->chan, &a.base);
	/* It is the monitor's from now on, and ends with it. */
	close(take_fd(&n->tap));
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

/* ---- the loop ---- */

static int add_name(struct netd *n, const char *name,
		    const ProtobufCBinaryData *address, struct err *e)
{
	struct ip ip = { .len = (uint8_t)address->len };

	if (address->len != 4 && address->len != 16)
		return err_set(e, EINVAL, "not an address");
	memcpy(ip.b, address->data, ip.len);
	return egress_add_host(n->egress, name, &ip, e);
}

/* Nothing more is said on it: it can only end. */
static void chan_ready(struct watch *w, uint32_t events)
{
	struct netd *n = container_of(w, struct netd, chan_watch);

	(void)events;
	loop_stop(&n->loop);
}

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

int netd_names(struct netd *n, const Vial__Net__Members *m, struct err *e)
{
	egress_forget_hosts(n->egress);
	for (size_t i = 0; i < n->req->n_names; i++) {
		const Vial__Net__Name *name = n->req->names[i];

		if (add_name(n, name->name, &name->address, e) < 0)
			return -e->code;
	}
	for (size_t i = 0; m && i < m->n_members; i++)
		for (size_t j = 0; j < m->members[i]->n_names; j++)
			if (add_name(n, m->members[i]->names[j],
				     &m->members[i]->address, e) < 0)
				return -e->code;
	return 0;
}

static void lan_ready(struct watch *w, uint32_t events)
{
	struct netd *n = container_of(w, struct netd, lan_watch);
	Vial__Net__Members *m;
	struct err e = { 0 };
	int error = chan_fill(&n->lan.chan);

	(void)events;
	while (error >= 0 && (m = lan_news(&n->lan, &error)) != NULL) {
		if (netd_names(n, m, &e) < 0)
			log_warn("box %.12s: %s", n->req->id, e.msg);
		vial__net__members__free_unpacked(m, NULL);
	}
	if (error >= 0)
		return;
	loop_del(&n->loop, w);
	log_warn("box %.12s: its network's keeper has ended: who comes later "
		 "is not seen",
		 n->req->id);
}

static int watch_lan(struct netd *n, struct err *e)
{
	if (n->lan.chan.fd < 0)
		return 0;
	n->lan_watch = (struct watch){ .fd = n->lan.chan.fd,
				       .name = "lan",
				       .ready = lan_ready };
	return loop_add(&n->loop, &n->lan_watch, EPOLLIN, e);
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
	    watch_pasta(n, e) < 0 || watch_lan(n, e) < 0 ||
	    egress_start(n->egress, &n->loop, e) < 0)
		return -e->code;
	if (seal(e) < 0)
		return -e->code;
	r = loop_run(&n->loop);
	egress_stop(n->egress);
	return r < 0 ? err_set(e, -r, "loop: %s", strerror(-r)) : 0;
}

void netd_fini(struct netd *n)
{
	if (n->egress)
		egress_free(n->egress);
	uplink_fini(&n->uplink);
	pasta_fini(&n->pasta);
	host_fini(&n->host);
	hostnft_close(&n->nft);
	ports_fini(&n->ports);
	pool_give(&n->lease);
	lan_fini(&n->lan);
	if (n->pasta_watch.fd >= 0)
		close(n->pasta_watch.fd);
	if (n->tap >= 0)
		close(n->tap);
	loop_fini(&n->loop);
	if (n->req)
		vial__net__request__free_unpacked(n->req, NULL);
	chan_fini(&n->chan);
}
