/* SPDX-License-Identifier: Apache-2.0 */
/* --filter by docker's rules. */
#include "cli/filter.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct filter_key known[] = {
	{ .name = "name" },
	{ .name = "id" },
	{ .name = "label" },
	{ .name = "label!" },
	{ .name = "ancestor" },
	{ .name = "exited", .number = true },
	{ .name = "status", .values = "created|running|exited" },
	{ .name = "before" },
	{ .name = NULL },
};

static struct filter f;
static struct err e;

static int add(const char *text)
{
	e = (struct err){ 0 };
	return filter_add(&f, known, text, &e);
}

static void only(const char *text)
{
	memset(&f, 0, sizeof(f));
	assert_int_equal(add(text), 0);
}

static void none_matches_all(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	assert_true(filter_name(&f, "x") && filter_label(&f, NULL) &&
		    filter_is(&f, "status", "x") &&
		    filter_number(&f, "exited", 1));
}

static void refused(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	assert_int_equal(add("colour=red"), -EINVAL);
	assert_string_equal(e.msg, "invalid filter 'colour'");
	assert_int_equal(add("name"), -EINVAL);
	assert_non_null(strstr(e.msg, "expected name=value"));
	assert_int_equal(add("status=runing"), -EINVAL);
	assert_string_equal(e.msg, "invalid filter 'status=runing'");
	assert_int_equal(add("status="), -EINVAL);
	assert_int_equal(add("exited=x"), -EINVAL);
	assert_int_equal(add("exited="), -EINVAL);
	assert_int_equal(add("=x"), -EINVAL);
	for (int i = 0; i < FILTERS_MAX; i++)
		assert_int_equal(add("name=x"), 0);
	assert_int_equal(add("name=x"), -EINVAL);
}

static void same_key_is_or_others_and(void **state)
{
	(void)state;
	only("status=running");
	assert_true(filter_is(&f, "status", "running"));
	assert_false(filter_is(&f, "status", "exited"));
	assert_int_equal(add(" STATUS =exited"), 0);
	assert_true(filter_is(&f, "status", "exited"));
	assert_false(filter_is(&f, "status", "created"));
	assert_true(filter_name(&f, "any"));
	only("exited=0");
	assert_true(filter_number(&f, "exited", 0));
	assert_false(filter_number(&f, "exited", 137));
	only("id=012");
	assert_true(filter_begins(&f, "id", "0123456789ab"));
	assert_false(filter_begins(&f, "id", "112"));
	only("before=job=1");
	assert_string_equal(filter_get(&f, "before"), "job=1");
	assert_null(filter_get(&f, "id"));
}

static void names(void **state)
{
	(void)state;
	only("name=ob");
	assert_true(filter_name(&f, "job"));
	assert_false(filter_name(&f, "run"));
	only("name=^/job$");
	assert_true(filter_name(&f, "job"));
	assert_false(filter_name(&f, "job2"));
	only("name=^job");
	assert_true(filter_name(&f, "job2"));
	assert_false(filter_name(&f, "ajob"));
	only("name=(");
	assert_false(filter_name(&f, "job"));
}

static void labels(void **state)
{
	json_t *l = json_pack("{ssss}", "a.b", "1", "empty", "");

	(void)state;
	only("label=a.b");
	assert_true(filter_label(&f, l));
	assert_false(filter_label(&f, NULL));
	only("label=a.b=1");
	assert_true(filter_label(&f, l));
	/* All of them must hold. */
	assert_int_equal(add("label=other"), 0);
	assert_false(filter_label(&f, l));
	only("label=a.b=2");
	assert_false(filter_label(&f, l));
	only("label=empty=");
	assert_true(filter_label(&f, l));
	only("label!=a.b");
	assert_false(filter_label(&f, l));
	only("label!=a.b=2");
	assert_true(filter_label(&f, l));
	json_decref(l);
}

static void images(void **state)
{
	(void)state;
	only("ancestor=debian");
	assert_true(filter_image(&f, "ancestor", "debian:12"));
	assert_true(filter_image(&f, "ancestor", "debian"));
	assert_false(filter_image(&f, "ancestor", "debian-gcc"));
	only("ancestor=test.ext4");
	assert_true(filter_image(&f, "ancestor", "/some/where/test.ext4"));
	only("ancestor=reg:5000/a/b");
	assert_true(filter_image(&f, "ancestor", "reg:5000/a/b:1"));
	assert_false(filter_image(&f, "ancestor", "reg:5000/a/c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none_matches_all),
		cmocka_unit_test(refused),
		cmocka_unit_test(same_key_is_or_others_and),
		cmocka_unit_test(names),
		cmocka_unit_test(labels),
		cmocka_unit_test(images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
