/* SPDX-License-Identifier: Apache-2.0 */
/* egress.c - the policy of one box: names, addresses, rules, log; egress.h.
 *
 * THEORY OF OPERATION
 *
 *     guest ── question ──> resolver ── judge ──> policy: may it be asked?
 *                              │                      └─ no: NXDOMAIN
 *                              └──> upstream ──> answer
 *                                                  │ filter: closed addresses
 *                                                  │ go, the others are opened
 *     guest <── answer ────────────────────────────┘ for as long as they live
 *     guest ── packet ──> rules: opened, named, all? ──> flows ──> log
 *
 * An address is open before the guest gets it. It is shut again when the last
 * answer that had it has outlived its time; what was connected stays. */
#include "net/egress.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "net/egresslog.h"
#include "net/flows.h"
#include "net/netns.h"
#include "net/opened.h"
#include "net/policy_nft.h"
#include "net/record.h"
#include "net/resolver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An answer may be meant for once; connecting takes a moment all the same. */
#define OPEN_MIN_S  5
#define SWEEP_MS    1000
#define SWEEP_BATCH 64
#define LOST_MS	    10000

struct own_name {
	struct own_name *next;
	struct ip ip;
	char name[POLICY_NAME];
};

struct egress {
	struct egress_conf conf;
	struct egress_port *ports;
	struct policy policy;
	uint64_t openable; /* classes that open something */
	struct policy_nft nft;
	struct upstream *up;
	struct resolver *resolver;
	struct flows *flows;
	struct opened opened;
	struct policy_nft_change shut[SWEEP_BATCH]; /* and is to be */
	size_t nshut;
	struct record record;
	struct egresslog log;
	struct own_name *names;
	struct loop *loop;
	struct timer sweep;
	struct log_limit limit;
	uint64_t lost_ms; /* when it was said last */
};

static uint64_t now_ms(void)
{
	return now_us() / 1000;
}

/* ---- names ---- */

static const struct own_name *own(const struct egress *eg, const char *name)
{
	const struct own_name *o = eg->names;

	while (o && strcmp(o->name, name) != 0)
		o = o->next;
	return o;
}

static enum resolver_verdict judge(void *ctx, const struct dns_query *q,
				   struct ip *ip)
{
	struct egress *eg = ctx;
	struct egresslog_name n = { .type = q->type, .verdict = "allowed" };
	const struct own_name *o;
	char name[DNS_TEXT];

	n.name = dns_name_text(&q->name, name);
	o = own(eg, name);
	if (o) {
		*ip = o->ip;
		return RESOLVER_OWN;
	}
	if (!policy_name_allowed(&eg->policy, name, NULL)) {
		n.verdict = "refused";
		n.answer = "NXDOMAIN";
		egresslog_name(&eg->log, &n);
		return RESOLVER_DENY;
	}
	/* An address that nothing leads to only costs time. */
	if (q->type == DNS_AAAA && eg->conf.guest6.len == 0)
		return RESOLVER_EMPTY;
	/* They may carry addresses, which nobody would open. */
	if (q->type == DNS_SVCB || q->type == DNS_HTTPS)
		return RESOLVER_EMPTY;
	return RESOLVER_ASK;
}

static const char *rcode_text(uint8_t rcode)
{
	static const char *const names[] = {
		[DNS_NOERROR] = "NOERROR",   [DNS_FORMERR] = "FORMERR",
		[DNS_SERVFAIL] = "SERVFAIL", [DNS_NXDOMAIN] = "NXDOMAIN",
		[DNS_NOTIMP] = "NOTIMP",     [DNS_REFUSED] = "REFUSED",
	};

	return rcode < ARRAY_LEN(names) ? names[rcode] : "other";
}

/* The address of a record becomes reachable, or the record goes. */
static void take_address(struct egress *eg, struct dns_record *r,
			 const struct ip *ip, uint64_t classes,
			 struct egresslog_name *n,
			 struct policy_nft_change *change)
{
	uint64_t life_s = MIN(r->ttl, RESOLVER_TTL_MAX);

	*change = (struct policy_nft_change){ .ip = *ip };
	if (policy_ip_closed(&eg->policy, ip)) {
		r->drop = true;
		if (n->nremoved < EGRESSLOG_ADDRS)
			n->removed[n->nremoved++] = *ip;
		return;
	}
	life_s = MAX(life_s, OPEN_MIN_S);
	if (n->naddr == EGRESSLOG_ADDRS ||
	    opened_add(&eg->opened, ip, n->name, classes,
		       now_ms() + life_s * 1000, &change->open) < 0) {
		r->drop = true;
		return;
	}
	n->addr[n->naddr++] = *ip;
}

static int filter(void *ctx, const struct dns_query *q, struct dns_answer *a)
{
	struct egress *eg = ctx;
	struct policy_nft_change change[DNS_RECORDS];
	struct egresslog_name n = { .type = q->type, .verdict = "allowed" };
	char name[DNS_TEXT];
	uint64_t classes;
	struct err e = { 0 };
	size_t count = 0;
	struct ip ip;
	int r = 0;

	n.name = dns_name_text(&q->name, name);
	policy_name_allowed(&eg->policy, name, &classes);
	classes &= eg->openable;
	for (unsigned i = 0; a && i < a->nrecords; i++)
		if (dns_record_ip(a, &a->records[i], &ip))
			take_address(eg, &a->records[i], &ip, classes, &n,
				     &change[count++]);
	if (count > 0)
		r = policy_nft_change(&eg->nft, change, count, &e);
	for (size_t i = 0; r < 0 && i < count; i++)
		opened_undo(&eg->opened, &change[i].ip, change[i].open);
	if (r < 0)
		log_limited(&eg->limit, "egress: %s: %s", name, e.msg);
	n.answer = a && r == 0 ? rcode_text(a->rcode) : NULL;
	egresslog_name(&eg->log, &n);
	if (eg->conf.record_fd >= 0 && a && a->rcode == DNS_NOERROR)
		record_asked(&eg->record, name);
	return r;
}

int egress_add_host(struct egress *eg, const char *name, const struct ip *ip,
		    struct err *e)
{
	struct own_name *o = calloc(1, sizeof(*o));
	size_t len = strlen(name);

	if (!o)
		return err_set(e, ENOMEM, "out of memory");
	if (len == 0 || len >= sizeof(o->name)) {
		free(o);
		return err_set(e, EINVAL, "'%.40s' is no name", name);
	}
	for (size_t i = 0; i < len; i++)
		o->name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z'
					    ? name[i] - 'A' + 'a'
					    : name[i]);
	o->ip = *ip;
	o->next = eg->names;
	eg->names = o;
	return 0;
}

void egress_forget_hosts(struct egress *eg)
{
	while (eg->names) {
		struct own_name *o = eg->names;

		eg->names = o->next;
		free(o);
	}
}

/* ---- connections ---- */

static void ended(void *ctx, struct egresslog_conn *c)
{
	struct egress *eg = ctx;
	char text[IP_TEXT];

	c->name = opened_name(&eg->opened, &c->ip);
	egresslog_conn(&eg->log, c);
	if (eg->conf.record_fd >= 0)
		record_use(&eg->record,
			   c->name && !strchr(c->name, '\\')
				   ? c->name
				   : ip_text(&c->ip, text),
			   c->proto, c->port);
}

static void refused(void *ctx, struct egresslog_conn *c)
{
	struct egress *eg = ctx;

	c->name = opened_name(&eg->opened, &c->ip);
	egresslog_refused(&eg->log, c);
}

static void lost(void *ctx)
{
	struct egress *eg = ctx;

	if (eg->lost_ms && now_ms() - eg->lost_ms < LOST_MS)
		return;
	eg->lost_ms = now_ms();
	egresslog_lost(&eg->log, "connections that came too fast");
}

/* ---- time ---- */

/* What could not be shut is tried again, unless it was opened meanwhile. */
static void sweep(struct timer *t)
{
	struct egress *eg = container_of(t, struct egress, sweep);
	struct policy_nft_change *next = eg->shut;
	struct err e = { 0 };
	uint64_t now = now_ms();
	bool more;

	for (; next < eg->shut + eg->nshut; next++)
		next->shut &= ~opened_classes(&eg->opened, &next->ip);
	for (; eg->nshut < SWEEP_BATCH; eg->nshut++, next++) {
		*next = (struct policy_nft_change){ 0 };
		if (!opened_expire(&eg->opened, now, &next->ip, &next->shut))
			break;
	}
	more = eg->nshut == SWEEP_BATCH;
	if (policy_nft_change(&eg->nft, eg->shut, eg->nshut, &e) < 0) {
		log_limited(&eg->limit, "egress: %s", e.msg);
		more = false;
	} else {
		eg->nshut = 0;
	}
	timer_set(&eg->sweep, more ? 1 : SWEEP_MS);
}

/* ---- life ---- */

static int make_policy(struct egress *eg, struct err *e)
{
	const struct egress_conf *c = &eg->conf;
	struct policy *p = &eg->policy;

	policy_init(p);
	p->all = c->nlist == 0;
	for (size_t i = 0; i < c->nlist; i++)
		if (policy_add(p, c->list[i], e) < 0)
			return -e->code;
	for (size_t i = 0; i < c->nhost; i++)
		if (policy_close(p, &c->host[i], e) < 0)
			return -e->code;
	for (unsigned i = 0; i < p->nclasses && !p->all; i++)
		if (p->classes[i].last > 0)
			eg->openable |= 1ull << i;
	return policy_end(p, e);
}

static int make(struct egress *eg, struct err *e)
{
	const struct egress_conf *c = &eg->conf;
	const struct resolver_ops ops = { judge, filter, eg };

	if (c->nports) {
		eg->ports = calloc(c->nports, sizeof(*eg->ports));
		if (!eg->ports)
			return err_set(e, ENOMEM, "out of memory");
		memcpy(eg->ports, c->ports, c->nports * sizeof(*eg->ports));
		eg->conf.ports = eg->ports;
	}
	if (opened_init(&eg->opened) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (make_policy(eg, e) < 0)
		return err_wrap(e, "egress");
	eg->conf.list = NULL;
	if (upstream_new(&eg->up, c->server, c->nservers, DNS_PORT, e) < 0)
		return -e->code;
	return resolver_new(&eg->resolver, &ops, eg->up, e);
}

int egress_new(struct egress **out, const struct egress_conf *c, struct err *e)
{
	struct egress *eg = calloc(1, sizeof(*eg));

	if (!eg)
		return err_set(e, ENOMEM, "out of memory");
	eg->conf = *c;
	eg->sweep.watch.fd = -1;
	egresslog_init(&eg->log, c->log_fd,
		       c->log_max ? c->log_max : EGRESS_LOG_MAX);
	if (make(eg, e) < 0) {
		egress_free(eg);
		return -e->code;
	}
	*out = eg;
	return 0;
}

/* Best effort: without them the log does not say how long a connection was,
 * or says that it was two minutes longer. */
static void time_connections(void)
{
	static const char *const settings[] = {
		"netfilter/nf_conntrack_timestamp",
		"netfilter/nf_conntrack_tcp_timeout_time_wait",
		"netfilter/nf_conntrack_tcp_timeout_close",
	};
	struct err none;

	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		netns_set(settings[i], "1", &none);
}

int egress_setup(struct egress *eg, struct err *e)
{
	const struct egress_conf *c = &eg->conf;
	const struct flows_ops ops = { ended, refused, lost, eg };

	if (policy_nft_open(&eg->nft, c, &eg->policy, e) < 0)
		return -e->code;
	time_connections();
	if ((c->resolver4.len &&
	     resolver_bind(eg->resolver, &c->resolver4, DNS_PORT, e) < 0) ||
	    (c->resolver6.len &&
	     resolver_bind(eg->resolver, &c->resolver6, DNS_PORT, e) < 0))
		return -e->code;
	if (c->log_fd < 0 && c->record_fd < 0)
		return 0;
	return flows_new(&eg->flows, &c->guest4, &c->guest6, POLICY_NFT_GROUP,
			 &ops, e);
}

int egress_start(struct egress *eg, struct loop *l, struct err *e)
{
	if (upstream_start(eg->up, l, e) < 0 ||
	    resolver_start(eg->resolver, l, e) < 0 ||
	    (eg->flows && flows_start(eg->flows, l, e) < 0) ||
	    timer_init(&eg->sweep, l, "opened addresses", sweep, e) < 0)
		return -e->code;
	eg->loop = l;
	timer_set(&eg->sweep, SWEEP_MS);
	return 0;
}

void egress_add_guest(struct egress *eg, const struct ip *ip)
{
	if (eg->flows)
		flows_add_guest(eg->flows, ip);
}

void egress_drop_guest(struct egress *eg, const struct ip *ip)
{
	if (eg->flows)
		flows_drop_guest(eg->flows, ip);
}

void egress_stop(struct egress *eg)
{
	struct err e = { 0 };

	if (!eg->loop)
		return;
	if (eg->flows)
		flows_rest(eg->flows);
	if (eg->conf.record_fd >= 0 &&
	    record_write(&eg->record, eg->conf.record_fd, &e) < 0)
		log_err("egress: %s", e.msg);
	eg->conf.record_fd = -1;
}

void egress_free(struct egress *eg)
{
	if (!eg)
		return;
	egress_forget_hosts(eg);
	if (eg->loop)
		timer_fini(&eg->sweep, eg->loop);
	resolver_free(eg->resolver);
	upstream_free(eg->up);
	flows_free(eg->flows);
	policy_nft_close(&eg->nft);
	opened_fini(&eg->opened);
	record_fini(&eg->record);
	policy_fini(&eg->policy);
	free(eg->ports);
	free(eg);
}
