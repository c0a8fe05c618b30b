/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ports.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct ports one_port(const char *address, uint16_t host)
{
	struct ports p = { calloc(1, sizeof(*p.v)), 1, 0 };
	struct err e = { 0 };

	assert_non_null(p.v);
	p.v[0] = (struct port){ .host = host, .guest = 80, .fd = -1 };
	if (*address)
		assert_true(ip_parse(address, &p.v[0].address));
	assert_int_equal(ports_families(&p, &e), 0);
	return p;
}

static bool have_six(void)
{
	struct ports p = one_port("", 0);
	bool six = p.n == 2;

	ports_fini(&p);
	return six;
}

static void a_port_is_held(void **state)
{
	struct ports first = one_port("127.0.0.1", 0), second;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ports_hold(&first, &e), 0);
	assert_int_not_equal(first.v[0].host, 0);
	second = one_port("127.0.0.1", first.v[0].host);
	assert_int_equal(ports_hold(&second, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "in use"));
	ports_release(&first.v[0]);
	assert_int_equal(ports_hold(&second, &e), 0);
	ports_fini(&first);
	ports_fini(&second);
}

static void all_addresses_are_of_both_families(void **state)
{
	struct ports p = one_port("", 0), other;
	struct err e = { 0 };
	uint16_t number;

	(void)state;
	assert_int_equal(p.first, 1);
	assert_false(port_six(&p.v[0]));
	assert_true(port_any(&p.v[0]));
	if (p.n == 1) {
		ports_fini(&p);
		skip();
	}
	assert_true(port_six(&p.v[1]));
	assert_true(port_any(&p.v[1]));
	assert_int_equal(ports_hold(&p, &e), 0);
	number = p.v[0].host;
	assert_int_equal(p.v[1].host, number);
	assert_true(p.v[0].fd >= 0 && p.v[1].fd >= 0);
	/* Of IPv6 alone it is in use, too. */
	ports_release(&p.v[0]);
	other = one_port("", number);
	assert_int_equal(ports_hold(&other, &e), -EADDRINUSE);
	assert_non_null(strstr(e.msg, "port [::]:"));
	ports_fini(&other);
	other = one_port("0.0.0.0", number);
	assert_int_equal(other.n, 1);
	assert_int_equal(ports_hold(&other, &e), 0);
	ports_fini(&other);
	ports_fini(&p);
}

static void an_address_of_another_is_refused(void **state)
{
	struct ports p = one_port("192.0.2.77", 0), six;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ports_hold(&p, &e), -EADDRNOTAVAIL);
	assert_non_null(strstr(e.msg, "192.0.2.77 is no address"));
	ports_fini(&p);
	if (!have_six())
		skip();
	six = one_port("2001:db8::77", 0);
	assert_int_equal(ports_hold(&six, &e), -EADDRNOTAVAIL);
	assert_non_null(strstr(e.msg, "2001:db8::77 is no address"));
	ports_fini(&six);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_held),
		cmocka_unit_test(all_addresses_are_of_both_families),
		cmocka_unit_test(an_address_of_another_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
