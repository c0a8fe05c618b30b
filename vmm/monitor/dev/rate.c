/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/rate.h"

#include "base/auto.h"
#include "base/fd.h"

#define MILLION 1000000ull

static void bucket_init(struct rate_bucket *b, uint64_t per_s, uint64_t now)
{
	b->per_s = MIN(per_s, RATE_MAX);
	b->level = (int64_t)(b->per_s * MILLION);
	b->at_us = now;
}

/* In a microsecond come per_s millionths. */
static void bucket_fill(struct rate_bucket *b, uint64_t now)
{
	int64_t full = (int64_t)(b->per_s * MILLION);
	uint64_t missing = (uint64_t)(full - b->level);
	uint64_t passed = now - b->at_us;

	b->at_us = now;
	if (passed > missing / b->per_s)
		b->level = full;
	else
		b->level += (int64_t)(passed * b->per_s);
}

static uint64_t bucket_wait(struct rate_bucket *b, uint64_t want, uint64_t now)
{
	int64_t need = (int64_t)(MIN(want, b->per_s) * MILLION);

	if (!b->per_s)
		return 0;
	bucket_fill(b, now);
	if (b->level >= need)
		return 0;
	return ((uint64_t)(need - b->level) + b->per_s - 1) / b->per_s;
}

/* A debt ends somewhere: what a device is asked for is bounded anyway. */
static void bucket_take(struct rate_bucket *b, uint64_t n)
{
	if (b->per_s)
		b->level -= (int64_t)(MIN(n, RATE_MAX) * MILLION);
}

void rate_init(struct rate *r, const struct rate_conf *conf,
	       uint64_t (*now)(void))
{
	r->now = now ? now : now_us;
	bucket_init(&r->bytes, conf->bytes, r->now());
	bucket_init(&r->ops, conf->ops, r->now());
}

bool rate_limits(const struct rate *r)
{
	return r->bytes.per_s || r->ops.per_s;
}

uint64_t rate_wait(struct rate *r, uint64_t bytes)
{
	uint64_t now, a, b;

	if (!rate_limits(r))
		return 0;
	now = r->now();
	a = bucket_wait(&r->bytes, MAX(bytes, 1), now);
	b = bucket_wait(&r->ops, 1, now);
	return MAX(a, b);
}

void rate_take(struct rate *r, uint64_t bytes, uint64_t ops)
{
	bucket_take(&r->bytes, bytes);
	bucket_take(&r->ops, ops);
}
