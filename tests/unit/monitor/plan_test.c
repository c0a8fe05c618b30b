/* SPDX-License-Identifier: Apache-2.0 */
/* Rates and the balloon; what else a plan says is in recv_test.c. */
#include "monitor/plan.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct box {
	Vial__Plan__Plan plan;
	Vial__Plan__Disk disk, *disks[1];
	Vial__Plan__Rate disk_rate, console_rate;
	uint32_t base;
};

static void box_init(struct box *b)
{
	static char id[] = "abc";

	vial__plan__plan__init(&b->plan);
	vial__plan__disk__init(&b->disk);
	vial__plan__rate__init(&b->disk_rate);
	vial__plan__rate__init(&b->console_rate);
	b->plan.generation = PLAN_GENERATION;
	b->plan.id = id;
	b->plan.vcpus = 1;
	b->plan.ram_bytes = CONF_MIN_RAM;
	b->plan.kvm_fd = 10;
	b->plan.kernel_fd = 11;
	b->base = 12;
	b->disk.base_fds = &b->base;
	b->disk.n_base_fds = 1;
	b->disks[0] = &b->disk;
	b->plan.disks = b->disks;
	b->plan.n_disks = 1;
}

static void refused(const struct box *b, const char *what)
{
	struct monitor_conf c;
	struct err e;

	assert_int_equal(plan_check(&b->plan, &c, &e), -EINVAL);
	assert_non_null(strstr(e.msg, what));
}

static void nothing_said_is_no_limit(void **state)
{
	struct monitor_conf c;
	struct box b;
	struct err e;

	(void)state;
	box_init(&b);
	assert_int_equal(plan_check(&b.plan, &c, &e), 0);
	assert_int_equal(c.disk[0].rate_bytes, 0);
	assert_int_equal(c.disk[0].rate_ops, 0);
	assert_int_equal(c.console_rate, 0);
	assert_false(c.balloon);
}

static void rates_are_taken(void **state)
{
	struct monitor_conf c;
	struct box b;
	struct err e;

	(void)state;
	box_init(&b);
	b.disk.rate = &b.disk_rate;
	b.disk_rate.bytes = CONF_MAX_RATE;
	b.disk_rate.ops = 100;
	b.plan.console_rate = &b.console_rate;
	b.console_rate.bytes = 4096;
	b.plan.balloon = true;
	assert_int_equal(plan_check(&b.plan, &c, &e), 0);
	assert_int_equal(c.disk[0].rate_bytes, CONF_MAX_RATE);
	assert_int_equal(c.disk[0].rate_ops, 100);
	assert_int_equal(c.console_rate, 4096);
	assert_true(c.balloon);
}

static void rates_beyond_measure_are_refused(void **state)
{
	struct box b;

	(void)state;
	box_init(&b);
	b.disk.rate = &b.disk_rate;
	b.disk_rate.bytes = CONF_MAX_RATE + 1;
	refused(&b, "disk 0: rate: ");
	b.disk_rate.bytes = 0;
	b.disk_rate.ops = UINT64_MAX;
	refused(&b, "disk 0: rate: ");
	b.disk.rate = NULL;
	b.plan.console_rate = &b.console_rate;
	b.console_rate.bytes = UINT64_MAX;
	refused(&b, "console_rate: ");
	b.console_rate.bytes = 1;
	b.console_rate.ops = 1;
	refused(&b, "console_rate: ops");
}

static void a_plain_disk_is_one_file(void **state)
{
	struct monitor_conf c;
	struct box b;
	struct err e;

	(void)state;
	box_init(&b);
	b.disk.plain = true;
	refused(&b, "disk 0: plain");
	b.disk.overlay_fd = 13;
	refused(&b, "disk 0: plain");
	b.disk.n_base_fds = 0;
	assert_int_equal(plan_check(&b.plan, &c, &e), 0);
	assert_true(c.disk[0].plain);
	assert_int_equal(c.disk[0].overlay_fd, 13);
}

static void places_for_interfaces_are_few(void **state)
{
	Vial__Plan__Net net = VIAL__PLAN__NET__INIT, *nets[] = { &net };
	uint8_t mac[] = { 2, 0, 0, 0, 0, 1 };
	struct monitor_conf c;
	struct box b;
	struct err e;

	(void)state;
	box_init(&b);
	net.tap_fd = 13;
	net.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
	b.plan.nets = nets;
	b.plan.n_nets = 1;
	b.plan.spare_nets = CONF_MAX_NETS - 1;
	assert_int_equal(plan_check(&b.plan, &c, &e), 0);
	assert_int_equal(c.spare_nets, CONF_MAX_NETS - 1);
	b.plan.spare_nets++;
	refused(&b, "spare_nets");
	b.plan.spare_nets = UINT32_MAX;
	refused(&b, "spare_nets");
	b.plan.n_nets = 0;
	refused(&b, "spare_nets");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_is_no_limit),
		cmocka_unit_test(rates_are_taken),
		cmocka_unit_test(rates_beyond_measure_are_refused),
		cmocka_unit_test(a_plain_disk_is_one_file),
		cmocka_unit_test(places_for_interfaces_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
