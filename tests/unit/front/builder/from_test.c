/* SPDX-License-Identifier: Apache-2.0 */
/* Which images a Dockerfile needs. */
#include "builder/from.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct strv args;

/* The images with blanks between them. */
static void assert_images(const char *text, const char *want)
{
	struct strv out = { 0 };
	struct err e = { 0 };
	char got[512] = "";
	size_t len = 0;

	if (from_list(text, strlen(text), &args, &out, &e) < 0)
		fail_msg("%s", e.msg);
	for (size_t i = 0; i < out.n; i++)
		len += (size_t)snprintf(got + len, sizeof(got) - len, "%s%s",
					i ? " " : "", out.v[i]);
	assert_string_equal(got, want);
	strv_fini(&out);
}

static void test_names(void **state)
{
	(void)state;
	assert_images("", "");
	assert_images("FROM debian:12\nRUN x", "debian:12");
	assert_images("# c\n\n  from  --platform=linux/amd64 a/b  AS x\r\n"
		      "FROM scratch\nFROM X\nFROM a/b\nFROM c@sha256:12",
		      "a/b c@sha256:12");
	assert_images("FROM", "");
	assert_images("FROM --x", "");
}

static void test_other_places(void **state)
{
	(void)state;
	assert_images("FROM a AS one\nFROM b\nCOPY --from=one /x /y\n"
		      "COPY --chown=1 --from=c:1 /x /y\nCOPY --from=0 / /\n"
		      "RUN --mount=type=bind,from=d,target=/d --mount=from=one "
		      "echo --from=none\nADD x from=none",
		      "a b c:1 d");
}

static void test_lines(void **state)
{
	(void)state;
	assert_images("FROM \\\n# between\n  a \\\n\n AS x\nFROM x", "a");
	assert_images("# escape=`\nFROM `\n b\\c\n", "b\\c");
	assert_images("RUN echo \\\nFROM a\nFROM b", "b");
}

static void test_variables(void **state)
{
	(void)state;
	assert_images("ARG V=12\nFROM debian:$V", "debian:12");
	assert_images("ARG V=\"12\" W\nFROM a:${V}x${W:-y}${V:+z}${N}",
		      "a:12xyz");
	assert_images("FROM a\nARG V=1\nFROM b:${V:-none}", "a b:none");
	assert_images("FROM a-$TARGETARCH", "a-" VIAL_OCI_ARCH);
	assert_images("ARG A=1\nARG B=$A.2\nFROM a:$B\nFROM b${B", "a:1.2 b");
	strv_add(&args, "V=11");
	assert_images("ARG V=12\nFROM debian:$V", "debian:11");
	strv_fini(&args);
	args = (struct strv){ 0 };
}

static void test_no_text(void **state)
{
	struct strv out = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(from_list("FROM\0a", 6, &args, &out, &e), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_places),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_no_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
