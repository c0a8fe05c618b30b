/* SPDX-License-Identifier: Apache-2.0 */
#include "net/egresslog.h"

#include "base/auto.h"
#include "base/fd.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Two lists of addresses, a name of escapes, and the rest. */
#define LINE_MAX 12288
/* Kept back, for the last line. */
#define LAST_MAX 128

struct line {
	char text[LINE_MAX];
	size_t len;
};

static void put(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, sizeof(l->text) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = MIN(l->len + (size_t)n, sizeof(l->text) - 1);
}

static void begin(struct line *l, const char *event)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	l->len = 0;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	put(l, "{\"time\":\"%s.%03ldZ\",\"event\":\"%s\"", text,
	    now.tv_nsec / 1000000, event);
}

/* A name has nothing but printable characters and backslashes. */
static void put_name(struct line *l, const char *name)
{
	put(l, ",\"name\":\"");
	for (; *name; name++)
		put(l, *name == '\\' ? "\\%c" : "%c", *name);
	put(l, "\"");
}

static void put_addrs(struct line *l, const char *key, const struct ip *v,
		      unsigned n)
{
	char ip[IP_TEXT];

	if (n == 0)
		return;
	put(l, ",\"%s\":[", key);
	for (unsigned i = 0; i < n; i++)
		put(l, "%s\"%s\"", i ? "," : "", ip_text(&v[i], ip));
	put(l, "]");
}

static void put_peer(struct line *l, const struct egresslog_conn *c)
{
	char text[IP_TEXT];

	switch (c->proto) {
	case IPPROTO_TCP:
		put(l, ",\"protocol\":\"tcp\"");
		break;
	case IPPROTO_UDP:
		put(l, ",\"protocol\":\"udp\"");
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put(l, ",\"protocol\":\"icmp\"");
		break;
	default:
		put(l, ",\"protocol\":\"%u\"", c->proto);
	}
	put(l, ",\"address\":\"%s\"", ip_text(&c->ip, text));
	if (c->port)
		put(l, ",\"port\":%u", c->port);
	if (c->name)
		put_name(l, c->name);
}

static void end(struct egresslog *l, struct line *line)
{
	put(line, "}\n");
	if (l->fd < 0 || l->full)
		return;
	if (line->len > l->left) {
		l->full = true;
		begin(line, "full");
		put(line, ",\"bytes\":%" PRIu64 "}\n", l->max);
	}
	/* Whoever reads may be gone; there is nobody else to tell. */
	if (fd_write_full(l->fd, line->text, line->len) < 0)
		l->full = true;
	l->left -= MIN(l->left, line->len);
}

void egresslog_init(struct egresslog *l, int fd, uint64_t max)
{
	*l = (struct egresslog){ .fd = fd,
				 .max = max,
				 .left = max > LAST_MAX ? max - LAST_MAX : 0 };
}

void egresslog_name(struct egresslog *l, const struct egresslog_name *n)
{
	struct line line;
	char type[16];

	begin(&line, "name");
	put_name(&line, n->name);
	put(&line, ",\"type\":\"%s\",\"verdict\":\"%s\"",
	    dns_type_text(n->type, type), n->verdict);
	if (n->answer)
		put(&line, ",\"answer\":\"%s\"", n->answer);
	put_addrs(&line, "addresses", n->addr, n->naddr);
	put_addrs(&line, "removed", n->removed, n->nremoved);
	end(l, &line);
}

void egresslog_conn(struct egresslog *l, const struct egresslog_conn *c)
{
	struct line line;

	begin(&line, "connection");
	put_peer(&line, c);
	put(&line, ",\"sent\":%" PRIu64 ",\"received\":%" PRIu64, c->sent,
	    c->received);
	if (c->ms)
		put(&line, ",\"seconds\":%" PRIu64 ".%03u", c->ms / 1000,
		    (unsigned)(c->ms % 1000));
	if (c->open)
		put(&line, ",\"open\":true");
	end(l, &line);
}

void egresslog_refused(struct egresslog *l, const struct egresslog_conn *c)
{
	struct line line;

	begin(&line, "refused");
	put_peer(&line, c);
	end(l, &line);
}

void egresslog_lost(struct egresslog *l, const char *what)
{
	struct line line;

	begin(&line, "lost");
	put(&line, ",\"what\":\"%s\"", what);
	end(l, &line);
}
