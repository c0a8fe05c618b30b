/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports as docker shows them. */
#include "cli/portrow.h"

#include "base/auto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const list[] = {
	"0.0.0.0:8000-8001:80-81", "[::1]:8090:80", "127.0.0.1:5353:53/udp",
	"[::]:8000-8001:80-81",	   "443:443",
};

/* As a box that runs has them. */
static void load(struct netinfo *n, struct spec *s)
{
	struct err e = { 0 };

	*n = (struct netinfo){ .mode = "nat" };
	*s = (struct spec){ .network = NULL };
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		assert_int_equal(spec_ports_add(&n->ports, list[i], &e), 0);
	assert_int_equal(spec_ports_expose(&s->expose, "9", &e), 0);
}

static void in_a_line(void **state)
{
	struct netinfo n;
	struct spec s;
	autofree char *text = NULL;

	(void)state;
	load(&n, &s);
	text = portrow_text(&n, &s);
	assert_string_equal(text, "0.0.0.0:8000-8001->80-81/tcp, "
				  "[::1]:8090->80/tcp, "
				  "127.0.0.1:5353->53/udp, "
				  "[::]:8000-8001->80-81/tcp, "
				  "0.0.0.0:443->443/tcp, 9/tcp");
	spec_ports_fini(&n.ports);
	spec_ports_fini(&s.expose);
}

static void by_port_of_the_guest(void **state)
{
	struct netinfo n;
	struct spec s;
	json_t *o;
	autofree char *text = NULL;

	(void)state;
	load(&n, &s);
	o = portrow_ports(&n.ports, &s);
	text = json_dumps(json_object_get(o, "80/tcp"), JSON_COMPACT);
	assert_string_equal(text,
			    "[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8000\"},"
			    "{\"HostIp\":\"::1\",\"HostPort\":\"8090\"},"
			    "{\"HostIp\":\"::\",\"HostPort\":\"8000\"}]");
	assert_true(json_is_null(json_object_get(o, "9/tcp")));
	json_decref(o);
	spec_ports_fini(&n.ports);
	spec_ports_fini(&s.expose);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_a_line),
		cmocka_unit_test(by_port_of_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
