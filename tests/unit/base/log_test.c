/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/auto.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static int saved = -1, file = -1;

/* Standard error goes to a file from here to shown(). */
static int setup(void **state)
{
	(void)state;
	saved = dup(STDERR_FILENO);
	file = memfd_create("log", MFD_CLOEXEC);
	if (saved < 0 || file < 0 || dup2(file, STDERR_FILENO) < 0)
		return -1;
	log_init("vial-test", LOG_WARN);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(file);
	return 0;
}

/* What was logged since the last call. */
static const char *shown(void)
{
	static char text[8192];
	ssize_t n = pread(file, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(lseek(file, 0, SEEK_SET), 0);
	return text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void prefix_and_newline(void **state)
{
	(void)state;
	log_warn("disk %s: %d", "root", 5);
	assert_string_equal(shown(), "vial-test: disk root: 5\n");
}

static void levels(void **state)
{
	(void)state;
	log_info("quiet");
	log_debug("quiet");
	assert_string_equal(shown(), "");
	log_err("bad");
	assert_string_equal(shown(), "vial-test: bad\n");
	log_init("x", LOG_DEBUG);
	assert_int_equal(log_get_level(), LOG_DEBUG);
	log_info("info");
	log_debug("debug");
	assert_string_equal(shown(), "x: info\nx: debug\n");
	log_init("x", LOG_ERR);
	log_warn("quiet");
	assert_string_equal(shown(), "");
}

/* A line that is too long is cut, and is still one line. */
static void long_lines(void **state)
{
	char much[2000];
	const char *text;

	(void)state;
	memset(much, 'm', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	log_warn("%s", much);
	text = shown();
	assert_int_equal(lines(text), 1);
	assert_in_range(strlen(text), 400, 512);
	assert_int_equal(text[strlen(text) - 1], '\n');
	log_init(much, LOG_WARN);
	log_warn("%s", "end");
	text = shown();
	assert_non_null(strstr(text, ": end\n"));
}

static void bursts_are_cut(void **state)
{
	struct log_limit l = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++)
		log_limited(&l, "line %d", i);
	assert_int_equal(lines(shown()), LOG_BURST);
	assert_int_equal(l.dropped, 1000 - LOG_BURST);
	/* Another source has a limit of its own. */
	l = (struct log_limit){ 0 };
	log_limited(&l, "other");
	assert_string_equal(shown(), "vial-test: other\n");
}

/* The window is moved into the past instead of waiting for it. */
static void next_window_tells_the_count(void **state)
{
	struct log_limit l = { 0 };
	const char *text;

	(void)state;
	for (int i = 0; i < 12; i++)
		log_limited(&l, "again");
	shown();
	assert_true(l.since_ms > 0);
	l.since_ms -= 10000;
	log_limited(&l, "again");
	text = shown();
	assert_int_equal(lines(text), 2);
	assert_non_null(strstr(text, " 7 lines"));
	assert_non_null(strstr(text, "vial-test: again\n"));
	assert_int_equal(l.dropped, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(prefix_and_newline),
		T(levels),
		T(long_lines),
		T(bursts_are_cut),
		T(next_window_tells_the_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
