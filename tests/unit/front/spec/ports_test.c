/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/ports.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* All of p, each followed by a space. */
static void is(const struct spec_ports *p, const char *want)
{
	char all[512] = "", one[SPEC_PORT_TEXT];
	size_t used = 0;

	for (size_t i = 0; i < p->n; i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s ",
					 spec_port_text(&p->v[i], one));
	assert_string_equal(all, want);
}

static void docker_forms(void **state)
{
	static const char *const cases[][2] = {
		{ "80", ":80/tcp " },
		{ "8080:80", "8080:80/tcp " },
		{ "8080:80/udp", "8080:80/udp " },
		{ "127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp " },
		{ "127.0.0.1::80", "127.0.0.1::80/tcp " },
		{ ":80", ":80/tcp " },
		{ "0.0.0.0:8080:80/tcp", "0.0.0.0:8080:80/tcp " },
		{ "[::]:8080:80", "[::]:8080:80/tcp " },
		{ "[::1]::53/udp", "[::1]::53/udp " },
		{ "[2001:DB8:0::1]:80-81:8-9",
		  "[2001:db8::1]:80:8/tcp [2001:db8::1]:81:9/tcp " },
		{ "90-92:80-82", "90:80/tcp 91:81/tcp 92:82/tcp " },
		{ "80-81/udp", ":80/udp :81/udp " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spec_ports p = { 0 }, again = { 0 };
		char text[SPEC_PORT_TEXT];
		struct err e = { 0 };

		assert_int_equal(spec_ports_add(&p, cases[i][0], &e), 0);
		is(&p, cases[i][1]);
		/* What is written is what is read. */
		for (size_t j = 0; j < p.n; j++)
			assert_int_equal(
				spec_ports_add(&again,
					       spec_port_text(&p.v[j], text),
					       &e),
				0);
		is(&again, cases[i][1]);
		spec_ports_fini(&p);
		spec_ports_fini(&again);
	}
}

static void refused(void **state)
{
	static const char *const cases[] = {
		"",
		":",
		"0",
		"65536",
		"80:",
		"x:80",
		"80/sctp",
		"90-80:1-2",
		"90-92:80",
		"1-2:3-5",
		"host:80:80",
		"[::1:80:80",
		"[]:80:80",
		"[127.0.0.1]:80:80",
		"[fe80::1%lo]:80:80",
		"::1:80:80",
		"[::1]:80",
		"80-:80",
		"80:80/",
		"1.2.3:80:80",
		"80 ",
		"-1:80",
		"99999999999",
		"1.2.3.4:80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct spec_ports p = { 0 };
		struct err e = { 0 };

		if (spec_ports_add(&p, cases[i], &e) == 0)
			fail_msg("'%s' is taken", cases[i]);
		assert_int_equal(e.code, EINVAL);
		spec_ports_fini(&p);
	}
}

static void all_that_is_exposed(void **state)
{
	struct spec_ports p = { 0 }, expose = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(spec_ports_add(&p, "8080:80", &e), 0);
	assert_int_equal(spec_ports_expose(&expose, "80", &e), 0);
	assert_int_equal(spec_ports_expose(&expose, "53-54/udp", &e), 0);
	assert_true(spec_ports_expose(&expose, "1:2", &e) < 0);
	assert_int_equal(spec_ports_all(&p, &expose, &e), 0);
	is(&p, "8080:80/tcp :53/udp :54/udp ");
	spec_ports_fini(&p);
	spec_ports_fini(&expose);
}

static void twice_is_once_and_many_are_bounded(void **state)
{
	struct spec_ports p = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(spec_ports_add(&p, "80:80", &e), 0);
	assert_int_equal(spec_ports_add(&p, "80:80/tcp", &e), 0);
	assert_int_equal(p.n, 1);
	assert_int_equal(spec_ports_add(&p, "1-65535:1-65535", &e), -E2BIG);
	assert_int_equal(p.n, SPEC_PORTS_MAX);
	spec_ports_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(docker_forms),
		cmocka_unit_test(refused),
		cmocka_unit_test(all_that_is_exposed),
		cmocka_unit_test(twice_is_once_and_many_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
