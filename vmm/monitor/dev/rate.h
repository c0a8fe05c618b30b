/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h - at most so much a second: a token bucket for bytes and one for
 * operations.
 *
 * A bucket holds one second's worth and begins full. What is wanted may start
 * when there is something in both; it then takes all it costs, which may leave
 * a debt. So one request of any size passes, and what follows waits for it to
 * be paid: over time the rate is exact. Nothing here waits or allocates. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Far from where the arithmetic would wrap. */
#define RATE_MAX (1ull << 40)

struct rate_conf {
	uint64_t bytes, ops; /* a second, up to RATE_MAX; 0: no limit */
};

struct rate_bucket {
	uint64_t per_s; /* 0: no limit */
	int64_t level;	/* millionths; below 0 is a debt */
	uint64_t at_us; /* when level was true */
};

struct rate {
	struct rate_bucket bytes, ops;
	uint64_t (*now)(void); /* microseconds, never backwards */
};

/* now may be NULL: the clock is now_us(). */
void rate_init(struct rate *r, const struct rate_conf *conf,
	       uint64_t (*now)(void));
bool rate_limits(const struct rate *r);
/* Microseconds until there are at least bytes (counted as 1 when 0) and an
 * operation; 0 when there are now. */
uint64_t rate_wait(struct rate *r, uint64_t bytes);
void rate_take(struct rate *r, uint64_t bytes, uint64_t ops);
