/* SPDX-License-Identifier: Apache-2.0 */
/* egress_host.c - what egress.h is told about the host: its name servers, its
 * addresses. */
#include "net/egress.h"

#include "base/auto.h"
#include "base/fd.h"
#include "net/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_MAX  (64u << 10)
#define SITE_BITS   48u

/* "nameserver 192.0.2.1", blanks before, between and behind. */
static void take_line(struct egress_conf *c, char *line)
{
	char *word = strtok_r(line, " \t\r", &line);
	char *addr = strtok_r(NULL, " \t\r", &line);
	struct ip ip;

	if (!word || !addr || strcmp(word, "nameserver") != 0 ||
	    c->nservers == EGRESS_SERVERS || !ip_parse(addr, &ip))
		return;
	c->server[c->nservers++] = ip;
}

static void take_servers(struct egress_conf *c, char *text)
{
	char *line;

	while ((line = strsep(&text, "\n")) != NULL)
		take_line(c, line);
}

/* An address, or with IPv6 the link's prefix, but never more than a site's. */
static void range_of(const struct ip *ip, const struct sockaddr *mask,
		     struct ip_range *r)
{
	char text[IP_TEXT], whole[IP_TEXT + 8];
	unsigned bits = ip->len * 8;
	struct ip m;

	if (ip->len == 16 && mask && ip_from_sockaddr(mask, &m)) {
		bits = 0;
		for (unsigned i = 0; i < sizeof(m.b); i++)
			bits += (unsigned)__builtin_popcount(m.b[i]);
		bits = MAX(bits, SITE_BITS);
	}
	snprintf(whole, sizeof(whole), "%s/%u", ip_text(ip, text), bits);
	ip_range_parse(whole, r);
}

/* Those of closed ranges are closed anyway. */
static int take_address(struct egress_conf *c, const struct policy *p,
			const struct ifaddrs *a, struct err *e)
{
	struct ip_range r;
	struct ip ip;

	if (!a->ifa_addr || !ip_from_sockaddr(a->ifa_addr, &ip) ||
	    policy_ip_closed(p, &ip))
		return 0;
	range_of(&ip, a->ifa_netmask, &r);
	for (size_t i = 0; i < c->nhost; i++)
		if (c->host[i].prefix == r.prefix &&
		    ip_equal(&c->host[i].ip, &r.ip))
			return 0;
	if (c->nhost == EGRESS_HOST_ADDRS)
		return err_set(e, E2BIG, "the host has more than %d addresses",
			       EGRESS_HOST_ADDRS);
	c->host[c->nhost++] = r;
	return 0;
}

static int take_addresses(struct egress_conf *c, struct err *e)
{
	struct ifaddrs *all;
	struct policy p;
	int r = 0;

	if (getifaddrs(&all) < 0)
		return err_sys(e, "the host's addresses");
	policy_init(&p);
	for (const struct ifaddrs *i = all; i && r == 0; i = i->ifa_next)
		r = take_address(c, &p, i, e);
	policy_fini(&p);
	freeifaddrs(all);
	return r;
}

int egress_conf_host(struct egress_conf *c, const char *resolv_conf,
		     struct err *e)
{
	const char *path = resolv_conf ? resolv_conf : RESOLV_CONF;
	autofree char *text = NULL;
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);

	/* Without name servers addresses still work. */
	if (fd >= 0 && fd_slurp(fd, &text, RESOLV_MAX) >= 0)
		take_servers(c, text);
	return take_addresses(c, e);
}
