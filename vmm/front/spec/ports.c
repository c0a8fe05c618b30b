/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/ports.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct span {
	unsigned first, last; /* 0, 0: not given */
};

static int number(const char **at, unsigned *out)
{
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)**at))
		return -EINVAL;
	v = strtoul(*at, &end, 10);
	if (v < 1 || v > UINT16_MAX)
		return -ERANGE;
	*at = end;
	*out = (unsigned)v;
	return 0;
}

/* "80", "8000-8010", or, if it may be, "". */
static int span(const char *text, bool empty, struct span *s, struct err *e)
{
	const char *at = text;
	int r;

	*s = (struct span){ 0, 0 };
	if (!*text && empty)
		return 0;
	r = number(&at, &s->first);
	s->last = s->first;
	if (r == 0 && *at == '-') {
		at++;
		r = number(&at, &s->last);
	}
	if (r == -ERANGE)
		return err_set(e, EINVAL, "'%s': ports are 1 to 65535", text);
	if (r < 0 || *at)
		return err_set(e, EINVAL, "'%s' is not a port", text);
	if (s->last < s->first)
		return err_set(e, EINVAL,
			       "'%s': the range ends before it "
			       "begins",
			       text);
	return 0;
}

static unsigned length(const struct span *s)
{
	return s->last - s->first + 1;
}

static int add_one(struct spec_ports *p, const struct spec_port *one,
		   struct err *e)
{
	struct spec_port *v;

	/* Twice the same is once. */
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].address, one->address) == 0 &&
		    p->v[i].host == one->host && p->v[i].guest == one->guest &&
		    p->v[i].udp == one->udp)
			return 0;
	if (p->n == SPEC_PORTS_MAX)
		return err_set(e, E2BIG, "more than %d ports", SPEC_PORTS_MAX);
	v = reallocarray(p->v, p->n + 1, sizeof(*v));
	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	p->v = v;
	v[p->n++] = *one;
	return 0;
}

/* Takes "/udp" off. */
static int proto(char *text, bool *udp, struct err *e)
{
	char *slash = strchr(text, '/');

	*udp = false;
	if (!slash)
		return 0;
	*slash++ = '\0';
	*udp = strcmp(slash, "udp") == 0;
	if (*udp || strcmp(slash, "tcp") == 0)
		return 0;
	return err_set(e, EINVAL, "'%s': not tcp or udp", slash);
}

static int address(struct spec_port *one, char *text, struct err *e)
{
	struct in6_addr a;
	size_t len = strlen(text);
	int family = AF_INET;

	if (*text == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		text++;
		family = AF_INET6;
	} else if (strchr(text, ':')) {
		return err_set(e, EINVAL,
			       "'%s': an IPv6 address is in brackets", text);
	}
	if (inet_pton(family, text, &a) != 1)
		return err_set(e, EINVAL, "'%s' is not an IP address", text);
	inet_ntop(family, &a, one->address, sizeof(one->address));
	return 0;
}

static int add_spans(struct spec_ports *p, struct spec_port *one,
		     const struct span *host, const struct span *guest,
		     struct err *e)
{
	if (host->first && length(host) != length(guest))
		return err_set(e, EINVAL,
			       "%u ports of the host for %u of the guest",
			       length(host), length(guest));
	for (unsigned i = 0; i < length(guest); i++) {
		one->host = (uint16_t)(host->first ? host->first + i : 0);
		one->guest = (uint16_t)(guest->first + i);
		if (add_one(p, one, e) < 0)
			return -e->code;
	}
	return 0;
}

int spec_ports_add(struct spec_ports *p, const char *text, struct err *e)
{
	autofree char *copy = strdup(text);
	struct spec_port one = { .guest = 0 };
	char *last, *middle;
	struct span host, guest;

	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	if (proto(copy, &one.udp, e) < 0)
		return -e->code;
	last = strrchr(copy, ':');
	if (!last)
		return span(copy, false, &guest, e) < 0
			     ? -e->code
			     : add_spans(p, &one, &(struct span){ 0, 0 },
					 &guest, e);
	*last++ = '\0';
	middle = strrchr(copy, ':');
	if (middle)
		*middle++ = '\0';
	if (span(middle ? middle : copy, true, &host, e) < 0 ||
	    span(last, false, &guest, e) < 0)
		return -e->code;
	if (middle && *copy && address(&one, copy, e) < 0)
		return -e->code;
	return add_spans(p, &one, &host, &guest, e);
}

int spec_ports_expose(struct spec_ports *p, const char *text, struct err *e)
{
	if (strchr(text, ':'))
		return err_set(e, EINVAL, "'%s' is not a port", text);
	return spec_ports_add(p, text, e);
}

char *spec_port_text(const struct spec_port *p, char *text)
{
	char host[8] = "";
	bool six = strchr(p->address, ':') != NULL;

	if (p->host)
		snprintf(host, sizeof(host), "%u", p->host);
	snprintf(text, SPEC_PORT_TEXT, "%s%s%s%s%s:%u/%s", six ? "[" : "",
		 p->address, six ? "]" : "", *p->address ? ":" : "", host,
		 p->guest, p->udp ? "udp" : "tcp");
	return text;
}

int spec_ports_all(struct spec_ports *p, const struct spec_ports *expose,
		   struct err *e)
{
	size_t given = p->n;

	for (size_t i = 0; i < expose->n; i++) {
		const struct spec_port *want = &expose->v[i];
		bool has = false;

		for (size_t j = 0; j < given; j++)
			has = has || (p->v[j].guest == want->guest &&
				      p->v[j].udp == want->udp);
		if (!has && add_one(p, want, e) < 0)
			return -e->code;
	}
	return 0;
}

void spec_ports_fini(struct spec_ports *p)
{
	free(take_ptr(&p->v));
	p->n = 0;
}
