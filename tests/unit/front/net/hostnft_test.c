/* SPDX-License-Identifier: Apache-2.0 */
#include "net/hostnft.h"

#include "base/auto.h"
#include "net/six.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct addr_plan addr = {
	.guest = 0x0ad50003,
	.gateway = 0x0ad50002,
	.up = 0x0ad50001,
	.host = 0x0ad50000,
	.prefix = 31,
	.up_prefix = 31,
};

static struct port list[] = {
	{ .address = { .len = 4 },
	  .host = 8080,
	  .guest = 80,
	  .twin = 3,
	  .fd = -1 },
	{ .address = { .len = 4, .b = { 127, 0, 0, 1 } },
	  .host = 5353,
	  .guest = 53,
	  .udp = true,
	  .fd = -1 },
	{ .address = { .len = 16, .b = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
	  .host = 5354,
	  .guest = 53,
	  .udp = true,
	  .fd = -1 },
	{ .address = { .len = 16 }, .host = 8080, .guest = 80, .fd = -1 },
};
static const struct ports ports = { list, ARRAY_LEN(list), 3 };

static void says_what_it_does(void **state)
{
	autofree char *text = hostnft_text("vial-a", "vla", &addr, &ports);

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "flags owner"));
	assert_non_null(strstr(text, "fib daddr type local meta nfproto ipv4 "
				     "tcp dport 8080 dnat ip to "
				     "10.213.0.3:80\n"));
	assert_non_null(strstr(text, "ip daddr 127.0.0.1 meta nfproto ipv4 "
				     "udp dport 5353 dnat ip to "
				     "10.213.0.3:53\n"));
	assert_non_null(strstr(text, "iifname \"vla\" drop"));
	assert_null(strstr(text, "priority dstnat; policy drop"));
	assert_non_null(
		strstr(text, "iifname \"vla\" meta nfproto ipv6 drop\n"));
	assert_null(strstr(text, "ip6 saddr"));
	assert_null(strstr(text, "dnat ip6"));
}

static struct addr_plan with_six(void)
{
	struct addr_plan a = addr;

	six_plan(&a, 7);
	return a;
}

static void says_what_it_does_of_six(void **state)
{
	struct addr_plan a = with_six();
	autofree char *text = hostnft_text("vial-a", "vla", &a, &ports);

	(void)state;
	assert_non_null(text);
	assert_non_null(strstr(text, "oifname != \"vla\" ip6 saddr { "
				     "fd76:6961:6c00:7::7, "
				     "fd76:6961:6c00:7::5 } masquerade\n"));
	assert_non_null(strstr(text, "ip6 saddr != { fd76:6961:6c00:7::7, "
				     "fd76:6961:6c00:7::5 } drop\n"));
	assert_non_null(strstr(text, "ip6 daddr != { ::1, fe80::/10 } "
				     "fib daddr type local tcp dport 8080 "
				     "dnat ip6 to [fd76:6961:6c00:7::7]:80\n"));
	assert_non_null(strstr(text, "ip6 daddr 2001:db8::1 udp dport 5354 "
				     "dnat ip6 to [fd76:6961:6c00:7::7]:53\n"));
	/* Neighbours before the rest is dropped. */
	assert_true(strstr(text, "nd-neighbor-solicit") <
		    strstr(text, "iifname \"vla\" drop\n"));
}

/* Held by one, refused to another; gone with its holder. */
static void the_kernel_takes_it(void **state)
{
	struct hostnft h = { .ctx = NULL }, again = { .ctx = NULL };
	struct addr_plan six = with_six();
	struct err e = { 0 };

	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		skip();
	if (hostnft_open(&h, "vial-a", "vla", &addr, &ports, &e) < 0) {
		/* A kernel without nftables has said so. */
		assert_int_equal(e.code, EOPNOTSUPP);
		skip();
	}
	assert_true(hostnft_open(&again, "vial-a", "vla", &addr, &ports, &e) <
		    0);
	assert_null(again.ctx);
	hostnft_close(&h);
	assert_int_equal(
		hostnft_open(&again, "vial-a", "vla", &six, &ports, &e), 0);
	hostnft_close(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_it_does),
		cmocka_unit_test(says_what_it_does_of_six),
		cmocka_unit_test(the_kernel_takes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
