/* SPDX-License-Identifier: Apache-2.0 */
/* --egress and --egress-log as they are spelled. */
#include "spec/spec.h"

#include "base/auto.h"

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

/* The option with a file of this text. */
static int from_file(const char *text)
{
	char file[] = "/tmp/egress_test.XXXXXX", option[64];
	autoclose int fd = mkstemp(file);
	size_t len = strlen(text);
	int r;

	assert_int_equal(write(fd, text, len), len);
	snprintf(option, sizeof(option), "@%s", file);
	r = spec_egress(&s, option, &e);
	unlink(file);
	return r;
}

static void words(void **state)
{
	(void)state;
	assert_int_equal(spec_egress(&s, "a.test:443,*.b.test", &e), 0);
	assert_int_equal(spec_egress(&s, "10.0.0.0/8:22", &e), 0);
	assert_int_equal(from_file("# c\nc.test # d\n\n e.test\tf.test\n"), 0);
	assert_int_equal(s.egress.n, 6);
	assert_string_equal(s.egress.v[1], "*.b.test");
	assert_string_equal(s.egress.v[5], "f.test");
	assert_int_equal(spec_egress_check(&s, &e), 0);
}

static void refused(void **state)
{
	static const char *const bad[] = { "",	    ", ,",	   "a..test",
					   "a,b..", "@/none/such", "record=" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (spec_egress(&s, bad[i], &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
	assert_true(from_file("a.test\nb..test\n") < 0);
	assert_non_null(strstr(e.msg, "b..test"));
	assert_true(spec_egress_log(&s, "", &e) < 0);
}

static void together(void **state)
{
	(void)state;
	assert_int_equal(spec_egress(&s, "none", &e), 0);
	assert_int_equal(spec_egress_check(&s, &e), 0);
	assert_int_equal(spec_egress(&s, "a.test", &e), 0);
	assert_true(spec_egress_check(&s, &e) < 0);
}

/* A file without words allows nothing, rather than everything. */
static void empty_file(void **state)
{
	(void)state;
	assert_int_equal(from_file("# nothing\n"), 0);
	assert_int_equal(s.egress.n, 1);
	assert_string_equal(s.egress.v[0], "none");
}

static void files(void **state)
{
	char here[4096], want[4200];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(spec_egress(&s, "record", &e), 0);
	snprintf(want, sizeof(want), "%s/egress.list", here);
	assert_string_equal(s.egress_record.v[0], want);
	assert_int_equal(spec_egress(&s, "record=/x/y", &e), 0);
	assert_int_equal(s.egress_record.n, 1);
	assert_string_equal(s.egress_record.v[0], "/x/y");
	assert_int_equal(s.egress.n, 0);
	assert_int_equal(spec_egress_log(&s, "log", &e), 0);
	snprintf(want, sizeof(want), "%s/log", here);
	assert_string_equal(s.egress_log.v[0], want);
	assert_int_equal(spec_egress_check(&s, &e), 0);
	s.network = "none";
	assert_true(spec_egress_check(&s, &e) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(words, start, stop),
		cmocka_unit_test_setup_teardown(refused, start, stop),
		cmocka_unit_test_setup_teardown(together, start, stop),
		cmocka_unit_test_setup_teardown(empty_file, start, stop),
		cmocka_unit_test_setup_teardown(files, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
