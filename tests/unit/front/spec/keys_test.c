/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that take a terminal off, as they are written and as typed. */
#include "spec/keys.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct err e;

static void written(void **state)
{
	static const struct {
		const char *text;
		int n;
		unsigned char key[4];
	} good[] = {
		{ NULL, 2, { 16, 17 } },
		{ "ctrl-p,ctrl-q", 2, { 16, 17 } },
		{ "CTRL-P,Ctrl-Q", 2, { 16, 17 } },
		{ "", 0, { 0 } },
		{ "a", 1, { 'a' } },
		{ "A,b", 2, { 'A', 'b' } },
		{ "ctrl-a,x,ctrl-z", 3, { 1, 'x', 26 } },
		{ "ctrl-@,ctrl-[,ctrl-],ctrl-^", 4, { 0, 27, 29, 30 } },
		{ "ctrl-\\,ctrl-_", 2, { 28, 31 } },
		{ "\xe9", 1, { 0xe9 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct keys k;

		assert_int_equal(keys_parse(&k, good[i].text, &e), 0);
		assert_int_equal(k.n, good[i].n);
		assert_memory_equal(k.key, good[i].key, (size_t)good[i].n);
	}
}

static void nonsense(void **state)
{
	static const char *const bad[] = {
		",",	     "a,",     ",a",
		"ab",	     "ctrl-",  "ctrl-1",
		"ctrl-ab",   "strg-a", "ctrl--",
		"ctrl-a,,b", "a b",    "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
	};
	struct keys k;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (keys_parse(&k, bad[i], &e) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(e.msg, bad[i]));
	}
	assert_int_equal(keys_parse(&k, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", &e),
			 0);
	assert_int_equal(k.n, KEYS_MAX);
}

/* All of it at once and byte by byte are the same. */
static void typed(void **state)
{
	static const struct {
		const char *keys, *in, *out;
		bool leave;
	} tries[] = {
		{ "x,y", "abc", "abc", false },
		{ "x,y", "abxyc", "ab", true },
		{ "x,y", "xabx", "xab", false }, /* the last one is held back */
		{ "x,y", "xxy", "x", true },
		{ "x,y", "xaxay", "xaxay", false },
		{ "x,y,z", "xyxyz", "xy", true },
		{ "x,y,z", "xyaxya", "xyaxya", false },
		{ "x", "aax", "aa", true },
		{ "", "xy", "xy", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
		const unsigned char *in = (const void *)tries[i].in;
		size_t len = strlen(tries[i].in), n, step, all;
		unsigned char out[64];
		struct keys k;
		bool left;

		for (step = 1; step <= len; step += len > 1 ? len - 1 : 1) {
			assert_int_equal(keys_parse(&k, tries[i].keys, &e), 0);
			left = false;
			all = 0;
			for (size_t at = 0; at < len && !left; at += step) {
				left = keys_feed(&k, in + at,
						 MIN(step, len - at), out + all,
						 &n);
				all += n;
			}
			assert_int_equal(left, tries[i].leave);
			assert_int_equal(all, strlen(tries[i].out));
			assert_memory_equal(out, tries[i].out, all);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(typed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
