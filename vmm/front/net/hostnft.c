/* SPDX-License-Identifier: Apache-2.0 */
#include "net/hostnft.h"

#include "base/auto.h"
#include "net/nftrun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <string.h>

static const char *dotted(in_addr_t a, char text[INET_ADDRSTRLEN])
{
	struct in_addr in = { htonl(a) };

	inet_ntop(AF_INET, &in, text, INET_ADDRSTRLEN);
	return text;
}

static const char *six(const struct in6_addr *a, char text[INET6_ADDRSTRLEN])
{
	inet_ntop(AF_INET6, a, text, INET6_ADDRSTRLEN);
	return text;
}

static void put_port(FILE *f, const struct port *p, const char *guest)
{
	char at[IP_TEXT];

	if (port_any(p))
		fprintf(f, "fib daddr type local ");
	else
		fprintf(f, "ip daddr %s ", ip_text(&p->address, at));
	fprintf(f, "meta nfproto ipv4 %s dport %u dnat ip to %s:%u\n",
		p->udp ? "udp" : "tcp", p->host, guest, p->guest);
}

/* Asked for on the loopback or by a link-local address it cannot be answered
 * by another: that is left to the socket (doors.h). */
static void put_port6(FILE *f, const struct port *p, const char *guest)
{
	char at[IP_TEXT];

	fprintf(f, "ip6 daddr != { ::1, fe80::/10 } ");
	if (port_any(p))
		fprintf(f, "fib daddr type local ");
	else
		fprintf(f, "ip6 daddr %s ", ip_text(&p->address, at));
	fprintf(f, "%s dport %u dnat ip6 to [%s]:%u\n", p->udp ? "udp" : "tcp",
		p->host, guest, p->guest);
}

static void put_ports(FILE *f, const struct ports *p, const struct addr_plan *a)
{
	char guest[INET_ADDRSTRLEN], guest6[INET6_ADDRSTRLEN];

	dotted(a->guest, guest);
	six(&a->guest6, guest6);
	for (size_t i = 0; i < p->n; i++)
		if (!port_six(&p->v[i]))
			put_port(f, &p->v[i], guest);
		else if (a->six)
			put_port6(f, &p->v[i], guest6);
}

/* Who is whose neighbour has to be asked; without IPv6 there is none of it. */
static void put_six(FILE *f, const char *link, const struct addr_plan *a)
{
	char guest[INET6_ADDRSTRLEN], up[INET6_ADDRSTRLEN];

	if (!a->six) {
		fprintf(f,
			"chain passing6 {\n"
			"type filter hook forward priority filter\n"
			"iifname \"%s\" meta nfproto ipv6 drop\n}\n",
			link);
		return;
	}
	six(&a->guest6, guest);
	six(&a->up6, up);
	fprintf(f,
		"chain leaving6 {\n"
		"type nat hook postrouting priority srcnat\n"
		"oifname != \"%s\" ip6 saddr { %s, %s } masquerade\n}\n"
		"chain passing6 {\n"
		"type filter hook forward priority filter\n"
		"iifname \"%s\" meta nfproto ipv6 ip6 saddr != { %s, %s } "
		"drop\n}\n",
		link, guest, up, link, guest, up);
}

/* Before to_host drops the rest. */
static void put_host6(FILE *f, const char *link, const struct addr_plan *a)
{
	char guest[INET6_ADDRSTRLEN], up[INET6_ADDRSTRLEN];

	if (a->six)
		fprintf(f,
			"iifname \"%s\" icmpv6 type { nd-neighbor-solicit, "
			"nd-neighbor-advert } ip6 hoplimit 255 accept\n"
			"iifname \"%s\" ip6 saddr { %s, %s } icmpv6 type "
			"echo-request accept\n",
			link, link, six(&a->guest6, guest), six(&a->up6, up));
}

/*
 * coming, own	ports of the host become the guest's, also for the host itself
 * leaving	what the box sends goes out under the host's address; who comes
 *		from the loopback gets the pair's, which the guest can answer
 * to_host	the box is not the host's guest: no new connection to it, and
 *		nothing that calls itself the loopback's
 * passing	nor that of another box
 * ...6		the same
 */
char *hostnft_text(const char *name, const char *link,
		   const struct addr_plan *a, const struct ports *p)
{
	char guest[INET_ADDRSTRLEN], up[INET_ADDRSTRLEN];
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	dotted(a->guest, guest);
	dotted(a->up, up);
	fprintf(f, "table inet %s {\nflags owner\n", name);
	fprintf(f,
		"chain coming {\n"
		"type nat hook prerouting priority dstnat\n"
		"iifname \"%s\" return\n",
		link);
	put_ports(f, p, a);
	fprintf(f, "}\nchain own {\ntype nat hook output priority -100\n");
	put_ports(f, p, a);
	fprintf(f,
		"}\nchain leaving {\n"
		"type nat hook postrouting priority srcnat\n"
		"oifname \"%s\" ip saddr 127.0.0.0/8 masquerade\n"
		"oifname != \"%s\" ip saddr { %s, %s } masquerade\n}\n",
		link, link, guest, up);
	fprintf(f,
		"chain to_host {\n"
		"type filter hook input priority filter\n"
		"iifname \"%s\" ct state established,related accept\n"
		"iifname \"%s\" ip saddr { %s, %s } icmp type echo-request "
		"accept\n",
		link, link, guest, up);
	put_host6(f, link, a);
	fprintf(f,
		"iifname \"%s\" drop\n}\n"
		"chain passing {\n"
		"type filter hook forward priority filter\n"
		"iifname \"%s\" ct state new oifname \"" HOST_LINK "*\" drop\n"
		"iifname \"%s\" ip saddr != { %s, %s } drop\n}\n",
		link, link, link, guest, up);
	put_six(f, link, a);
	fprintf(f, "}\n");
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

int hostnft_open(struct hostnft *h, const char *name, const char *link,
		 const struct addr_plan *a, const struct ports *p,
		 struct err *e)
{
	autofree char *text = hostnft_text(name, link, a, p);

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	h->ctx = nftrun_open(e);
	if (!h->ctx)
		return -e->code;
	if (nftrun(h->ctx, text, e) == 0)
		return 0;
	hostnft_close(h);
	return -e->code;
}

void hostnft_close(struct hostnft *h)
{
	if (h->ctx)
		nft_ctx_free(h->ctx);
	h->ctx = NULL;
}
