/* SPDX-License-Identifier: Apache-2.0 */
#include "net/six.h"

#include "net/policy.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NO "00000000000000000000000000000000"
#define WAY NO " 00 " NO " 00 "

/* Default route by way of a router on eth0, as the kernel writes it. */
static const char out[] =
	"20010db8000100000000000000000000 40 " NO " 00 " NO
	" 00000100 00000001 00000000 00000001     eth0\n" WAY
	"20010db8000100000000000000000002 00000400 00000001 00000000 "
	"00000003     eth0\n" WAY NO
	" ffffffff 00000001 00000000 00200200       lo\n";

static void needs_a_way_out(void **state)
{
	(void)state;
	assert_null(six_missing_route(out));
	assert_non_null(six_missing_route(""));
	/* Without the one that is up: that of lo refuses. */
	assert_non_null(six_missing_route(
		WAY NO " ffffffff 00000001 00000000 00200200       lo\n"));
	assert_non_null(six_missing_route(
		WAY NO " ffffffff 00000001 00000000 00000201     eth0\n"));
	assert_non_null(six_missing_route("nonsense\n\n" WAY));
}

static const char *with(const char *route)
{
	static char text[1024];

	snprintf(text, sizeof(text), "%s%s", route, out);
	return six_missing_route(text);
}

#define REST " " NO " 00 " NO " 00000100 00000001 00000000 00000001     "

static void keeps_off_what_others_have(void **state)
{
	(void)state;
	assert_non_null(
		with("fd7669616c0000000000000000000000 30" REST "br0\n"));
	assert_non_null(
		with("fd7669616c00000c0000000000000000 40" REST "br0\n"));
	assert_non_null(
		with("fd000000000000000000000000000000 08" REST "br0\n"));
	/* The pairs of other boxes, and a neighbour. */
	assert_null(with("fd7669616c00000c0000000000000004 7f" REST
			 "vl0123456789ab\n"));
	assert_null(with("fd7669616d0000000000000000000000 30" REST "br0\n"));
}

static void addresses_are_of_the_box_and_closed(void **state)
{
	struct addr_plan a = { .six = false }, b = { .six = false };
	char text[INET6_ADDRSTRLEN];
	struct policy p;
	struct ip ip = { .len = 16 };

	(void)state;
	six_plan(&a, 0x1234);
	six_plan(&b, 0x1235);
	assert_true(a.six);
	inet_ntop(AF_INET6, &a.guest6, text, sizeof(text));
	assert_string_equal(text, "fd76:6961:6c00:1234::7");
	inet_ntop(AF_INET6, &b.host6, text, sizeof(text));
	assert_string_equal(text, "fd76:6961:6c00:1235::4");
	/* Each two are a pair: they differ in the last bit alone. */
	assert_int_equal(a.guest6.s6_addr[15] ^ a.gateway6.s6_addr[15], 1);
	assert_int_equal(a.up6.s6_addr[15] ^ a.host6.s6_addr[15], 1);
	policy_init(&p);
	memcpy(ip.b, &a.guest6, sizeof(ip.b));
	assert_true(policy_ip_closed(&p, &ip));
	policy_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(needs_a_way_out),
		cmocka_unit_test(keeps_off_what_others_have),
		cmocka_unit_test(addresses_are_of_the_box_and_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
