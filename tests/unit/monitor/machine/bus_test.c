/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/power.h"
#include "machine/bus.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct probe {
	uint32_t off, len;
	unsigned reads, writes;
};

static void probe_read(void *own, uint32_t off, void *dst, uint32_t len)
{
	struct probe *p = own;

	p->off = off;
	p->len = len;
	p->reads++;
	memset(dst, 0x11, len);
}

static void probe_write(void *own, uint32_t off, const void *src, uint32_t len)
{
	struct probe *p = own;

	(void)src;
	p->off = off;
	p->len = len;
	p->writes++;
}

static struct bus_range range(struct probe *p, uint64_t base, uint64_t size)
{
	return (struct bus_range){ .name = "probe",
				   .base = base,
				   .size = size,
				   .own = p,
				   .read = probe_read,
				   .write = probe_write };
}

static void bus_finds_the_device(void **state)
{
	struct probe p = { 0 }, q = { 0 };
	struct bus_range r = range(&p, 0x1000, 0x10);
	struct bus b = { .nranges = 0 };
	uint64_t v = 0;

	(void)state;
	assert_int_equal(bus_add(&b, &r, NULL), 0);
	r = range(&q, 0x1010, 0x10);
	assert_int_equal(bus_add(&b, &r, NULL), 0);
	bus_access(&b, 0x1008, &v, 4, false);
	assert_int_equal(v, 0x11111111);
	assert_int_equal(p.off, 8);
	bus_access(&b, 0x1010, &v, 8, true);
	assert_int_equal(q.writes, 1);
	assert_int_equal(q.off, 0);
}

static void bus_refuses_what_crosses_an_edge(void **state)
{
	struct probe p = { 0 };
	struct bus_range r = range(&p, 0x1000, 0x10);
	struct bus b = { .nranges = 0 };
	uint64_t v;

	(void)state;
	assert_int_equal(bus_add(&b, &r, NULL), 0);
	v = 0;
	bus_access(&b, 0x100c, &v, 8, false);
	assert_true(v == UINT64_MAX);
	bus_access(&b, 0xfff, &v, 2, true);
	bus_access(&b, UINT64_MAX, &v, 8, true);
	v = 0;
	bus_access(&b, 0x1010, &v, 1, false);
	assert_int_equal(v, 0xff);
	assert_int_equal(p.reads + p.writes, 0);
}

static void bus_refuses_overlap(void **state)
{
	struct probe p = { 0 };
	struct bus_range r = range(&p, 0x1000, 0x10);
	struct bus b = { .nranges = 0 };
	struct err e;

	(void)state;
	assert_int_equal(bus_add(&b, &r, &e), 0);
	r = range(&p, 0x100f, 1);
	assert_int_equal(bus_add(&b, &r, &e), -EEXIST);
	r = range(&p, 0x0fff, 2);
	assert_int_equal(bus_add(&b, &r, &e), -EEXIST);
}

static unsigned told[2];

static void tell(void *ctx, enum power_event ev)
{
	(void)ctx;
	told[ev]++;
}

static void power_tells_apart(void **state)
{
	struct power p = { .told = tell };
	uint32_t v = 0;
	uint8_t bit = 1;

	(void)state;
	power_read(&p, 0, &v, 4);
	assert_int_equal(v, 0);
	power_write(&p, 4, &bit, 1);
	v = 7;
	power_write(&p, 0, &v, 4);
	assert_int_equal(told[POWER_OFF], 0);
	v = POWER_OFF_VALUE;
	power_write(&p, 0, &v, 4);
	assert_int_equal(told[POWER_OFF], 1);
	pvpanic_read(&p, 0, &bit, 1);
	assert_int_equal(bit, 3);
	bit = PVPANIC_CRASH;
	pvpanic_write(&p, 0, &bit, 1);
	assert_int_equal(told[POWER_PANIC], 0);
	bit = PVPANIC_PANIC;
	pvpanic_write(&p, 0, &bit, 1);
	assert_int_equal(told[POWER_PANIC], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bus_finds_the_device),
		cmocka_unit_test(bus_refuses_what_crosses_an_edge),
		cmocka_unit_test(bus_refuses_overlap),
		cmocka_unit_test(power_tells_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
