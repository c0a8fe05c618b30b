/* SPDX-License-Identifier: Apache-2.0 */
#include "image/store.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];
static struct store s;
static struct digest abc;

static int begin(void **state)
{
	struct err e = { 0 };

	(void)state;
	snprintf(top, sizeof(top), "/tmp/partial-test.XXXXXX");
	digest_of("abc", 3, &abc);
	return mkdtemp(top) && store_open(&s, top, &e) == 0 ? 0 : -1;
}

static int end(void **state)
{
	char cmd[100];

	(void)state;
	store_close(&s);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

static bool is_left(void)
{
	char name[DIGEST_MAX + 8];

	snprintf(name, sizeof(name), "sha256-%s", digest_hex(&abc));
	return faccessat(s.partial, name, F_OK, 0) == 0;
}

static void leave(const char *text)
{
	struct err e = { 0 };
	struct blob b;

	assert_int_equal(blob_resume(&b, &s, &abc, 100, &e), 0);
	assert_int_equal(b.bytes, 0);
	assert_int_equal(blob_write(&b, text, strlen(text), &e), 0);
	b.keep = true;
	blob_end(&b);
}

static void test_resume(void **state)
{
	struct err e = { 0 };
	struct blob b;

	(void)state;
	leave("ab");
	assert_true(is_left());
	assert_int_equal(blob_resume(&b, &s, &abc, 3, &e), 0);
	assert_int_equal(b.bytes, 2);
	assert_int_equal(blob_write(&b, "c", 1, &e), 0);
	assert_int_equal(blob_commit(&b, &abc, NULL, &e), 0);
	blob_end(&b);
	assert_true(store_has(&s, &abc, NULL));
	assert_false(is_left());
	/* Nothing came: nothing stays. */
	leave("");
	assert_false(is_left());
}

/* What was left is wrong: it is noticed, and all of it comes again. */
static void test_wrong(void **state)
{
	struct err e = { 0 };
	struct blob b;

	(void)state;
	leave("xx");
	assert_int_equal(blob_resume(&b, &s, &abc, 3, &e), 0);
	assert_int_equal(blob_write(&b, "c", 1, &e), 0);
	assert_int_equal(blob_commit(&b, &abc, NULL, &e), -EBADMSG);
	assert_int_equal(blob_restart(&b, &e), 0);
	assert_int_equal(blob_write(&b, "abc", 3, &e), 0);
	assert_int_equal(blob_commit(&b, &abc, NULL, &e), 0);
	blob_end(&b);
	assert_true(store_has(&s, &abc, NULL));
}

static void test_too_much(void **state)
{
	struct err e = { 0 };
	struct blob b;

	(void)state;
	leave("more than three");
	assert_int_equal(blob_resume(&b, &s, &abc, 3, &e), 0);
	assert_int_equal(b.bytes, 0);
	blob_end(&b);
	assert_false(is_left());
}

/* Two at once: the second has a file of its own. */
static void test_two(void **state)
{
	struct err e = { 0 };
	struct blob a, b;

	(void)state;
	assert_int_equal(blob_resume(&a, &s, &abc, 3, &e), 0);
	assert_int_equal(blob_write(&a, "ab", 2, &e), 0);
	assert_int_equal(blob_resume(&b, &s, &abc, 3, &e), 0);
	assert_int_equal(b.bytes, 0);
	assert_int_equal(blob_write(&b, "abc", 3, &e), 0);
	assert_int_equal(store_trim(&s, 0, 0), 0);
	assert_int_equal(blob_commit(&b, &abc, NULL, &e), 0);
	blob_end(&b);
	assert_true(is_left());
	assert_int_equal(blob_write(&a, "c", 1, &e), 0);
	assert_int_equal(blob_commit(&a, &abc, NULL, &e), 0);
	blob_end(&a);
	assert_false(is_left());
	assert_true(store_has(&s, &abc, NULL));
}

static void test_trim(void **state)
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	char name[DIGEST_MAX + 8];

	(void)state;
	leave("ab");
	assert_int_equal(store_trim(&s, 16, 100), 0);
	assert_true(is_left());
	snprintf(name, sizeof(name), "sha256-%s", digest_hex(&abc));
	assert_int_equal(utimensat(s.partial, name, old, 0), 0);
	assert_true(store_trim(&s, 16, 100) > 0);
	assert_false(is_left());
	leave("ab");
	for (char c = 'a'; c < 'e'; c++)
		close(openat(s.partial, (char[]){ c, '\0' }, O_CREAT | O_WRONLY,
			     0600));
	assert_int_equal(utimensat(s.partial, name, old, 0), 0);
	(void)store_trim(&s, 4, INT64_MAX);
	assert_false(is_left());
	assert_int_equal(faccessat(s.partial, "a", F_OK, 0), 0);
	leave("ab");
	store_drop_partial(&s, &abc);
	assert_false(is_left());
	store_drop_partial(&s, &abc);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_resume), T(test_wrong), T(test_too_much),
		T(test_two),	T(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
