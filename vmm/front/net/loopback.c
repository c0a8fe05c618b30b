/* SPDX-License-Identifier: Apache-2.0 */
#include "net/loopback.h"

#include "base/auto.h"
#include "net/host.h"
#include "net/netns.h"
#include "net/nftrun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>

static char *rules(const struct addr_plan *a, const struct ports *p)
{
	struct in_addr in = { htonl(a->guest) };
	char guest[INET_ADDRSTRLEN], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	inet_ntop(AF_INET, &in, guest, sizeof(guest));
	fprintf(f, "table ip vial-loopback {\nchain own {\n"
		   "type nat hook output priority -100\n");
	for (size_t i = 0; i < p->first; i++)
		fprintf(f, "ip daddr 127.0.0.1 %s dport %u dnat to %s:%u\n",
			p->v[i].udp ? "udp" : "tcp", p->v[i].guest, guest,
			p->v[i].guest);
	fprintf(f, "}\nchain leaving {\n"
		   "type nat hook postrouting priority 100\n"
		   "oifname \"" HOST_TAP "\" ip saddr 127.0.0.0/8 masquerade\n"
		   "}\n}\n");
	/* pasta takes who sent something last for the guest, and what an
	 * interface says before it has its address, too. */
	if (a->six)
		fprintf(f, "table ip6 vial-loopback {\nchain unnamed {\n"
			   "type filter hook output priority 0\n"
			   "oifname \"" HOST_UP "\" ip6 saddr :: drop\n"
			   "}\n}\n");
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

int loopback_open(const struct addr_plan *a, const struct ports *p,
		  struct err *e)
{
	autofree char *text = NULL;
	struct nft_ctx *ctx;
	int r;

	if (p->n == 0)
		return 0;
	if (netns_set("ipv4/conf/" HOST_TAP "/route_localnet", "1", e) < 0)
		return -e->code;
	text = rules(a, p);
	ctx = text ? nftrun_open(e) : NULL;
	if (!ctx)
		return text ? -e->code : err_set(e, ENOMEM, "out of memory");
	r = nftrun(ctx, text, e);
	nft_ctx_free(ctx);
	return r;
}
