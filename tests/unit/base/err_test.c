/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void set(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, EINVAL, "%s: %d", "size", 7), -EINVAL);
	assert_int_equal(e.code, EINVAL);
	assert_string_equal(e.msg, "size: 7");
}

/* A caller that had no errno to give still reports a failure. */
static void set_without_a_code(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, 0, "x"), -EIO);
	assert_int_equal(e.code, EIO);
}

static void sys_appends_the_reason(void **state)
{
	struct err e = { 0 };

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "open %s", "/x"), -ENOENT);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.msg, "open /x: No such file or directory");
	errno = 0;
	assert_int_equal(err_sys(&e, "x"), -EIO);
}

static void wrap_puts_in_front(void **state)
{
	struct err e = { 0 };

	(void)state;
	err_set(&e, ENOSPC, "full");
	assert_int_equal(err_wrap(&e, "disk %s", "root"), -ENOSPC);
	assert_int_equal(err_wrap(&e, "box"), -ENOSPC);
	assert_string_equal(e.msg, "box: disk root: full");
}

static void nobody_wants_to_know(void **state)
{
	(void)state;
	errno = EPERM;
	assert_int_equal(err_set(NULL, EINVAL, "x"), -EINVAL);
	assert_int_equal(err_sys(NULL, "x"), -EPERM);
	assert_true(err_wrap(NULL, "x") < 0);
}

/* What is too long is cut and stays a string. */
static void long_messages_are_cut(void **state)
{
	struct {
		struct err e;
		char guard[8];
	} m = { .guard = "guarded" };
	char much[400];

	(void)state;
	memset(much, 'a', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	err_set(&m.e, EINVAL, "%s", much);
	assert_int_equal(strlen(m.e.msg), sizeof(m.e.msg) - 1);
	errno = ENOENT;
	err_sys(&m.e, "%s", much);
	assert_int_equal(strlen(m.e.msg), sizeof(m.e.msg) - 1);
	err_wrap(&m.e, "name");
	assert_int_equal(strlen(m.e.msg), sizeof(m.e.msg) - 1);
	assert_memory_equal(m.e.msg, "name: aaa", 9);
	err_wrap(&m.e, "%s", much);
	assert_int_equal(strlen(m.e.msg), sizeof(m.e.msg) - 1);
	assert_string_equal(m.guard, "guarded");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set),
		cmocka_unit_test(set_without_a_code),
		cmocka_unit_test(sys_appends_the_reason),
		cmocka_unit_test(wrap_puts_in_front),
		cmocka_unit_test(nobody_wants_to_know),
		cmocka_unit_test(long_messages_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
