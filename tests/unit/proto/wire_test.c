/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/wire.h"

#include "proto/agent.pb-c.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buf b;

static int setup(void **state)
{
	(void)state;
	buf_init(&b, 2 * WIRE_MAX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_fini(&b);
	return 0;
}

static void put_hello(uint32_t generation, char *version)
{
	Vial__Agent__Hello m = VIAL__AGENT__HELLO__INIT;

	m.generation = generation;
	m.version = version;
	assert_int_equal(wire_put(&b, &m.base), 0);
}

static void there_and_back(void **state)
{
	const uint8_t *payload;
	Vial__Agent__Hello *m;
	size_t len;
	char text[] = "1.2.3";

	(void)state;
	put_hello(7, text);
	assert_int_equal(wire_peek(&b, &payload, &len), 1);
	m = vial__agent__hello__unpack(NULL, len, payload);
	assert_non_null(m);
	assert_int_equal(m->generation, 7);
	assert_string_equal(m->version, "1.2.3");
	vial__agent__hello__free_unpacked(m, NULL);
	wire_skip(&b, len);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(wire_peek(&b, &payload, &len), 0);
}

/* The bytes themselves: little-endian length, then field 1, varint 7. */
static void layout(void **state)
{
	(void)state;
	put_hello(7, NULL);
	assert_int_equal(buf_len(&b), 6);
	assert_memory_equal(buf_head(&b), "\x02\0\0\0\x08\x07", 6);
}

static void byte_by_byte(void **state)
{
	struct buf in;
	const uint8_t *payload;
	size_t len, all;
	char text[] = "some version";

	(void)state;
	put_hello(1, text);
	put_hello(2, text);
	all = buf_len(&b);
	buf_init(&in, 1000);
	for (size_t i = 0; i < all; i++) {
		int r;

		assert_int_equal(buf_append(&in, buf_head(&b) + i, 1), 0);
		r = wire_peek(&in, &payload, &len);
		assert_int_equal(r, i % (all / 2) == all / 2 - 1);
		if (r)
			wire_skip(&in, len);
	}
	assert_int_equal(buf_len(&in), 0);
	buf_fini(&in);
}

static void empty_message(void **state)
{
	Vial__Agent__Stats m = VIAL__AGENT__STATS__INIT;
	const uint8_t *payload;
	size_t len;

	(void)state;
	assert_int_equal(wire_put(&b, &m.base), 0);
	assert_int_equal(buf_len(&b), WIRE_HEADER);
	assert_int_equal(wire_peek(&b, &payload, &len), 1);
	assert_int_equal(len, 0);
	wire_skip(&b, len);
	assert_int_equal(buf_len(&b), 0);
}

/* Refused by its four bytes, before any byte of it is kept. */
static void length_past_the_bound(void **state)
{
	static const uint32_t bad[] = { WIRE_MAX + 1,	WIRE_MAX * 2,
					0x7fffffff,	0x80000000,
					UINT32_MAX - 3, UINT32_MAX };
	const uint8_t *payload;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		uint8_t raw[4] = { (uint8_t)bad[i], (uint8_t)(bad[i] >> 8),
				   (uint8_t)(bad[i] >> 16),
				   (uint8_t)(bad[i] >> 24) };

		assert_int_equal(buf_append(&b, raw, 4), 0);
		assert_int_equal(wire_peek(&b, &payload, &len), -EMSGSIZE);
		buf_take(&b, 4);
	}
}

static void largest_frame(void **state)
{
	Vial__Agent__Setup m = VIAL__AGENT__SETUP__INIT;
	const uint8_t *payload;
	size_t len;

	(void)state;
	/* tag and three bytes of length */
	m.entropy.len = WIRE_MAX - 4;
	m.entropy.data = calloc(1, WIRE_MAX);
	assert_non_null(m.entropy.data);
	assert_int_equal(wire_put(&b, &m.base), 0);
	assert_int_equal(wire_peek(&b, &payload, &len), 1);
	assert_int_equal(len, WIRE_MAX);
	m.entropy.len++;
	assert_int_equal(wire_put(&b, &m.base), -EMSGSIZE);
	assert_int_equal(buf_len(&b), WIRE_MAX + WIRE_HEADER);
	free(m.entropy.data);
}

static void no_room(void **state)
{
	Vial__Agent__Hello m = VIAL__AGENT__HELLO__INIT;
	struct buf small;
	char text[] = "0123456789";

	(void)state;
	m.version = text;
	buf_init(&small, WIRE_HEADER + 11);
	assert_int_equal(wire_put(&small, &m.base), -ENOBUFS);
	assert_int_equal(buf_len(&small), 0);
	buf_fini(&small);
	buf_init(&small, WIRE_HEADER + 12);
	assert_int_equal(wire_put(&small, &m.base), 0);
	assert_int_equal(wire_put(&small, &m.base), -ENOBUFS);
	assert_int_equal(buf_len(&small), WIRE_HEADER + 12);
	buf_fini(&small);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(there_and_back),
		T(layout),
		T(byte_by_byte),
		T(empty_message),
		T(length_past_the_bound),
		T(largest_frame),
		T(no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
