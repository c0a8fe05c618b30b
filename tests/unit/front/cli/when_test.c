/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as people write them. */
#include "cli/when.h"

#include "base/auto.h"
#include "box/state.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* 2026-11-21T10:00:00Z */
#define TEN 1795255200000

static struct err e;

static int start(void **state)
{
	(void)state;
	/* Two hours east of Greenwich, as POSIX writes it. */
	setenv("TZ", "TST-2", 1);
	tzset();
	return 0;
}

struct point {
	const char *text;
	int64_t ms;
};

static void check(const struct point *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int64_t ms = -1;

		assert_int_equal(when_parse(p[i].text, &ms, &e), 0);
		if (ms != p[i].ms)
			fail_msg("%s: %lld", p[i].text, (long long)ms);
	}
}

static void dates(void **state)
{
	static const struct point points[] = {
		{ "2026-11-21T10:00:00Z", TEN },
		{ "2026-11-21T10:00Z", TEN },
		{ "2026-11-21T10Z", TEN },
		{ "2026-11-21T10:00:07.25Z", TEN + 7250 },
		{ "2026-11-21T10:00:00.123Z", TEN + 123 },
		{ "2026-11-21T10:00:00.123456789Z", TEN + 123 },
		{ "2026-11-21T11:00:00+01:00", TEN },
		{ "2026-11-21T04:30:00-05:30", TEN },
		{ "2026-11-21T04:30:00.5-05:30", TEN + 500 },
		{ "2026-11-21T10:00:00+00:00", TEN },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "1970-01-01T00:00:00Z", 0 },
	};

	(void)state;
	check(points, ARRAY_LEN(points));
}

static void local_dates(void **state)
{
	static const struct point points[] = {
		{ "2026-11-21T12:00:00", TEN },
		{ "2026-11-21T12:00:00.5", TEN + 500 },
		{ "2026-11-21T12:00", TEN },
		{ "2026-11-21T12", TEN },
		{ "2026-11-21", TEN - 12 * 3600000 },
		{ "2026-11-21Z", TEN - 10 * 3600000 },
	};

	(void)state;
	check(points, ARRAY_LEN(points));
}

static void seconds(void **state)
{
	static const struct point points[] = {
		{ "0", 0 },
		{ "10", 10000 },
		{ "1795255200", TEN },
		{ "1795255200.5", TEN + 500 },
	};

	(void)state;
	check(points, ARRAY_LEN(points));
}

static void ago(void **state)
{
	static const struct point points[] = {
		{ "0s", 0 },	     { "10m", 600000 }, { "1h30m", 5400000 },
		{ "1.5h", 5400000 }, { "500ms", 500 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(points); i++) {
		int64_t before = state_now(), ms;

		assert_int_equal(when_parse(points[i].text, &ms, &e), 0);
		assert_true(ms >= before - points[i].ms);
		assert_true(ms <= state_now() - points[i].ms);
	}
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		"",
		"now",
		"-5",
		"-10m",
		"inf",
		"nan",
		"1e300",
		"99999999999999999999",
		"0x10",
		"2026-13-01",
		"2026-11-21T25:00:00Z",
		"2026-11-21T10:00:00 Z",
		"2026-11-21T10:00:00z1",
		"2026-11-21T10:00:00.Z",
		"2026-11-21T10:00:00+",
		"2026-11-21T10:00:00+1",
		"2026-11-21T10:00:00+0100",
		"2026-11-21T10:00:00+01:0",
		"2026-11-21T10:00:00+01:00x",
		"2026-11-21T10:00:00+24:00",
		"2026-11-21T10:00:00+01:60",
		"2026-11-21T10:00:00+-1:00",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int64_t ms;

		if (when_parse(bad[i], &ms, &e) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(e.msg, bad[i]));
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, start)
	const struct CMUnitTest tests[] = {
		T(dates), T(local_dates), T(seconds), T(ago), T(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
