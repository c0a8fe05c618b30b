/* SPDX-License-Identifier: Apache-2.0 */
#include "net/legacy.h"

#include "base/auto.h"
#include "base/fd.h"
#include "net/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NAMES_MAX 4096
/* Some hosts have tens of thousands of rules. */
#define TABLE_MAX (64u << 20)

/* Where an entry has what is looked for: the families differ in nothing else. */
struct shape {
	const char *names; /* the tables there are */
	int domain, level, info, entries;
	size_t size, target, next, in, out;
};

static const struct shape four = {
	.names = "/proc/net/ip_tables_names",
	.domain = AF_INET,
	.level = IPPROTO_IP,
	.info = IPT_SO_GET_INFO,
	.entries = IPT_SO_GET_ENTRIES,
	.size = sizeof(struct ipt_entry),
	.target = offsetof(struct ipt_entry, target_offset),
	.next = offsetof(struct ipt_entry, next_offset),
	.in = offsetof(struct ipt_entry, ip.iniface),
	.out = offsetof(struct ipt_entry, ip.outiface),
};
static const struct shape six = {
	.names = "/proc/net/ip6_tables_names",
	.domain = AF_INET6,
	.level = IPPROTO_IPV6,
	.info = IP6T_SO_GET_INFO,
	.entries = IP6T_SO_GET_ENTRIES,
	.size = sizeof(struct ip6t_entry),
	.target = offsetof(struct ip6t_entry, target_offset),
	.next = offsetof(struct ip6t_entry, next_offset),
	.in = offsetof(struct ip6t_entry, ipv6.iniface),
	.out = offsetof(struct ip6t_entry, ipv6.outiface),
};

/* Both families' are the same but for their names. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo),
	       "one question for both");
_Static_assert(sizeof(struct ipt_get_entries) ==
		       sizeof(struct ip6t_get_entries),
	       "one question for both");

static const struct shape *shape_of(uint8_t want)
{
	return want == NFPROTO_IPV6 ? &six : &four;
}

/* ---- a table ---- */

static uint16_t half(const uint8_t *at)
{
	uint16_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static bool is_drop(const struct shape *s, const uint8_t *entry, size_t len)
{
	struct xt_standard_target t;
	size_t at;

	if (len < s->size)
		return false;
	at = half(entry + s->target);
	if (at > len || len - at < sizeof(t))
		return false;
	memcpy(&t, entry + at, sizeof(t));
	return !*t.target.u.user.name && t.verdict == -NF_DROP - 1;
}

/* "-i vl+", as the program leaves it there. */
static bool names_ours(const uint8_t *name)
{
	return memcmp(name, HOST_LINK "+", sizeof(HOST_LINK "+")) == 0;
}

bool legacy_table_drops(uint8_t want, const uint8_t *entries, size_t len,
			size_t policy)
{
	const struct shape *s = shape_of(want);
	size_t next;

	if (policy > len || !is_drop(s, entries + policy, len - policy))
		return false;
	for (size_t at = 0; len - at >= s->size; at += next) {
		if (names_ours(entries + at + s->in) ||
		    names_ours(entries + at + s->out))
			return false;
		next = half(entries + at + s->next);
		if (next < s->size || next > len - at)
			break;
	}
	return true;
}

/* ---- asking ---- */

/* A line each. */
static bool has_filter(const struct shape *s)
{
	autoclose int fd = open(s->names, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	char *rest, *line;

	if (fd < 0 || fd_slurp(fd, &text, NAMES_MAX) < 0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strcmp(line, "filter") == 0)
			return true;
	return false;
}

/* A table that changes meanwhile is refused, and asked for once more. */
static int fetch(const struct shape *s, int fd, struct ipt_get_entries **out,
		 size_t *policy)
{
	struct ipt_getinfo info = { .name = "filter" };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, s->level, s->info, &info, &len) < 0)
		return -errno;
	if (info.size > TABLE_MAX)
		return -EFBIG;
	*out = calloc(1, sizeof(**out) + info.size);
	if (!*out)
		return -ENOMEM;
	memcpy((*out)->name, info.name, sizeof(info.name));
	(*out)->size = info.size;
	len = (socklen_t)(sizeof(**out) + info.size);
	*policy = info.underflow[NF_INET_FORWARD];
	return getsockopt(fd, s->level, s->entries, *out, &len) < 0 ? -errno
								    : 0;
}

bool legacy_drops(uint8_t want)
{
	const struct shape *s = shape_of(want);
	struct ipt_get_entries *t = NULL;
	autoclose int fd = -1;
	size_t policy = 0;
	bool drops;
	int r = -EAGAIN;

	if (!has_filter(s))
		return false;
	fd = socket(s->domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	for (int i = 0; fd >= 0 && i < 3 && r == -EAGAIN; i++) {
		free(t);
		t = NULL;
		r = fetch(s, fd, &t, &policy);
	}
	drops = r == 0 && t &&
		legacy_table_drops(want, (uint8_t *)(t + 1), t->size, policy);
	free(t);
	return drops;
}
