/* SPDX-License-Identifier: Apache-2.0 */
#include "net/six.h"

#include "base/auto.h"
#include "base/fd.h"
#include "net/blocked.h"
#include "net/netns.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#define ROUTES_MAX (8u << 20)
/* The prefix in the digits of /proc, and how many they are. */
#define DIGITS	   "fd7669616c00"
#define DIGITS_LEN 12
/* linux/ipv6_route.h, linux/route.h */
#define ROUTE_UP     0x1u
#define ROUTE_REJECT 0x200u

/* Two pairs, below a /64 that nobody else has. */
enum { SIX_HOST = 4, SIX_UP, SIX_GATEWAY, SIX_GUEST };

static struct in6_addr address(unsigned block, uint8_t last)
{
	struct in6_addr a = { 0 };
	static const uint8_t prefix[] = { 0xfd, 0x76, 0x69, 0x61, 0x6c, 0x00 };

	memcpy(a.s6_addr, prefix, sizeof(prefix));
	a.s6_addr[6] = (uint8_t)(block >> 8);
	a.s6_addr[7] = (uint8_t)block;
	a.s6_addr[15] = last;
	return a;
}

void six_plan(struct addr_plan *a, unsigned block)
{
	a->six = true;
	a->host6 = address(block, SIX_HOST);
	a->up6 = address(block, SIX_UP);
	a->gateway6 = address(block, SIX_GATEWAY);
	a->guest6 = address(block, SIX_GUEST);
}

struct route {
	char to[33], name[32];
	unsigned bits, flags;
};

/* "to bits from bits via metric uses users flags interface", in hexadecimal. */
static bool read_route(const char *line, struct route *r)
{
	return sscanf(line, "%32[0-9a-f] %x %*s %*s %*s %*s %*s %*s %x %31s",
		      r->to, &r->bits, &r->flags, r->name) == 4 &&
	       (r->flags & ROUTE_UP) && !(r->flags & ROUTE_REJECT) &&
	       strcmp(r->name, "lo") != 0;
}

/* Other boxes have parts of it. */
static bool collides(const struct route *r)
{
	size_t digits = r->bits / 4 < DIGITS_LEN ? r->bits / 4 : DIGITS_LEN;

	return r->bits > 0 && !is_host_link(r->name) &&
	       strncmp(r->to, DIGITS, digits) == 0;
}

const char *six_missing_route(const char *text)
{
	struct route r;
	bool out = false;

	for (const char *line = text; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (!read_route(line, &r))
			continue;
		if (collides(&r))
			return "a route of the host's has " SIX_PREFIX;
		out = out || r.bits == 0;
	}
	return out ? NULL : "the host has no IPv6 route out";
}

static const char *not_forwarded(void)
{
	struct blocked b;
	struct err ignored;

	if (netns_get("ipv6/conf/all/forwarding") != 1)
		return "the host forwards no IPv6 (sysctl "
		       "net.ipv6.conf.all.forwarding=1)";
	if (blocked_find(&b, NFPROTO_IPV6, &ignored) == 0 && *b.chain)
		return b.legacy ? "the host's rules drop it (ip6tables-legacy "
				  "-I FORWARD -i " HOST_LINK
				  "+ -j ACCEPT, and -o " HOST_LINK "+)"
				: "the host's rules drop it (ip6tables -I "
				  "FORWARD -i " HOST_LINK
				  "+ -j ACCEPT, and -o " HOST_LINK "+)";
	return NULL;
}

const char *six_missing(bool forwards)
{
	autoclose int fd = open("/proc/net/ipv6_route", O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	const char *why;

	if (fd < 0 || fd_slurp(fd, &text, ROUTES_MAX) < 0)
		return "the host has no IPv6";
	why = six_missing_route(text);
	return why || !forwards ? why : not_forwarded();
}
