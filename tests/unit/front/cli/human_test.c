/* SPDX-License-Identifier: Apache-2.0 */
/* Times, sizes and names in docker's words. */
#include "cli/human.h"

#include "base/auto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char buf[HUMAN_MAX];

static void spans(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} all[] = {
		{ -5, "Less than a second" },
		{ 0, "Less than a second" },
		{ 1, "1 second" },
		{ 2, "2 seconds" },
		{ 59, "59 seconds" },
		{ 60, "About a minute" },
		{ 119, "About a minute" },
		{ 120, "2 minutes" },
		{ 3599, "59 minutes" },
		{ 3600, "About an hour" },
		{ 5399, "About an hour" },
		{ 5400, "2 hours" },
		{ 47 * 3600, "47 hours" },
		{ 48 * 3600, "2 days" },
		{ 13 * 86400, "13 days" },
		{ 14 * 86400, "2 weeks" },
		{ 59 * 86400, "8 weeks" },
		{ 60 * 86400, "2 months" },
		{ 729 * 86400, "24 months" },
		{ 731 * 86400, "2 years" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		assert_string_equal(human_span(all[i].seconds, buf),
				    all[i].text);
	assert_string_equal(human_ago(120, buf), "2 minutes ago");
}

static void sizes(void **state)
{
	(void)state;
	assert_string_equal(human_size(0, 4, buf), "0B");
	assert_string_equal(human_size(999, 4, buf), "999B");
	assert_string_equal(human_size(1500, 4, buf), "1.5kB");
	assert_string_equal(human_size(123456789, 4, buf), "123.5MB");
	assert_string_equal(human_size(123456789, 3, buf), "123MB");
	assert_string_equal(human_size(999999, 3, buf), "1MB");
	assert_string_equal(human_size(UINT64_MAX, 4, buf), "18.45EB");
	assert_string_equal(human_bytes(0, buf), "0B");
	assert_string_equal(human_bytes(1536ull << 20, buf), "1.5GiB");
	assert_string_equal(human_bytes(1023, buf), "1023B");
	assert_string_equal(human_bytes(UINT64_MAX, buf), "16EiB");
}

static void times(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	assert_string_equal(human_time(1700000000, buf),
			    "2023-11-14 22:13:20 +0000 UTC");
	assert_string_equal(human_rfc3339(1700000000, 0, buf),
			    "2023-11-14T22:13:20Z");
	assert_string_equal(human_rfc3339(1700000000, 120000000, buf),
			    "2023-11-14T22:13:20.12Z");
	assert_string_equal(human_rfc3339(0, 0, buf), "0001-01-01T00:00:00Z");
}

static void ids_and_commands(void **state)
{
	autofree char *quoted = human_quote("a\tb\x01");
	autofree char *high = human_quote("\xc3\xa9\xc2\x9b\x9b\xe2\x82");

	(void)state;
	assert_string_equal(human_id("sha256:0123456789abcdef", buf),
			    "0123456789ab");
	assert_string_equal(human_id("short", buf), "short");
	assert_string_equal(human_command("sleep 1000", buf), "\"sleep 1000\"");
	assert_string_equal(human_command("12345678901234567890", buf),
			    "\"12345678901234567890\"");
	assert_string_equal(human_command("123456789012345678901", buf),
			    "\"1234567890123456789…\"");
	assert_string_equal(human_command("ééééééééééééééééééééé", buf),
			    "\"ééééééééééééééééééé…\"");
	assert_string_equal(human_command("say \"x\\\"\n", buf),
			    "\"say \\\"x\\\\\\\"\\n\"");
	assert_string_equal(quoted, "\"a\\tb\\x01\"");
	assert_string_equal(high, "\"\xc3\xa9\\u009b\\x9b\\xe2\\x82\"");
	assert_string_equal(human_cut("abc", 2, buf), "a…");
	assert_string_equal(human_cut("", 5, buf), "");
}

static void bytes_that_are_no_text(void **state)
{
	char junk[600];

	(void)state;
	memset(junk, '\x80', sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	assert_true(strlen(human_cut(junk, 40, buf)) < HUMAN_MAX);
	memset(junk, '\x01', sizeof(junk) - 1);
	assert_true(strlen(human_command(junk, buf)) < HUMAN_MAX);
}

static void statuses(void **state)
{
	struct human_state s = { .status = "running", .started_ago = 130 };

	(void)state;
	assert_string_equal(human_status(&s, buf), "Up 2 minutes");
	s.health = "starting";
	assert_string_equal(human_status(&s, buf),
			    "Up 2 minutes (health: starting)");
	s.health = "healthy";
	assert_string_equal(human_status(&s, buf), "Up 2 minutes (healthy)");
	s.status = "paused";
	assert_string_equal(human_status(&s, buf), "Up 2 minutes (Paused)");
	s = (struct human_state){ .status = "exited",
				  .exit_code = 137,
				  .finished_ago = 3 };
	assert_string_equal(human_status(&s, buf),
			    "Exited (137) 3 seconds ago");
	s.status = "created";
	assert_string_equal(human_status(&s, buf), "Created");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans),
		cmocka_unit_test(sizes),
		cmocka_unit_test(times),
		cmocka_unit_test(ids_and_commands),
		cmocka_unit_test(bytes_that_are_no_text),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
