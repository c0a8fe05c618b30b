/* SPDX-License-Identifier: Apache-2.0 */
#include "net/opened.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int opened_init(struct opened *o)
{
	*o = (struct opened){ 0 };
	o->v = calloc(OPENED_MAX, sizeof(*o->v));
	return o->v ? 0 : -ENOMEM;
}

void opened_fini(struct opened *o)
{
	for (size_t i = 0; i < o->used; i++)
		free(o->v[i].name);
	free(o->v);
	*o = (struct opened){ 0 };
}

static uint32_t *bucket_of(const struct opened *o, const struct ip *ip)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < ip->len; i++)
		h = (h ^ ip->b[i]) * 16777619u;
	return (uint32_t *)(uintptr_t)&o->bucket[h % OPENED_BUCKETS];
}

static struct opened_entry *entry(const struct opened *o, uint32_t at)
{
	return at ? &o->v[at - 1] : NULL;
}

static void unlink_entry(struct opened *o, struct opened_entry *x)
{
	uint32_t self = (uint32_t)(x - o->v) + 1;
	uint32_t *at = bucket_of(o, &x->ip);

	while (*at != self)
		at = &o->v[*at - 1].next;
	*at = x->next;
	free(x->name);
	x->name = NULL;
}

/* One that was never used, or else the one whose time has been over longest. */
static struct opened_entry *room(struct opened *o)
{
	struct opened_entry *oldest = NULL;

	if (o->used < OPENED_MAX)
		return &o->v[o->used++];
	for (size_t i = 0; i < OPENED_MAX; i++) {
		struct opened_entry *x = &o->v[i];

		if (!x->name)
			return x;
		if (!x->classes && (!oldest || x->until_ms < oldest->until_ms))
			oldest = x;
	}
	if (oldest)
		unlink_entry(o, oldest);
	return oldest;
}

uint64_t opened_classes(const struct opened *o, const struct ip *ip)
{
	uint64_t classes = 0;

	for (struct opened_entry *x = entry(o, *bucket_of(o, ip)); x;
	     x = entry(o, x->next))
		if (ip_equal(&x->ip, ip))
			classes |= x->classes;
	return classes;
}

static struct opened_entry *find(const struct opened *o, const struct ip *ip,
				 const char *name)
{
	struct opened_entry *x = entry(o, *bucket_of(o, ip));

	while (x && (!ip_equal(&x->ip, ip) || strcmp(x->name, name) != 0))
		x = entry(o, x->next);
	return x;
}

int opened_add(struct opened *o, const struct ip *ip, const char *name,
	       uint64_t classes, uint64_t until_ms, uint64_t *fresh)
{
	struct opened_entry *x = find(o, ip, name);
	uint32_t *head = bucket_of(o, ip);
	char *copy;

	*fresh = classes & ~opened_classes(o, ip);
	if (x) {
		x->classes |= classes;
		if (until_ms > x->until_ms)
			x->until_ms = until_ms;
		return 0;
	}
	copy = strdup(name);
	x = copy ? room(o) : NULL;
	if (!x) {
		free(copy);
		return -ENOSPC;
	}
	*x = (struct opened_entry){ .ip = *ip,
				    .name = copy,
				    .classes = classes,
				    .until_ms = until_ms,
				    .next = *head };
	*head = (uint32_t)(x - o->v) + 1;
	return 0;
}

void opened_undo(struct opened *o, const struct ip *ip, uint64_t fresh)
{
	for (struct opened_entry *x = entry(o, *bucket_of(o, ip)); x;
	     x = entry(o, x->next))
		if (ip_equal(&x->ip, ip))
			x->classes &= ~fresh;
}

bool opened_expire(struct opened *o, uint64_t now_ms, struct ip *ip,
		   uint64_t *shut)
{
	for (size_t i = 0; i < o->used; i++) {
		struct opened_entry *x = &o->v[i];
		uint64_t had = x->classes;

		if (!x->name || !had || x->until_ms > now_ms)
			continue;
		x->classes = 0;
		*ip = x->ip;
		*shut = had & ~opened_classes(o, ip);
		return true;
	}
	return false;
}

const char *opened_name(const struct opened *o, const struct ip *ip)
{
	for (struct opened_entry *x = entry(o, *bucket_of(o, ip)); x;
	     x = entry(o, x->next))
		if (ip_equal(&x->ip, ip))
			return x->name;
	return NULL;
}
