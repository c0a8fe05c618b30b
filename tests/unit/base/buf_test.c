/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void append_and_take(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_append(&b, "hello ", 6), 0);
	assert_int_equal(buf_append(&b, "world", 5), 0);
	assert_int_equal(buf_len(&b), 11);
	buf_take(&b, 6);
	assert_int_equal(buf_len(&b), 5);
	assert_memory_equal(buf_head(&b), "world", 5);
	buf_take(&b, 5);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
}

static void the_bound_holds(void **state)
{
	uint8_t data[128] = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_append(&b, data, 101), -ENOBUFS);
	assert_int_equal(buf_append(&b, data, SIZE_MAX), -ENOBUFS);
	assert_int_equal(buf_append(&b, data, 100), 0);
	assert_int_equal(buf_append(&b, data, 1), -ENOBUFS);
	assert_null(buf_reserve(&b, 1));
	assert_null(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(buf_len(&b), 100);
	buf_take(&b, 40);
	assert_int_equal(buf_append(&b, data, 41), -ENOBUFS);
	assert_int_equal(buf_append(&b, data, 40), 0);
	assert_int_equal(buf_len(&b), 100);
	buf_fini(&b);
}

/* Nothing appended to nothing is fine, and needs no memory. */
static void append_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_append(&b, "", 0), 0);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_null(b.data);
	assert_int_equal(buf_append(&b, "x", 1), 0);
	assert_int_equal(buf_append(&b, NULL, 0), 0);
	assert_int_equal(buf_len(&b), 1);
	buf_fini(&b);
	buf_init(&b, 0);
	assert_int_equal(buf_append(&b, "", 0), 0);
	assert_int_equal(buf_append(&b, "x", 1), -ENOBUFS);
	buf_fini(&b);
}

static void reserve_counts_when_committed(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 10000);
	p = buf_reserve(&b, 5000);
	assert_non_null(p);
	memset(p, 'x', 5000);
	assert_int_equal(buf_len(&b), 0);
	buf_commit(&b, 3);
	assert_int_equal(buf_len(&b), 3);
	assert_memory_equal(buf_head(&b), "xxx", 3);
	buf_fini(&b);
}

/* Against a plain model, with lengths that meet every branch of the moving. */
static void as_a_queue(void **state)
{
	uint32_t seed = 1, in = 0, out = 0;
	struct buf b;

	(void)state;
	buf_init(&b, 3000);
	for (int i = 0; i < 20000; i++) {
		uint8_t piece[1500];
		size_t len;

		seed = seed * 1664525 + 1013904223;
		len = (seed >> 8) % sizeof(piece);
		if (seed >> 31) {
			for (size_t k = 0; k < len; k++)
				piece[k] = (uint8_t)((in + k) * 13);
			if (buf_append(&b, piece, len) == 0)
				in += (uint32_t)len;
			else
				assert_true(len > 3000 - (in - out));
		} else {
			len = len < buf_len(&b) ? len : buf_len(&b);
			for (size_t k = 0; k < len; k++)
				assert_int_equal(buf_head(&b)[k],
						 (uint8_t)((out + k) * 13));
			buf_take(&b, len);
			out += (uint32_t)len;
		}
		assert_int_equal(buf_len(&b), in - out);
		assert_true(b.room <= 2 * 4096);
	}
	buf_fini(&b);
}

static void fini_is_safe_twice(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_append(&b, "0123456789", 10), 0);
	buf_fini(&b);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_append(&b, "01234567890", 11), -ENOBUFS);
	assert_int_equal(buf_append(&b, "0123456789", 10), 0);
	buf_fini(&b);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(append_and_take),
		cmocka_unit_test(the_bound_holds),
		cmocka_unit_test(append_nothing),
		cmocka_unit_test(reserve_counts_when_committed),
		cmocka_unit_test(as_a_queue),
		cmocka_unit_test(fini_is_safe_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
