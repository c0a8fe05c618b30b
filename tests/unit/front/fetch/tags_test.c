/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/tags.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct ref name = { .domain = "a.example:5000", .path = "b/c" };

static int add(json_t *all, const char *text)
{
	struct err e = { 0 };
	int r = tags_add(all, &name, text, strlen(text), &e);

	assert_true(r == 0 || e.msg[0]);
	return r;
}

static void test_list(void **state)
{
	json_t *all = json_array();

	(void)state;
	assert_int_equal(
		add(all, "{\"name\":\"b/c\",\"tags\":[\"1.0\",\"x\"]}"), 0);
	assert_int_equal(add(all, "{\"tags\":null}"), 0);
	assert_int_equal(add(all, "{\"tags\":[\"_y-Z\"]}"), 0);
	assert_int_equal(json_array_size(all), 3);
	assert_string_equal(json_string_value(json_array_get(all, 2)), "_y-Z");
	json_decref(all);
}

static void test_lies(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"tags\":\"1\"}",
		"{\"tags\":[1]}",
		"{\"tags\":[\"\"]}",
		"{\"tags\":[\"a/b\"]}",
		"{\"tags\":[\"a:b\"]}",
		"{\"tags\":[\"../..\"]}",
		"{\"tags\":[\"a\\u001b[31m\"]}",
		"{\"tags\":[\"a@sha256:0000000000000000000000000000000000000000"
		"000000000000000000000000\"]}",
	};
	json_t *all = json_array();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(add(all, bad[i]) < 0);
	assert_int_equal(json_array_size(all), 0);
	json_decref(all);
}

static void test_many(void **state)
{
	json_t *all = json_array();

	(void)state;
	for (int i = 0; i < TAGS_MAX; i++)
		assert_int_equal(add(all, "{\"tags\":[\"x\"]}"), 0);
	assert_int_equal(add(all, "{\"tags\":[\"x\"]}"), -E2BIG);
	json_decref(all);
}

static void test_next(void **state)
{
	char good[] = "</v2/b/c/tags/list?last=x&n=9>; rel=\"next\"";
	char other[] = "</x>; rel=\"prev\"", open[] = "</x; rel=\"next\"";
	char empty[] = "<>; rel=\"next\"", none[] = "";
	char away[] = "<https://b.example:1/v2/t?n=9&u=a://b/c>; rel=\"next\"";
	char short_away[] = "<//b.example/v2/t>; rel=\"next\"";
	char host[] = "<http://b.example>; rel=\"next\"";
	char name_only[] = "<t?last=x>; rel=\"next\"";

	(void)state;
	assert_string_equal(tags_next(good), "/v2/b/c/tags/list?last=x&n=9");
	assert_null(tags_next(other));
	assert_null(tags_next(open));
	assert_null(tags_next(empty));
	assert_null(tags_next(none));
	/* Never another host's. */
	assert_string_equal(tags_next(away), "/v2/t?n=9&u=a://b/c");
	assert_string_equal(tags_next(short_away), "/v2/t");
	assert_null(tags_next(host));
	assert_null(tags_next(name_only));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
