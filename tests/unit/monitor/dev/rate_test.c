/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SECOND 1000000u

static uint64_t clock_us;

static uint64_t now(void)
{
	return clock_us;
}

static struct rate of(uint64_t bytes, uint64_t ops)
{
	struct rate_conf conf = { .bytes = bytes, .ops = ops };
	struct rate r;

	clock_us = 5 * SECOND;
	rate_init(&r, &conf, now);
	return r;
}

static void no_limit_never_waits(void **state)
{
	struct rate r = of(0, 0);

	(void)state;
	assert_false(rate_limits(&r));
	rate_take(&r, UINT64_MAX, UINT64_MAX);
	assert_int_equal(rate_wait(&r, UINT64_MAX), 0);
}

static void a_second_is_there_at_once(void **state)
{
	struct rate r = of(1000, 0);

	(void)state;
	assert_true(rate_limits(&r));
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(rate_wait(&r, 0), 0);
		rate_take(&r, 100, 1);
	}
	assert_int_equal(rate_wait(&r, 0), 1000);
	assert_int_equal(rate_wait(&r, 500), SECOND / 2);
}

static void a_debt_is_paid(void **state)
{
	struct rate r = of(1000, 0);

	(void)state;
	rate_take(&r, 11000, 1); /* ten seconds too much */
	assert_int_equal(rate_wait(&r, 0), 10 * SECOND + 1000);
	clock_us += 10 * SECOND;
	assert_int_equal(rate_wait(&r, 0), 1000);
	clock_us += 1000;
	assert_int_equal(rate_wait(&r, 0), 0);
}

static void a_pause_saves_one_second(void **state)
{
	struct rate r = of(1000, 0);

	(void)state;
	rate_take(&r, 1000, 1);
	clock_us += 3600ull * SECOND;
	assert_int_equal(rate_wait(&r, 0), 0);
	rate_take(&r, 1000, 1);
	assert_int_equal(rate_wait(&r, 0), 1000);
}

static void the_slower_of_both_counts(void **state)
{
	struct rate r = of(1000, 10);

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		rate_take(&r, 1, 1);
	assert_int_equal(rate_wait(&r, 0), SECOND / 10);
	rate_take(&r, 1990, 0);
	assert_int_equal(rate_wait(&r, 0), SECOND + 1000);
}

/* Steps that divide nothing evenly: no fraction is lost or won. */
static void over_time_the_rate_is_exact(void **state)
{
	struct rate r = of(777, 0);
	uint64_t taken = 0, end = clock_us + 100ull * SECOND;

	(void)state;
	while (clock_us < end) {
		uint64_t wait = rate_wait(&r, 0);

		if (wait) {
			clock_us += wait;
			continue;
		}
		rate_take(&r, 13, 1);
		taken += 13;
		clock_us += 7;
	}
	assert_in_range(taken, 101 * 777 - 20, 101 * 777 + 20);
}

static void more_than_a_second_holds_waits_for_all_of_it(void **state)
{
	struct rate r = of(1000, 0);

	(void)state;
	assert_int_equal(rate_wait(&r, 5000), 0);
	rate_take(&r, 1, 1);
	assert_int_equal(rate_wait(&r, 5000), 1000);
}

static void the_largest_numbers_do_not_wrap(void **state)
{
	struct rate r = of(RATE_MAX, RATE_MAX);

	(void)state;
	rate_take(&r, UINT64_MAX, 1);
	rate_take(&r, UINT32_MAX, 1);
	assert_in_range(rate_wait(&r, 0), 1, SECOND);
	clock_us += UINT64_MAX / 2;
	assert_int_equal(rate_wait(&r, RATE_MAX), 0);
	r = of(UINT64_MAX, 1);
	assert_int_equal(r.bytes.per_s, RATE_MAX);
	r = of(1, 0);
	rate_take(&r, UINT32_MAX, 1);
	assert_int_equal(rate_wait(&r, 0), (uint64_t)UINT32_MAX * SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_limit_never_waits),
		cmocka_unit_test(a_second_is_there_at_once),
		cmocka_unit_test(a_debt_is_paid),
		cmocka_unit_test(a_pause_saves_one_second),
		cmocka_unit_test(the_slower_of_both_counts),
		cmocka_unit_test(over_time_the_rate_is_exact),
		cmocka_unit_test(more_than_a_second_holds_waits_for_all_of_it),
		cmocka_unit_test(the_largest_numbers_do_not_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
