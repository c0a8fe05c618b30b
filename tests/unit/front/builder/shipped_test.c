/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/shipped.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_which(void **state)
{
	static const char *const ours[] = { "vial/debian:12", "vial/busybox",
					    "vial/a-b_c:1.2-x" };
	static const char *const others[] = {
		"",
		"vial",
		"vial/",
		"vials/debian",
		"debian:12",
		"vial/a/b",
		"vial/../x",
		"vial/..",
		"vial/Debian",
		"docker.io/vial/debian:12",
		"vial:5000/debian",
		"vial.example/debian",
		"vial/debian@sha256:0000000000000000000000000000000000000000000"
		"000000000000000000000",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		assert_true(shipped_is(ours[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (shipped_is(others[i]))
			fail_msg("'%s' is taken for ours", others[i]);
}

static void test_absent(void **state)
{
	struct err e = { 0 };

	(void)state;
	unsetenv("VIAL_LIBDIR");
	assert_int_equal(shipped_load("vial/none:1.2", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "images/none-1.2.oci.tar"));
	assert_non_null(strstr(e.msg, "make images"));
	assert_int_equal(shipped_load("vial/none", &e), -ENOENT);
	assert_non_null(strstr(e.msg, "images/none-latest.oci.tar"));
	assert_int_equal(shipped_load("debian:12", &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which),
		cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
