/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ref.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIG "sha256:" HEX
#define X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X128 X50 X50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_good(void **state)
{
	static const struct {
		const char *text, *whole, *familiar;
	} all[] = {
		{ "debian", "docker.io/library/debian:latest", "debian" },
		{ "debian:12", "docker.io/library/debian:12", "debian" },
		{ "you/ci", "docker.io/you/ci:latest", "you/ci" },
		{ "docker.io/debian", "docker.io/library/debian:latest",
		  "debian" },
		{ "index.docker.io/library/debian",
		  "docker.io/library/debian:latest", "debian" },
		{ "a/b/c:X_y.z-1", "docker.io/a/b/c:X_y.z-1", "a/b/c" },
		{ "localhost/a", "localhost/a:latest", "localhost/a" },
		{ "localhost:5000/a:1", "localhost:5000/a:1",
		  "localhost:5000/a" },
		{ "host:5000/a/b@" DIG, "host:5000/a/b@" DIG, "host:5000/a/b" },
		{ "reg.example/a:1@" DIG, "reg.example/a:1@" DIG,
		  "reg.example/a" },
		{ "debian@" DIG, "docker.io/library/debian@" DIG, "debian" },
		{ "[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a" },
		{ "[fe80::1]/a", "[fe80::1]/a:latest", "[fe80::1]/a" },
		{ "REG/a", "REG/a:latest", "REG/a" },
		{ "a__b/c--d/e.f_g", "docker.io/a__b/c--d/e.f_g:latest",
		  "a__b/c--d/e.f_g" },
		{ "localhost:5000", "docker.io/library/localhost:5000",
		  "localhost" },
		{ "a:" X128, "docker.io/library/a:" X128, "a" },
		{ "cafe", "docker.io/library/cafe:latest", "cafe" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		char out[REF_TEXT_MAX];
		struct err e = { 0 };
		struct ref r, again;

		if (ref_parse(all[i].text, &r, &e) < 0)
			fail_msg("%s", e.msg);
		ref_print(&r, out);
		assert_string_equal(out, all[i].whole);
		/* The whole name is one, too, and the same. */
		assert_int_equal(ref_parse(out, &again, &e), 0);
		assert_memory_equal(&r, &again, sizeof(r));
		ref_print_familiar(&r, out);
		assert_string_equal(out, all[i].familiar);
	}
}

static void test_bad(void **state)
{
	static const char *const all[] = {
		"",
		":",
		"/",
		"@",
		"a/",
		"/a",
		"a//b",
		"a:",
		"a:b:c",
		"a@",
		"a@sha256:12",
		"a@md5:" HEX,
		"a@" DIG "0",
		"a@" DIG "@" DIG,
		"Debian",
		"you/Debian",
		"-a",
		"a-",
		"a..b",
		"a___b",
		"a_-b",
		"a b",
		"a\nb",
		"a\033[2J",
		"a/../b",
		"..",
		"../a",
		"a:-1",
		"a:.1",
		"a:1/",
		"host:/a",
		"host:port/a",
		"host:123456/a",
		"-host.x/a",
		"host-.x/a",
		"host..x/a",
		".host/a",
		"host./a",
		"[::1/a",
		"[]/a",
		"[::1]x/a",
		"http://host/a",
		"a\xc3\xa9",
		HEX,
		"a:" X128 "x",
		X128 X128,
		"h.x/" X128 X50 X50 X50,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err e = { 0 };
		struct ref r;

		if (ref_parse(all[i], &r, &e) != -EINVAL)
			fail_msg("accepted: '%s'", all[i]);
		assert_non_null(strstr(e.msg, "invalid reference format"));
		for (const char *p = e.msg; *p; p++)
			assert_true(*p >= ' ' && *p < 127);
	}
}

static void test_digest(void **state)
{
	struct err e = { 0 };
	struct digest d;

	(void)state;
	assert_int_equal(digest_parse(DIG, &d, &e), 0);
	assert_string_equal(digest_hex(&d), HEX);
	assert_string_equal(digest_alg_name(&d), "sha256");
	assert_int_equal(digest_parse("sha512:" HEX HEX, &d, &e), 0);
	assert_int_equal(digest_get_alg(&d), DIGEST_SHA512);
	assert_int_equal(digest_parse("sha512:" HEX, &d, &e), -EINVAL);
	assert_int_equal(digest_parse("sha256:" HEX HEX, &d, &e), -EINVAL);
	assert_int_equal(digest_parse("SHA256:" HEX, &d, &e), -EINVAL);
	assert_int_equal(digest_parse("sha1:" HEX, &d, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "unsupported"));
	assert_int_equal(digest_parse("", &d, &e), -EINVAL);
	assert_int_equal(digest_parse("sha256:../../../../etc/passwd", &d, &e),
			 -EINVAL);
	assert_false(digest_equal(&d, &d)); /* none equals none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
