/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pool.h"

#include "base/auto.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
/* 10.213.4.0/24, as the kernel of a little-endian CPU has it */
#define NET	      "eth0\t0004D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
#define OURS	      "vl012345\t0004D50A\t00000000\t0001\t0\t0\t0\t00FFFFFF\n"
#define DEFAULT_ROUTE "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\n"

static void what_the_host_has_is_not_taken(void **state)
{
	(void)state;
	assert_true(pool_collides(HEAD NET, 0x0ad50400));
	assert_true(pool_collides(HEAD DEFAULT_ROUTE NET, 0x0ad504fc));
	assert_false(pool_collides(HEAD NET, 0x0ad50500));
	assert_false(pool_collides(HEAD NET, 0x0ad503fc));
	assert_false(pool_collides(HEAD DEFAULT_ROUTE, 0x0ad50400));
	assert_false(pool_collides(HEAD OURS, 0x0ad50400));
	assert_false(pool_collides("", 0x0ad50400));
	assert_false(pool_collides("no table\n\n\n", 0x0ad50400));
}

static char dir[] = "/tmp/pool_test.XXXXXX";

static int start(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	return rmdir(dir);
}

/* Held twice by one process it is still two locks: flock(2) is the file's. */
static void each_has_its_own(void **state)
{
	struct pool_lease l[8];
	struct addr_plan a[8];
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(l); i++) {
		l[i] = (struct pool_lease)POOL_LEASE_INIT;
		assert_int_equal(pool_take(&l[i], dir, &a[i], &e), 0);
		assert_int_equal(a[i].guest & 3, 3);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(a[j].guest, a[i].guest);
	}
	for (size_t i = 0; i < ARRAY_LEN(l); i++)
		pool_give(&l[i]);
}

/* Its holder has died, or has become somebody who may not remove it. */
static void what_nobody_holds_goes(void **state)
{
	struct pool_lease held = POOL_LEASE_INIT, next = POOL_LEASE_INIT;
	struct addr_plan a;
	struct err e = { 0 };
	char path[64], other[64], mine[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/99999", dir);
	snprintf(other, sizeof(other), "%s/lan-0123.lock", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	close(open(other, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(pool_take(&held, dir, &a, &e), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(pool_take(&next, dir, &a, &e), 0);
	snprintf(mine, sizeof(mine), "%s/%u", dir, held.block);
	assert_int_equal(access(mine, F_OK), 0);
	pool_give(&next);
	pool_give(&held);
	assert_int_equal(unlink(other), 0);
}

static void a_folder_of_others_is_refused(void **state)
{
	struct pool_lease l = POOL_LEASE_INIT;
	struct addr_plan a;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	assert_true(pool_take(&l, dir, &a, &e) < 0);
	assert_non_null(strstr(e.msg, "written by others"));
	assert_int_equal(chmod(dir, 0700), 0);
	pool_give(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_host_has_is_not_taken),
		cmocka_unit_test(each_has_its_own),
		cmocka_unit_test(what_nobody_holds_goes),
		cmocka_unit_test(a_folder_of_others_is_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
