/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are open, and until when. */
#include "net/opened.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct opened o;
static const struct ip one = { 4, { 192, 0, 2, 1 } };
static const struct ip six = { 16, { 0x20, 1, 0xd, 0xb8, 1 } };

static int start(void **state)
{
	(void)state;
	return opened_init(&o);
}

static int stop(void **state)
{
	(void)state;
	opened_fini(&o);
	return 0;
}

static uint64_t add(const struct ip *ip, const char *name, uint64_t classes,
		    uint64_t until)
{
	uint64_t fresh;

	assert_int_equal(opened_add(&o, ip, name, classes, until, &fresh), 0);
	return fresh;
}

static void a_life(void **state)
{
	struct ip ip;
	uint64_t shut;

	(void)state;
	assert_int_equal(add(&one, "a", 5, 100), 5);
	assert_int_equal(add(&six, "a", 5, 100), 5);
	assert_false(opened_expire(&o, 99, &ip, &shut));
	assert_true(opened_expire(&o, 100, &ip, &shut));
	assert_int_equal(shut, 5);
	assert_true(opened_expire(&o, 100, &ip, &shut));
	assert_false(opened_expire(&o, 100, &ip, &shut));
	/* Its name stays. */
	assert_string_equal(opened_name(&o, &one), "a");
	assert_int_equal(add(&one, "a", 5, 200), 5);
}

/* The kernel did not take it: the next answer is to open it. */
static void undone(void **state)
{
	(void)state;
	assert_int_equal(add(&one, "a", 1, 100), 1);
	assert_int_equal(add(&one, "b", 5, 100), 4);
	opened_undo(&o, &one, 4);
	assert_int_equal(opened_classes(&o, &one), 1);
	assert_int_equal(add(&one, "b", 5, 100), 4);
	assert_int_equal(opened_classes(&o, &one), 5);
	assert_int_equal(opened_classes(&o, &six), 0);
}

static void prolonged(void **state)
{
	struct ip ip;
	uint64_t shut;

	(void)state;
	assert_int_equal(add(&one, "a", 1, 100), 1);
	assert_int_equal(add(&one, "a", 1, 300), 0);
	assert_int_equal(add(&one, "a", 1, 200), 0);
	assert_false(opened_expire(&o, 299, &ip, &shut));
	assert_true(opened_expire(&o, 300, &ip, &shut));
	assert_int_equal(shut, 1);
}

/* Two names lead there, for ports that partly are the same. */
static void shared(void **state)
{
	struct ip ip;
	uint64_t shut;

	(void)state;
	assert_int_equal(add(&one, "a", 3, 100), 3);
	assert_int_equal(add(&one, "b", 6, 200), 4);
	assert_true(opened_expire(&o, 150, &ip, &shut));
	assert_int_equal(shut, 1);
	assert_true(ip_equal(&ip, &one));
	assert_true(opened_expire(&o, 250, &ip, &shut));
	assert_int_equal(shut, 6);
}

static void full(void **state)
{
	struct ip ip = one;
	char name[16];
	uint64_t fresh, shut;

	(void)state;
	for (unsigned i = 0; i < OPENED_MAX; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		ip.b[3] = (uint8_t)i, ip.b[2] = (uint8_t)(i >> 8);
		add(&ip, name, 1, 100 + i);
	}
	assert_int_equal(opened_add(&o, &six, "x", 1, 1, &fresh), -ENOSPC);
	assert_null(opened_name(&o, &six));
	/* What is open is not thrown out; what is over is, the oldest first. */
	assert_true(opened_expire(&o, 100, &ip, &shut));
	assert_string_equal(opened_name(&o, &ip), "n0");
	assert_int_equal(add(&six, "x", 1, 999), 1);
	assert_null(opened_name(&o, &ip));
	assert_string_equal(opened_name(&o, &six), "x");
}

/* Names alone, as when everything may be reached: the oldest gives way. */
static void names_alone(void **state)
{
	struct ip ip = one;

	(void)state;
	for (unsigned i = 0; i < 3 * OPENED_MAX; i++) {
		ip.b[3] = (uint8_t)i, ip.b[2] = (uint8_t)(i >> 8);
		assert_int_equal(add(&ip, "n", 0, i), 0);
		assert_string_equal(opened_name(&o, &ip), "n");
	}
	ip = one;
	ip.b[2] = ip.b[3] = 0;
	assert_null(opened_name(&o, &ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_life, start, stop),
		cmocka_unit_test_setup_teardown(undone, start, stop),
		cmocka_unit_test_setup_teardown(prolonged, start, stop),
		cmocka_unit_test_setup_teardown(shared, start, stop),
		cmocka_unit_test_setup_teardown(full, start, stop),
		cmocka_unit_test_setup_teardown(names_alone, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
