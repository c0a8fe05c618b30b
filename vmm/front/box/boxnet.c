/* SPDX-License-Identifier: Apache-2.0 */
#include "box/boxnet.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *boxnet_mode(const struct spec *s)
{
	return s->network ? s->network : "none";
}

/* Of no manufacturer, and of this box: from its id. */
static void make_mac(const char *id, uint8_t mac[BOXNET_MAC])
{
	mac[0] = 0x02;
	for (size_t i = 1; i < BOXNET_MAC; i++) {
		char digits[3] = { id[2 * i], id[2 * i + 1], '\0' };

		mac[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

int boxnet_open(struct boxnet *b, const struct spec *s, const char *id,
		struct err *e)
{
	*b = (struct boxnet)BOXNET_INIT;
	if (strcmp(boxnet_mode(s), "user") != 0)
		return 0;
	if (strlen(id) < 2ul * BOXNET_MAC)
		return err_set(e, EINVAL, "network: box %s has a short id", id);
	make_mac(id, b->mac);
	return passt_start(&b->passt, e);
}

void boxnet_hand_on(struct boxnet *b)
{
	if (b->passt.fd >= 0)
		close(take_fd(&b->passt.fd));
}

void boxnet_close(struct boxnet *b)
{
	passt_stop(&b->passt);
}

int boxnet_check(struct boxnet *b, struct err *e)
{
	return passt_check(&b->passt, e);
}

bool boxnet_plan(const struct boxnet *b, Vial__Plan__Net *n, uint32_t fd)
{
	if (b->passt.fd < 0)
		return false;
	vial__plan__net__init(n);
	n->stream_fd = fd;
	n->mac.data = (uint8_t *)(uintptr_t)b->mac;
	n->mac.len = sizeof(b->mac);
	n->mtu = PASST_MTU;
	return true;
}

static void set_resolver(const struct spec *s, struct boxnet_setup *r)
{
	static char dns[] = PASST_DNS;

	vial__agent__resolver__init(&r->resolver);
	r->servers[0] = dns;
	r->resolver.servers = s->dns.n ? s->dns.v : r->servers;
	r->resolver.n_servers = s->dns.n ? s->dns.n : 1;
	r->resolver.search = s->dns_search.v;
	r->resolver.n_search = s->dns_search.n;
	r->resolver.options = s->dns_options.v;
	r->resolver.n_options = s->dns_options.n;
}

void boxnet_setup(const struct boxnet *b, const struct spec *s,
		  struct boxnet_setup *r, Vial__Agent__Setup *m)
{
	if (b->passt.pid == 0)
		return;
	vial__agent__link__init(&r->link);
	vial__agent__address__init(&r->address);
	inet_pton(AF_INET, PASST_ADDRESS, r->raw[0]);
	inet_pton(AF_INET, PASST_GATEWAY, r->raw[1]);
	r->address.address = (ProtobufCBinaryData){ 4, r->raw[0] };
	r->address.prefix = PASST_PREFIX;
	r->addresses[0] = &r->address;
	r->gateway = (ProtobufCBinaryData){ 4, r->raw[1] };
	r->link.mac.data = (uint8_t *)(uintptr_t)b->mac;
	r->link.mac.len = sizeof(b->mac);
	r->link.mtu = PASST_MTU;
	r->link.addresses = r->addresses;
	r->link.n_addresses = 1;
	r->link.gateways = &r->gateway;
	r->link.n_gateways = 1;
	r->links[0] = &r->link;
	m->links = r->links;
	m->n_links = 1;
	set_resolver(s, r);
	m->resolver = &r->resolver;
}
