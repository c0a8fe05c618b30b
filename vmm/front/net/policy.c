/* SPDX-License-Identifier: Apache-2.0 */
#include "net/policy.h"

#include "base/auto.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* ---- closed ranges ---- */

static const char *const closed4[] = {
	"0.0.0.0/8",	  "10.0.0.0/8",	   "100.64.0.0/10", "127.0.0.0/8",
	"169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",  "192.168.0.0/16",
	"198.18.0.0/15",  "224.0.0.0/4",   "240.0.0.0/4",
};

static const char *const closed6[] = {
	"::/96",	  /* unspecified, loopback, IPv4-compatible */
	"::ffff:0:0/96",  /* IPv4-mapped */
	"64:ff9b:1::/48", /* translation, for local use */
	"100::/64",	  /* discard */
	"2001::/32",	  /* Teredo carries IPv4 addresses, */
	"2002::/16",	  /* and so does 6to4 */
	"fc00::/7",	  /* unique local */
	"fe80::/9",	  /* link-local and what was site-local */
	"ff00::/8",	  /* multicast */
};

/* The translation prefix itself is how some reach IPv4 (RFC 6052): closed is
 * what would be closed without it. */
static void translated(const struct ip_range *r4, struct ip_range *r6)
{
	static const uint8_t prefix[] = { 0x00, 0x64, 0xff, 0x9b };

	*r6 = (struct ip_range){ .ip.len = 16 };
	memcpy(r6->ip.b, prefix, sizeof(prefix));
	memcpy(r6->ip.b + 12, r4->ip.b, 4);
	r6->prefix = (uint8_t)(96 + r4->prefix);
}

int policy_close(struct policy *p, const struct ip_range *r, struct err *e)
{
	if (p->nclosed == POLICY_CLOSED)
		return err_set(e, ENOSPC, "more than %d closed ranges",
			       POLICY_CLOSED);
	p->closed[p->nclosed++] = *r;
	return 0;
}

void policy_init(struct policy *p)
{
	struct ip_range r, r6;

	*p = (struct policy){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(closed4); i++) {
		ip_range_parse(closed4[i], &r);
		translated(&r, &r6);
		p->closed[p->nclosed++] = r;
		p->closed[p->nclosed++] = r6;
	}
	for (size_t i = 0; i < ARRAY_LEN(closed6); i++) {
		ip_range_parse(closed6[i], &r);
		p->closed[p->nclosed++] = r;
	}
}

void policy_fini(struct policy *p)
{
	for (size_t i = 0; i < p->nnames; i++)
		free(p->names[i].name);
	free(p->names);
	free(p->ranges);
	*p = (struct policy){ 0 };
}

/* ---- parts of a word ---- */

static int number(const char *text, uint16_t *out)
{
	size_t len = strspn(text, "0123456789");
	unsigned n = 0;

	if (len == 0 || len > 5 || text[len])
		return -1;
	while (*text)
		n = n * 10 + (unsigned)(*text++ - '0');
	*out = (uint16_t)n;
	return n <= UINT16_MAX ? 0 : -1;
}

/* "443", "8000-8010" */
static int parse_ports(char *text, struct policy_class *c)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash++ = '\0';
	if (number(text, &c->first) < 0 ||
	    number(dash ? dash : text, &c->last) < 0)
		return -1;
	return c->first <= c->last && (c->first > 0 || !dash) ? 0 : -1;
}

/* "/tcp" or "/udp" at the end, cut off. */
static void parse_proto(char *word, struct policy_class *c)
{
	char *slash = strrchr(word, '/');

	if (slash && strcmp(slash, "/tcp") == 0)
		c->proto = IPPROTO_TCP;
	else if (slash && strcmp(slash, "/udp") == 0)
		c->proto = IPPROTO_UDP;
	else
		return;
	*slash = '\0';
}

/* Where the host part ends: NULL without ports, else what follows the colon.
 * Brackets are cut off; a bare IPv6 address has several colons and no port. */
static int split_host(char **word, char **ports)
{
	char *colon = strchr(*word, ':'), *end;

	*ports = NULL;
	if (**word == '[') {
		end = strchr(*word, ']');
		if (!end || (end[1] && end[1] != ':') ||
		    !memchr(*word, ':', (size_t)(end - *word)))
			return -1;
		*ports = end[1] ? end + 2 : NULL;
		*end = '\0';
		(*word)++;
	} else if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
		*ports = colon + 1;
	}
	return 0;
}

/* Lower case, without the dot at the end; false when it cannot be a name. The
 * last label has a letter, or 10.1.2 and 1.2.3.400 would be names. */
static bool tidy_name(char *name)
{
	size_t len = strlen(name), label = 0;
	bool letter = false;

	if (len > 0 && name[len - 1] == '.')
		name[--len] = '\0';
	if (len == 0 || len >= POLICY_NAME)
		return false;
	for (char *c = name; *c; c++) {
		if (*c == '.') {
			if (label == 0)
				return false;
			label = 0;
			letter = false;
			continue;
		}
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		if (*c >= 'a' && *c <= 'z')
			letter = true;
		else if ((*c < '0' || *c > '9') && *c != '-' && *c != '_')
			return false;
		if (++label > 63)
			return false;
	}
	return label > 0 && letter;
}

/* ---- adding ---- */

/* Room for one more of size bytes. */
static int grow(void **v, size_t n, size_t *room, size_t size, struct err *e)
{
	size_t more = *room ? *room * 2 : 64;
	void *p;

	if (n >= POLICY_RULES)
		return err_set(e, E2BIG, "more than %d rules", POLICY_RULES);
	if (n < *room)
		return 0;
	p = reallocarray(*v, more, size);
	if (!p)
		return err_set(e, ENOMEM, "out of memory");
	*v = p;
	*room = more;
	return 0;
}

static int find_class(struct policy *p, const struct policy_class *c,
		      unsigned *out, struct err *e)
{
	for (unsigned i = 0; i < p->nclasses; i++) {
		const struct policy_class *o = &p->classes[i];

		if (o->proto == c->proto && o->first == c->first &&
		    o->last == c->last) {
			*out = i;
			return 0;
		}
	}
	if (p->nclasses == POLICY_CLASSES)
		return err_set(
			e, E2BIG,
			"more than %d combinations of ports and protocol",
			POLICY_CLASSES);
	p->classes[p->nclasses] = *c;
	*out = p->nclasses++;
	return 0;
}

static int add_range(struct policy *p, const struct ip_range *r, unsigned klass,
		     struct err *e)
{
	void *v = p->ranges;
	int n = grow(&v, p->nranges, &p->room_ranges, sizeof(*p->ranges), e);

	p->ranges = v;
	if (n < 0)
		return n;
	p->ranges[p->nranges++] = (struct policy_range){ *r, klass };
	return 0;
}

static int add_name(struct policy *p, const char *name, bool below,
		    unsigned klass, struct err *e)
{
	struct policy_name n = { .exact = below ? 0 : 1ull << klass,
				 .below = below ? 1ull << klass : 0 };
	void *v = p->names;
	int r = grow(&v, p->nnames, &p->room_names, sizeof(*p->names), e);

	p->names = v;
	if (r < 0)
		return r;
	n.name = strdup(name);
	if (!n.name)
		return err_set(e, ENOMEM, "out of memory");
	p->names[p->nnames++] = n;
	return 0;
}

static int add_host(struct policy *p, char *host, const struct policy_class *c,
		    struct err *e)
{
	bool below = strncmp(host, "*.", 2) == 0;
	struct ip_range range;
	unsigned klass;
	int r = find_class(p, c, &klass, e);

	if (r < 0)
		return r;
	if (ip_range_parse(host, &range)) {
		if (c->last == 0)
			return err_set(e, EINVAL,
				       "port 0 of an address opens nothing");
		return add_range(p, &range, klass, e);
	}
	if (strcmp(host, "*") == 0)
		return add_name(p, "", true, klass, e);
	if (strchr(host, '/') || strchr(host, ':'))
		return err_set(e, EINVAL, "not an address or a range of them");
	if (!tidy_name(below ? host + 2 : host))
		return err_set(e, EINVAL, "not a name, address or range");
	return add_name(p, below ? host + 2 : host, below, klass, e);
}

static int add_word(struct policy *p, char *word, struct err *e)
{
	struct policy_class c = { 0, 0, UINT16_MAX };
	char *ports;

	if (strcmp(word, "all") == 0)
		p->all = true;
	else if (strcmp(word, "none") == 0)
		p->none = true;
	else {
		parse_proto(word, &c);
		if (split_host(&word, &ports) < 0)
			return err_set(e, EINVAL,
				       "not an address in brackets and a port");
		if (ports && parse_ports(ports, &c) < 0)
			return err_set(e, EINVAL,
				       "not a port, or a range of them");
		return add_host(p, word, &c, e);
	}
	return 0;
}

bool policy_word(const char **at, char word[POLICY_NAME * 2])
{
	static const char blanks[] = ", \t\r\n";
	size_t len;

	for (;;) {
		*at += strspn(*at, blanks);
		if (**at != '#')
			break;
		*at += strcspn(*at, "\n");
	}
	len = strcspn(*at, ", \t\r\n#");
	snprintf(word, POLICY_NAME * 2, "%.*s",
		 (int)MIN(len, POLICY_NAME * 2 - 1), *at);
	*at += len;
	return len > 0;
}

int policy_add(struct policy *p, const char *text, struct err *e)
{
	char word[POLICY_NAME * 2], whole[POLICY_NAME * 2];

	while (policy_word(&text, word)) {
		memcpy(whole, word, sizeof(whole));
		if (add_word(p, word, e) < 0)
			return err_wrap(e, "'%.80s'", whole);
	}
	if (p->none && (p->all || p->nnames + p->nranges > 0))
		return err_set(e, EINVAL, "'none' with something else");
	return 0;
}

/* ---- asking ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct policy_name *)a)->name,
		      ((const struct policy_name *)b)->name);
}

int policy_end(struct policy *p, struct err *e)
{
	size_t n = 0;

	if (!p->all && !p->none && p->nnames + p->nranges == 0)
		return err_set(e, EINVAL, "an empty list ('none' is nothing)");
	if (p->nnames == 0)
		return 0;
	qsort(p->names, p->nnames, sizeof(*p->names), by_name);
	for (size_t i = 1; i < p->nnames; i++) {
		struct policy_name *same = &p->names[n];

		if (strcmp(same->name, p->names[i].name) != 0) {
			p->names[++n] = p->names[i];
			continue;
		}
		same->exact |= p->names[i].exact;
		same->below |= p->names[i].below;
		free(p->names[i].name);
	}
	p->nnames = n + 1;
	return 0;
}

static const struct policy_name *find_name(const struct policy *p,
					   const char *name)
{
	size_t low = 0, high = p->nnames;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(name, p->names[mid].name);

		if (c == 0)
			return &p->names[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

bool policy_name_allowed(const struct policy *p, const char *name,
			 uint64_t *classes)
{
	const struct policy_name *n = find_name(p, name);
	uint64_t set = n ? n->exact : 0;

	for (const char *dot = strchr(name, '.'); dot;
	     dot = strchr(dot + 1, '.')) {
		n = find_name(p, dot + 1);
		if (n)
			set |= n->below;
	}
	n = find_name(p, "");
	if (n)
		set |= n->below;
	if (classes)
		*classes = set;
	return set || p->all;
}

bool policy_ip_closed(const struct policy *p, const struct ip *ip)
{
	bool closed = false;

	for (size_t i = 0; i < p->nclosed && !closed; i++)
		closed = ip_in(ip, &p->closed[i]);
	for (size_t i = 0; i < p->nranges && closed; i++)
		closed = !ip_in(ip, &p->ranges[i].range);
	return closed;
}
