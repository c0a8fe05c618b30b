/* SPDX-License-Identifier: Apache-2.0 */
#include "net/policy_nft.h"

#include "base/auto.h"
#include "net/lan.h"
#include "net/nftrun.h"

#include <errno.h>
#include <netinet/in.h>
#include <nftables/libnftables.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
	struct buf *out;
	int bad;
};

static void put(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		t->bad = -ENOBUFS;
	else if (t->bad == 0)
		t->bad = buf_append(t->out, line, (size_t)n);
}

/* ---- the device ---- */

static void put_device(struct text *t, const struct egress_conf *c)
{
	const uint8_t *m = c->mac;
	char mac[18], ip[IP_TEXT];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
		 m[2], m[3], m[4], m[5]);
	put(t,
	    "table netdev vial {\nchain guest {\n"
	    "type filter hook ingress device \"" EGRESS_TAP
	    "\" priority -500; policy drop;\n"
	    "ether saddr != %s drop\n",
	    mac);
	if (c->guest4.len) {
		ip_text(&c->guest4, ip);
		put(t,
		    "arp saddr ether %s arp saddr ip { %s, 0.0.0.0 } accept\n"
		    "ip saddr %s accept\n",
		    mac, ip, ip);
	}
	/* A guest is nobody's router. */
	if (c->guest6.len)
		put(t,
		    "icmpv6 type { nd-router-advert, nd-redirect } drop\n"
		    "ip6 saddr %s accept\n"
		    "ip6 saddr { ::, fe80::/10 } icmpv6 type { "
		    "nd-neighbor-solicit, nd-neighbor-advert, "
		    "nd-router-solicit, mld2-listener-report, echo-reply } "
		    "accept\n",
		    ip_text(&c->guest6, ip));
	put(t, "}\n}\n");
}

/* ---- sets ---- */

static bool is_v4(const struct ip *ip)
{
	return ip->len == 4;
}

static void begin_set(struct text *t, const char *name, unsigned n, int family,
		      const char *flags)
{
	put(t, "set %s%u_%d {\ntype %s; %s\n", name, n, family,
	    family == 4 ? "ipv4_addr" : "ipv6_addr", flags);
}

static void put_closed(struct text *t, const struct policy *p, int family)
{
	char range[IP_TEXT];

	begin_set(t, "closed", 0, family, "flags interval; auto-merge;");
	put(t, "elements = { ");
	for (size_t i = 0; i < p->nclosed; i++)
		if (is_v4(&p->closed[i].ip) == (family == 4))
			put(t, "%s,\n", ip_range_text(&p->closed[i], range));
	put(t, "}\n}\n");
}

static bool has_range(const struct policy *p, unsigned klass, int family)
{
	for (size_t i = 0; i < p->nranges; i++)
		if (p->ranges[i].klass == klass &&
		    is_v4(&p->ranges[i].range.ip) == (family == 4))
			return true;
	return false;
}

static void put_ranges(struct text *t, const struct policy *p, unsigned klass,
		       int family)
{
	char range[IP_TEXT];

	if (!has_range(p, klass, family))
		return;
	begin_set(t, "named", klass, family, "flags interval; auto-merge;");
	put(t, "elements = { ");
	for (size_t i = 0; i < p->nranges; i++)
		if (p->ranges[i].klass == klass &&
		    is_v4(&p->ranges[i].range.ip) == (family == 4))
			put(t, "%s,\n",
			    ip_range_text(&p->ranges[i].range, range));
	put(t, "}\n}\n");
}

static void put_sets(struct text *t, const struct policy *p, int family)
{
	char size[32];

	snprintf(size, sizeof(size), "size %d;", POLICY_NFT_OPEN);
	put_closed(t, p, family);
	for (unsigned i = 0; i < p->nclasses; i++) {
		put_ranges(t, p, i, family);
		begin_set(t, "open", i, family, size);
		put(t, "}\n");
	}
}

/* ---- rules ---- */

/* "ip daddr @open3_4 tcp dport 443 accept" */
static void put_class(struct text *t, const struct policy *p, unsigned klass,
		      const char *set, int family)
{
	const struct policy_class *c = &p->classes[klass];
	const char *proto = c->proto == IPPROTO_TCP ? "tcp"
			  : c->proto == IPPROTO_UDP ? "udp"
						    : "{ tcp, udp }";

	put(t, "%s daddr @%s%u_%d ", family == 4 ? "ip" : "ip6", set, klass,
	    family);
	if (c->first > 0)
		put(t, "meta l4proto %s th dport %u-%u ", proto, c->first,
		    c->last);
	else if (c->proto)
		put(t, "meta l4proto %s ", proto);
	put(t, "accept\n");
}

static void put_named(struct text *t, const struct policy *p)
{
	for (unsigned i = 0; i < p->nclasses; i++) {
		if (has_range(p, i, 4))
			put_class(t, p, i, "named", 4);
		if (has_range(p, i, 6))
			put_class(t, p, i, "named", 6);
	}
}

static void put_open(struct text *t, const struct policy *p)
{
	for (unsigned i = 0; i < p->nclasses; i++) {
		if (p->classes[i].last == 0)
			continue;
		put_class(t, p, i, "open", 4);
		put_class(t, p, i, "open", 6);
	}
}

/* The resolver's own traffic is not tracked: a guest could fill the table. Its
 * address may be one from which the guest is asked, too (doors.h). */
static void put_resolver(struct text *t, const struct ip *ip)
{
	const char *family = is_v4(ip) ? "ip" : "ip6";
	char text[IP_TEXT];

	if (ip->len == 0)
		return;
	ip_text(ip, text);
	put(t,
	    "chain from%u {\ntype filter hook prerouting priority raw;\n"
	    "iifname \"" EGRESS_TAP "\" %s daddr %s meta l4proto { tcp, udp } "
	    "th dport 53 notrack\n}\n"
	    "chain to%u {\ntype filter hook output priority raw;\n"
	    "oifname \"" EGRESS_TAP "\" %s saddr %s meta l4proto { tcp, udp } "
	    "th sport 53 notrack\n}\n",
	    ip->len, family, text, ip->len, family, text);
}

static void put_own(struct text *t, const struct egress_conf *c)
{
	const struct ip *const at[] = { &c->resolver4, &c->resolver6 };
	char text[IP_TEXT];

	put(t, "chain own {\n"
	       "ct state established ct status dnat accept\n"
	       /* What was asked through doors (doors.h). */
	       "ct state established ct direction reply accept\n"
	       "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, "
	       "nd-router-solicit } accept\n"
	       "icmp type echo-request limit rate 100/second accept\n"
	       "icmpv6 type echo-request limit rate 100/second accept\n"
	       /* A flood is not even read. */
	       "limit rate over 2000/second burst 4000 packets drop\n");
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (at[i]->len)
			put(t,
			    "%s daddr %s meta l4proto { tcp, udp } th dport 53 "
			    "accept\n",
			    is_v4(at[i]) ? "ip" : "ip6", ip_text(at[i], text));
	put(t, "goto refuse\n}\n");
}

static void put_incoming(struct text *t, const struct egress_conf *c)
{
	put(t, "chain incoming {\n"
	       "ct state established,related accept\n"
	       "ct status dnat accept\n"
	       "iifname \"" EGRESS_PEERS "\" accept\n");
	for (size_t i = 0; i < c->nports; i++)
		put(t, "iifname \"" EGRESS_UP "\" %s dport %u accept\n",
		    c->ports[i].udp ? "udp" : "tcp", c->ports[i].port);
	put(t, "}\n");
}

/* The comparison with the largest number matches nothing; that there is one
 * makes the kernel count each connection's bytes. */
static void put_outgoing(struct text *t, const struct policy *p)
{
	put(t,
	    "chain outgoing {\n"
	    "ct state established,related accept\n"
	    "ct state invalid drop\n"
	    "ct original bytes 18446744073709551615 drop\n"
	    "oifname \"" EGRESS_PEERS "\" accept\n"
	    "oifname != \"" EGRESS_UP "\" goto refuse\n"
	    "ct count over %d goto refuse\n",
	    POLICY_NFT_CONNS);
	put_named(t, p);
	put(t, "ip daddr @closed0_4 goto refuse\n"
	       "ip6 daddr @closed0_6 goto refuse\n");
	if (p->all)
		put(t, "accept\n");
	else
		put_open(t, p);
	put(t, "goto refuse\n}\n");
}

static void put_refuse(struct text *t)
{
	put(t,
	    "chain refuse {\n"
	    "limit rate 50/second burst 100 packets log group %d snaplen 80\n"
	    "meta l4proto tcp reject with tcp reset\n"
	    "reject with icmpx type admin-prohibited\n}\n",
	    POLICY_NFT_GROUP);
}

/* "vial1" . "net1", ... */
static void put_pairs(struct text *t, const char *from, const char *to,
		      const char *verdict)
{
	put(t, "iifname . oifname { ");
	for (unsigned i = 1; i <= LAN_LATER_MAX; i++)
		put(t, "\"%s%u\" . \"%s%u\"%s", from, i, to, i,
		    i < LAN_LATER_MAX ? ", " : " } ");
	put(t, "%s\n", verdict);
}

/* Networks that are joined later have a tap each, which leads to them alone. */
static void put_late(struct text *t)
{
	put(t,
	    "chain late {\n"
	    "ct state established,related accept\n"
	    "ct state invalid drop\n"
	    "ct original bytes 18446744073709551615 drop\n"
	    "ct count over %d goto refuse\n"
	    "accept\n}\n",
	    POLICY_NFT_CONNS);
}

static void put_hooks(struct text *t)
{
	put(t, "chain input {\n"
	       "type filter hook input priority filter; policy drop;\n"
	       "iifname \"lo\" accept\n"
	       "iifname \"" EGRESS_TAP "\" goto own\n"
	       "ct state established,related accept\n"
	       "icmp type echo-request limit rate 100/second accept\n"
	       "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, "
	       "nd-router-advert } accept\n"
	       "iifname \"" EGRESS_TAPS "\" goto refuse\n}\n");
	put(t, "chain forward {\n"
	       "type filter hook forward priority filter; policy drop;\n"
	       "iifname \"" EGRESS_TAP "\" goto outgoing\n");
	put_pairs(t, "vial", "net", "goto late");
	put(t, "iifname \"" EGRESS_TAPS "\" goto refuse\n"
	       "oifname \"" EGRESS_TAP "\" goto incoming\n");
	put_pairs(t, "net", "vial", "accept");
	put(t, "}\n");
}

int policy_nft_text(const struct egress_conf *c, const struct policy *p,
		    struct buf *out)
{
	struct text t = { .out = out };

	put_device(&t, c);
	put(&t, "table inet vial {\n");
	put_sets(&t, p, 4);
	put_sets(&t, p, 6);
	put_refuse(&t);
	put_own(&t, c);
	put_incoming(&t, c);
	put_outgoing(&t, p);
	put_late(&t);
	put_hooks(&t);
	put_resolver(&t, &c->resolver4);
	put_resolver(&t, &c->resolver6);
	put(&t, "}\n");
	return t.bad;
}

/* ---- the kernel ---- */

/* text has room for its end. */
static int load(struct buf *text, struct err *e)
{
	struct nft_ctx *ctx;
	int r;

	if (buf_append(text, "", 1) < 0)
		return err_set(e, ENOBUFS, "too many rules");
	ctx = nftrun_open(e);
	if (!ctx)
		return -e->code;
	r = nftrun(ctx, (char *)buf_head(text), e);
	nft_ctx_free(ctx);
	return r;
}

int policy_nft_open(struct policy_nft *n, const struct egress_conf *c,
		    const struct policy *p, struct err *e)
{
	struct buf text;
	int r;

	if (nftset_open(&n->set, "vial", e) < 0)
		return -e->code;
	buf_init(&text, POLICY_NFT_TEXT);
	if (policy_nft_text(c, p, &text) < 0)
		r = err_set(e, ENOBUFS, "the list makes too many rules");
	else
		r = load(&text, e);
	buf_fini(&text);
	if (r < 0)
		policy_nft_close(n);
	return r;
}

void policy_nft_close(struct policy_nft *n)
{
	nftset_close(&n->set);
}

enum verb { OPEN, SHUT };

static bool is_among(const struct ip *ip, const struct ip *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ip_equal(ip, &v[i]))
			return true;
	return false;
}

/* Those of one family that are opened, or shut, in the set of one class; once:
 * none can be taken out twice. */
static void put_set(struct policy_nft *n, const struct policy_nft_change *v,
		    size_t count, enum verb verb, unsigned klass, int family)
{
	struct ip ip[POLICY_NFT_CHANGES];
	char set[NFTSET_NAME];
	size_t some = 0;

	for (size_t i = 0; i < count; i++)
		if (is_v4(&v[i].ip) == (family == 4) &&
		    (verb == OPEN ? v[i].open : v[i].shut) >> klass & 1 &&
		    !is_among(&v[i].ip, ip, some))
			ip[some++] = v[i].ip;
	snprintf(set, sizeof(set), "open%u_%d", klass, family);
	nftset_add(&n->set, set, ip, some);
	/* What is not there cannot be taken out: the whole change would fail,
	 * and leave open what it was to shut. */
	if (verb == SHUT)
		nftset_delete(&n->set, set, ip, some);
}

int policy_nft_change(struct policy_nft *n, const struct policy_nft_change *v,
		      size_t count, struct err *e)
{
	uint64_t open = 0, shut = 0;

	if (count > POLICY_NFT_CHANGES)
		return err_set(e, E2BIG, "too many addresses at once");
	for (size_t i = 0; i < count; i++) {
		open |= v[i].open;
		shut |= v[i].shut;
	}
	for (int family = 4; family <= 6; family += 2) {
		for (uint64_t left = open; left; left &= left - 1)
			put_set(n, v, count, OPEN,
				(unsigned)__builtin_ctzll(left), family);
		for (uint64_t left = shut; left; left &= left - 1)
			put_set(n, v, count, SHUT,
				(unsigned)__builtin_ctzll(left), family);
	}
	return nftset_commit(&n->set, e);
}
