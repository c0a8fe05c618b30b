/* SPDX-License-Identifier: Apache-2.0 */
/* --forward as it is spelled. */
#include "spec/forward.h"

#include "base/auto.h"
#include "spec/spec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct spec s;
static struct err e;

static int start(void **state)
{
	(void)state;
	spec_init(&s);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	spec_fini(&s);
	return 0;
}

/* What the option leaves in the spec. */
static const char *kept(const char *text)
{
	if (spec_forward(&s, text, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return s.forwards.v[s.forwards.n - 1];
}

static void forms(void **state)
{
	autofree char *here = getcwd(NULL, 0), *whole = NULL;
	struct spec_forward f;

	(void)state;
	assert_string_equal(kept("/a/b.sock:/run/x"), "/a/b.sock:/run/x");
	assert_string_equal(kept("guest:/run/y:/tmp/y"), "guest:/run/y:/tmp/y");
	assert_string_equal(kept("ssh:/run/z"), "ssh:/run/z");
	assert_string_equal(kept("ssh"), "ssh:" SPEC_FORWARD_SSH);
	assert_true(asprintf(&whole, "%s/c.sock:/run/c", here) > 0);
	assert_string_equal(kept("./c.sock:/run/c"), whole);
	/* What is kept is read again. */
	for (size_t i = 0; i < s.forwards.n; i++) {
		char text[SPEC_FORWARD_TEXT];

		assert_int_equal(spec_forward_parse(s.forwards.v[i], &f, &e),
				 0);
		assert_string_equal(spec_forward_text(&f, text),
				    s.forwards.v[i]);
		assert_int_equal(f.to_guest, i == 1);
		assert_int_equal(f.ssh, i == 2 || i == 3);
	}
}

static void variable(void **state)
{
	(void)state;
	kept("ssh:/run/mine");
	assert_string_equal(s.env.v[0], "SSH_AUTH_SOCK=/run/mine");
	spec_fini(&s);
	spec_init(&s);
	assert_int_equal(spec_env(&s, "SSH_AUTH_SOCK=/other", &e), 0);
	kept("ssh");
	assert_int_equal(s.env.n, 1);
	assert_string_equal(s.env.v[0], "SSH_AUTH_SOCK=/other");
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"::",
		"/a",
		"/a:",
		":/a",
		"guest",
		"guest:/a",
		"guest:/a:",
		"guest::/a",
		"guest:a:/b",
		"guest:/a:b",
		"guest:/a:/b:/c",
		"host:/a:/b",
		"/a:/b:/c",
		"a:/b",
		"~/a:/b",
		"/a:b",
		"/a:./b",
		"/a:/b/",
		"/a/:/b",
		"./:/b",
		"/a:/",
		"ssh:",
		"ssh:a",
		"ssh:/a:/b",
		"SSH",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		e = (struct err){ 0 };
		if (spec_forward(&s, bad[i], &e) != -EINVAL)
			fail_msg("'%s' is taken", bad[i]);
		assert_true(e.msg[0]);
		assert_null(strchr(e.msg, '\n'));
	}
	assert_int_equal(s.forwards.n, 0);
	assert_int_equal(s.env.n, 0);
}

static void lengths(void **state)
{
	char text[300];

	(void)state;
	snprintf(text, sizeof(text), "/%0106d:/%0106d", 0, 0);
	kept(text);
	snprintf(text, sizeof(text), "/%0107d:/a", 0);
	assert_int_equal(spec_forward(&s, text, &e), -ENAMETOOLONG);
	snprintf(text, sizeof(text), "/a:/%0107d", 0);
	assert_int_equal(spec_forward(&s, text, &e), -ENAMETOOLONG);
	snprintf(text, sizeof(text), "guest:/a:./%0105d", 0);
	assert_int_equal(spec_forward(&s, text, &e), -ENAMETOOLONG);
	snprintf(text, sizeof(text), "guest:/%0107d:/a", 0);
	assert_int_equal(spec_forward(&s, text, &e), -ENAMETOOLONG);
}

/* One socket in two places is fine; two in one place are not. */
static void targets(void **state)
{
	char text[64];

	(void)state;
	kept("/a:/run/1");
	kept("/a:/run/2");
	assert_int_equal(spec_forward(&s, "/b:/run/1", &e), -EINVAL);
	assert_int_equal(spec_forward(&s, "ssh:/run/2", &e), -EINVAL);
	kept("guest:/g:/tmp/1");
	kept("guest:/g:/tmp/2");
	assert_int_equal(spec_forward(&s, "guest:/h:/tmp/2", &e), -EINVAL);
	while (s.forwards.n < SPEC_FORWARDS_MAX) {
		snprintf(text, sizeof(text), "/a:/more/%zu", s.forwards.n);
		kept(text);
	}
	assert_int_equal(spec_forward(&s, "/a:/over", &e), -E2BIG);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(forms), T(variable), T(nonsense), T(lengths), T(targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
