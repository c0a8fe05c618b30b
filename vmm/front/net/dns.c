/* SPDX-License-Identifier: Apache-2.0 */
#include "net/dns.h"

#include "base/auto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HEADER 12
/* The second pair of bytes of the header. */
#define QR 0x8000u
#define OPCODE 0x7800u
#define TC 0x0200u
#define RD 0x0100u
#define CD 0x0010u
#define RCODE 0x000fu
#define IN 1u
/* Records of an answer that are looked at. */
#define LOOK_MAX 1024
#define JUMPS 32

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* ---- names ---- */

/* The name at *at; *at moves behind it. Each jump goes to before the last one,
 * so there is no way round. */
static int read_name(const uint8_t *msg, size_t len, size_t *at,
		     struct dns_name *n)
{
	size_t pos = *at, low = *at, used = 0;
	unsigned jumps = 0;

	for (;;) {
		uint8_t c;

		if (pos >= len)
			return -EBADMSG;
		c = msg[pos];
		if (c >= 0xc0) {
			if (pos + 1 >= len || ++jumps > JUMPS)
				return -EBADMSG;
			if (jumps == 1)
				*at = pos + 2;
			pos = get16(msg + pos) & 0x3fffu;
			if (pos >= low)
				return -EBADMSG;
			low = pos;
			continue;
		}
		if (c > 63 || pos + 1 + c > len || used + 1 + c > DNS_NAME)
			return -EBADMSG;
		memcpy(n->b + used, msg + pos, 1u + c);
		used += 1u + c;
		pos += 1u + c;
		if (c == 0)
			break;
	}
	if (jumps == 0)
		*at = pos;
	n->len = (uint8_t)used;
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

/* Length bytes are below 64, where lower() changes nothing. */
static bool same_name(const struct dns_name *a, const struct dns_name *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (lower(a->b[i]) != lower(b->b[i]))
			return false;
	return true;
}

static bool plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_' || c == '*';
}

char *dns_name_text(const struct dns_name *n, char out[DNS_TEXT])
{
	size_t len = 0;

	for (size_t i = 0; i < n->len && n->b[i] > 0; i += 1u + n->b[i]) {
		if (i > 0)
			out[len++] = '.';
		for (size_t k = i + 1; k <= i + n->b[i]; k++) {
			uint8_t c = lower(n->b[k]);

			if (plain(c))
				out[len++] = (char)c;
			else
				len += (size_t)snprintf(out + len, 5, "\\%03u",
							c);
		}
	}
	if (len == 0)
		out[len++] = '.';
	out[len] = '\0';
	return out;
}

const char *dns_type_text(uint16_t type, char out[16])
{
	static const struct {
		uint16_t type;
		const char *name;
	} known[] = {
		{ DNS_A, "A" },		{ DNS_NS, "NS" },
		{ DNS_CNAME, "CNAME" }, { DNS_SOA, "SOA" },
		{ DNS_PTR, "PTR" },	{ DNS_MX, "MX" },
		{ 16, "TXT" },		{ DNS_AAAA, "AAAA" },
		{ DNS_SRV, "SRV" },	{ DNS_SVCB, "SVCB" },
		{ DNS_HTTPS, "HTTPS" }, { DNS_META_LAST, "ANY" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].type == type)
			return known[i].name;
	snprintf(out, 16, "TYPE%u", type);
	return out;
}

/* ---- a query ---- */

static void read_edns(const uint8_t *msg, size_t len, size_t at,
		      struct dns_query *q)
{
	/* The root's name, type, size, and six bytes more. */
	if (at + 11 > len || msg[at] != 0 || get16(msg + at + 1) != DNS_OPT)
		return;
	q->edns = true;
	q->udp_size = get16(msg + at + 3);
	q->udp_size = MAX(q->udp_size, DNS_UDP_MIN);
	q->udp_size = MIN(q->udp_size, DNS_UDP_MAX);
}

int dns_query_parse(const uint8_t *msg, size_t len, struct dns_query *q)
{
	struct dns_name name;
	size_t at = HEADER;
	uint16_t flags;

	*q = (struct dns_query){ .udp_size = DNS_UDP_MIN };
	if (len < HEADER || len > DNS_MSG_MAX)
		return -EBADMSG;
	flags = get16(msg + 2);
	if (flags & QR)
		return -EBADMSG;
	q->id = get16(msg);
	q->rd = flags & RD;
	q->cd = flags & CD;
	if (flags & OPCODE)
		return DNS_NOTIMP;
	if (get16(msg + 4) != 1 || get16(msg + 6) != 0 ||
	    read_name(msg, len, &at, &name) < 0 || at + 4 > len)
		return DNS_FORMERR;
	q->name = name;
	q->type = get16(msg + at);
	if (get16(msg + 8) == 0 && get16(msg + 10) > 0)
		read_edns(msg, len, at + 4, q);
	if (q->type == 0 || q->type == DNS_OPT)
		return DNS_FORMERR;
	if (get16(msg + at + 2) != IN ||
	    (q->type >= DNS_META_FIRST && q->type <= DNS_META_LAST))
		return DNS_NOTIMP;
	return 0;
}

/* ---- an answer ---- */

struct reader {
	const uint8_t *msg;
	size_t len;
	size_t first; /* record of the answer */
	unsigned count;
};

/* The record at *at, which moves behind it. */
static int read_record(const struct reader *r, size_t *at,
		       struct dns_name *owner, struct dns_record *rec)
{
	const uint8_t *p;

	if (read_name(r->msg, r->len, at, owner) < 0 || *at + 10 > r->len)
		return -EBADMSG;
	p = r->msg + *at;
	*rec = (struct dns_record){ .type = get16(p),
				    .ttl = get32(p + 4),
				    .len = get16(p + 8),
				    .off = (uint16_t)(*at + 10) };
	if (*at + 10 + rec->len > r->len)
		return -EBADMSG;
	*at += 10u + rec->len;
	/* RFC 2181, 8 */
	if (rec->ttl > INT32_MAX)
		rec->ttl = 0;
	if (get16(p + 2) != IN)
		rec->type = 0;
	return 0;
}

static void keep(struct dns_answer *a, const struct dns_record *rec,
		 unsigned hop)
{
	if (a->nrecords == DNS_RECORDS)
		return;
	a->records[a->nrecords] = *rec;
	a->records[a->nrecords++].hop = (uint8_t)hop;
}

/* Keeps the CNAME of *name and makes *name what it leads to. */
static bool follow(const struct reader *r, struct dns_name *name, unsigned hop,
		   struct dns_answer *a)
{
	struct dns_name owner;
	struct dns_record rec;
	size_t at = r->first;

	for (unsigned i = 0; i < r->count; i++) {
		if (read_record(r, &at, &owner, &rec) < 0)
			return false;
		if (rec.type == DNS_CNAME && same_name(&owner, name)) {
			size_t target = rec.off;

			if (read_name(r->msg, r->len, &target, name) < 0)
				return false;
			keep(a, &rec, hop);
			return true;
		}
	}
	return false;
}

/* What is said of name; a message that ends early is good up to there. */
static void collect(const struct reader *r, const struct dns_name *name,
		    uint16_t type, unsigned hop, struct dns_answer *a)
{
	struct dns_name owner;
	struct dns_record rec;
	size_t at = r->first;

	for (unsigned i = 0; i < r->count; i++) {
		if (read_record(r, &at, &owner, &rec) < 0)
			return;
		if (rec.type == type && same_name(&owner, name))
			keep(a, &rec, hop);
	}
}

int dns_answer_parse(const uint8_t *msg, size_t len, const struct dns_query *q,
		     uint16_t id, struct dns_answer *a)
{
	struct dns_name name;
	struct reader r = { .msg = msg, .len = len };
	unsigned hop = 0;
	size_t at = HEADER;
	uint16_t flags;

	*a = (struct dns_answer){ .msg = msg, .len = len };
	if (len < HEADER || len > DNS_MSG_MAX || get16(msg) != id)
		return -EBADMSG;
	flags = get16(msg + 2);
	if (!(flags & QR) || (flags & OPCODE) || get16(msg + 4) != 1 ||
	    read_name(msg, len, &at, &name) < 0 || at + 4 > len ||
	    !same_name(&name, &q->name) || get16(msg + at) != q->type ||
	    get16(msg + at + 2) != IN)
		return -EBADMSG;
	a->rcode = flags & RCODE;
	a->truncated = flags & TC;
	r.first = at + 4;
	r.count = MIN(get16(msg + 6), LOOK_MAX);
	if (q->type != DNS_CNAME)
		while (hop < DNS_HOPS && follow(&r, &name, hop, a))
			hop++;
	collect(&r, &name, q->type, hop, a);
	return 0;
}

bool dns_record_ip(const struct dns_answer *a, const struct dns_record *r,
		   struct ip *ip)
{
	*ip = (struct ip){ 0 };
	if (r->type == DNS_A && r->len == 4)
		ip->len = 4;
	else if (r->type == DNS_AAAA && r->len == 16)
		ip->len = 16;
	memcpy(ip->b, a->msg + r->off, ip->len);
	return ip->len > 0;
}

/* ---- building ---- */

struct writer {
	uint8_t *out;
	size_t room, len;
	bool full;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if (len > w->room - w->len) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->len, data, len);
	w->len += len;
}

static void put16(struct writer *w, unsigned v)
{
	put(w, (uint8_t[]){ (uint8_t)(v >> 8), (uint8_t)v }, 2);
}

static void put32(struct writer *w, uint32_t v)
{
	put16(w, v >> 16);
	put16(w, v & 0xffff);
}

static void set16(struct writer *w, size_t at, unsigned v)
{
	w->out[at] = (uint8_t)(v >> 8);
	w->out[at + 1] = (uint8_t)v;
}

static void put_edns(struct writer *w, uint16_t ede)
{
	set16(w, 10, 1);
	put(w, "", 1);
	put16(w, DNS_OPT);
	put16(w, DNS_UDP_MAX);
	put32(w, 0);
	if (ede == DNS_EDE_NONE) {
		put16(w, 0);
		return;
	}
	put16(w, 6);
	put16(w, 15); /* the option of RFC 8914 */
	put16(w, 2);
	put16(w, ede);
}

static void put_head(struct writer *w, uint16_t id, unsigned flags,
		     const struct dns_query *q)
{
	put16(w, id);
	put16(w, flags);
	put16(w, q->name.len > 0);
	for (int i = 0; i < 3; i++)
		put16(w, 0);
	if (q->name.len > 0) {
		put(w, q->name.b, q->name.len);
		put16(w, q->type);
		put16(w, IN);
	}
}

size_t dns_query_build(const struct dns_query *q, uint16_t id,
		       uint8_t out[DNS_UDP_MIN])
{
	struct writer w = { .out = out, .room = DNS_UDP_MIN };

	put_head(&w, id, RD | (q->cd ? CD : 0), q);
	put_edns(&w, DNS_EDE_NONE);
	return w.len;
}

/* It has recursion, whoever asks. */
static unsigned reply_flags(const struct dns_query *q, unsigned rcode)
{
	return QR | 0x80u | (q->rd ? RD : 0) | (q->cd ? CD : 0) | rcode;
}

size_t dns_reply(const struct dns_query *q, enum dns_rcode rcode, uint16_t ede,
		 uint8_t out[DNS_UDP_MIN])
{
	struct writer w = { .out = out, .room = DNS_UDP_MIN };

	put_head(&w, q->id, reply_flags(q, rcode), q);
	if (q->edns)
		put_edns(&w, ede);
	return w.len;
}

size_t dns_reply_ip(const struct dns_query *q, const struct ip *ip,
		    uint32_t ttl, uint8_t out[DNS_UDP_MIN])
{
	struct writer w = { .out = out, .room = DNS_UDP_MIN };

	put_head(&w, q->id, reply_flags(q, DNS_NOERROR), q);
	if (q->type == (ip->len == 4 ? DNS_A : DNS_AAAA)) {
		set16(&w, 6, 1);
		put16(&w, 0xc000 | HEADER);
		put16(&w, q->type);
		put16(&w, IN);
		put32(&w, ttl);
		put16(&w, ip->len);
		put(&w, ip->b, ip->len);
	}
	if (q->edns)
		put_edns(&w, DNS_EDE_NONE);
	return w.len;
}

/* Bytes before the first name in the data, and how many names there are; the
 * bytes behind are copied. Types from RFC 3597 on have no names to expand. */
static void names_in(uint16_t type, unsigned *before, unsigned *names)
{
	*before = type == DNS_SRV ? 6 : type == DNS_MX ? 2 : 0;
	*names = 0;
	if (type == DNS_NS || type == DNS_CNAME || type == DNS_PTR ||
	    type == DNS_MX || type == DNS_SRV)
		*names = 1;
	if (type == DNS_SOA)
		*names = 2;
}

/* False when the data is not what the type says. */
static bool put_data(struct writer *w, const struct dns_answer *a,
		     const struct dns_record *r)
{
	size_t at = r->off, end = at + r->len;
	struct dns_name name;
	unsigned before, names;

	names_in(r->type, &before, &names);
	if (before > r->len)
		return false;
	put(w, a->msg + at, before);
	at += before;
	while (names-- > 0) {
		if (read_name(a->msg, a->len, &at, &name) < 0 || at > end)
			return false;
		put(w, name.b, name.len);
	}
	put(w, a->msg + at, end - at);
	return true;
}

size_t dns_answer_build(const struct dns_query *q, const struct dns_answer *a,
			uint32_t max_ttl, uint8_t *out, size_t room)
{
	struct writer w = { .out = out, .room = MIN(room, DNS_MSG_MAX) };
	size_t owner[DNS_HOPS + 1] = { HEADER };
	unsigned n = 0;

	/* What comes last always has its room. */
	w.room -= 11;
	put_head(&w, q->id, reply_flags(q, a->rcode), q);
	for (unsigned i = 0; i < a->nrecords; i++) {
		const struct dns_record *r = &a->records[i];
		size_t start = w.len;

		if (r->drop || owner[r->hop] == 0)
			continue;
		put16(&w, 0xc000u | (unsigned)owner[r->hop]);
		put16(&w, r->type);
		put16(&w, IN);
		put32(&w, MIN(r->ttl, max_ttl));
		put16(&w, 0);
		if (!put_data(&w, a, r)) {
			w.len = start;
			continue;
		}
		if (w.full) {
			/* Half an answer might pass for a whole one. */
			set16(&w, 2, reply_flags(q, a->rcode) | TC);
			w.len = HEADER + q->name.len + 4u;
			n = 0;
			break;
		}
		set16(&w, start + 10, (unsigned)(w.len - start - 12));
		if (r->type == DNS_CNAME && r->hop < DNS_HOPS)
			owner[r->hop + 1] = start + 12;
		n++;
	}
	set16(&w, 6, n);
	w.room += 11;
	if (q->edns)
		put_edns(&w, DNS_EDE_NONE);
	return w.len;
}
