/* SPDX-License-Identifier: Apache-2.0 */
#include "net/uplink.h"

#include "base/auto.h"
#include "net/link.h"

#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned times;

static void back(struct uplink *u)
{
	(void)u;
	times++;
}

static void sees_a_link_come_back(void **state)
{
	struct uplink u = UPLINK_INIT;
	struct err e = { 0 };
	struct nl_sock *sk;
	struct loop loop;

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		skip();
	sk = link_open(&e);
	assert_non_null(sk);
	if (link_veth(sk, "up0", "far", getpid(), &e) < 0) {
		link_close(sk);
		skip();
	}
	assert_int_equal(loop_init(&loop, NULL, &e), 0);
	assert_int_equal(uplink_init(&u, "up0", back, &e), 0);
	assert_int_equal(uplink_start(&u, &loop, &e), 0);
	/* Another one, and it itself, when they change, are no news. */
	assert_int_equal(link_up(sk, "far", 0, &e), 0);
	assert_int_equal(link_up(sk, "up0", 1400, &e), 0);
	assert_int_equal(loop_once(&loop, 1000), 0);
	assert_int_equal(times, 0);
	assert_int_equal(link_remove(sk, "up0", &e), 0);
	assert_int_equal(if_nametoindex("far"), 0);
	assert_int_equal(loop_once(&loop, 1000), 0);
	assert_int_equal(times, 0);
	assert_int_equal(link_veth(sk, "up0", "far", getpid(), &e), 0);
	while (times == 0)
		assert_int_equal(loop_once(&loop, 1000), 0);
	assert_int_equal(times, 1);
	/* What is not there is removed. */
	assert_int_equal(link_remove(sk, "none", &e), 0);
	loop_del(&loop, &u.watch);
	uplink_fini(&u);
	loop_fini(&loop);
	link_close(sk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sees_a_link_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
