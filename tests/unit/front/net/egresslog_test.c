/* SPDX-License-Identifier: Apache-2.0 */
/* Lines that any reader of JSON takes, whatever the guest asked; their bound;
 * and the list of what was used. */
#include "net/egresslog.h"

#include "base/auto.h"
#include "base/fd.h"
#include "net/flows.h"
#include "net/policy.h"
#include "net/record.h"

#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static int fd;
static struct egresslog l;
static struct record r;
static struct err e;

static int start(void **state)
{
	(void)state;
	fd = memfd_create("log", MFD_CLOEXEC);
	egresslog_init(&l, fd, 1 << 20);
	return fd < 0;
}

static int stop(void **state)
{
	(void)state;
	close(fd);
	record_fini(&r);
	return 0;
}

static char *text(void)
{
	char *out = NULL;

	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(fd_slurp(fd, &out, 8 << 20) >= 0);
	return out;
}

/* The only line. */
static json_t *line(void)
{
	autofree char *t = text();
	json_error_t why;
	json_t *v = json_loads(t, 0, &why);

	if (!v)
		fail_msg("%s: %s", why.text, t);
	return v;
}

static const char *str(json_t *v, const char *key)
{
	return json_string_value(json_object_get(v, key));
}

static void a_name(void **state)
{
	struct egresslog_name n = { .name = "a\\034b.test",
				    .type = DNS_AAAA,
				    .verdict = "allowed",
				    .answer = "NOERROR",
				    .naddr = 2,
				    .nremoved = 1 };
	json_t *v;

	(void)state;
	ip_parse("2001:db8::1", &n.addr[0]);
	ip_parse("2001:db8::2", &n.addr[1]);
	ip_parse("10.0.0.1", &n.removed[0]);
	egresslog_name(&l, &n);
	v = line();
	assert_string_equal(str(v, "event"), "name");
	assert_string_equal(str(v, "name"), "a\\034b.test");
	assert_string_equal(str(v, "type"), "AAAA");
	assert_int_equal(json_array_size(json_object_get(v, "addresses")), 2);
	assert_int_equal(json_array_size(json_object_get(v, "removed")), 1);
	json_decref(v);
}

/* As long as it gets. */
static void longest(void **state)
{
	struct egresslog_name n = { .type = 65535,
				    .verdict = "allowed",
				    .answer = "NOERROR",
				    .naddr = EGRESSLOG_ADDRS,
				    .nremoved = EGRESSLOG_ADDRS };
	struct dns_name wire = { .len = DNS_NAME };
	char name[DNS_TEXT];
	json_t *v;

	(void)state;
	for (size_t i = 0; i + 1 < DNS_NAME; i += 2)
		wire.b[i] = 1, wire.b[i + 1] = 255;
	n.name = dns_name_text(&wire, name);
	for (size_t i = 0; i < EGRESSLOG_ADDRS; i++) {
		ip_parse("2001:1111:2222:3333:4444:5555:6666:7777", &n.addr[i]);
		n.removed[i] = n.addr[i];
	}
	egresslog_name(&l, &n);
	v = line();
	assert_int_equal(json_array_size(json_object_get(v, "removed")),
			 EGRESSLOG_ADDRS);
	json_decref(v);
}

static void a_connection(void **state)
{
	struct egresslog_conn c = { .proto = IPPROTO_TCP,
				    .port = 443,
				    .sent = 1ull << 40,
				    .received = 7,
				    .ms = 61005,
				    .open = true };
	json_t *v;

	(void)state;
	ip_parse("192.0.2.1", &c.ip);
	egresslog_conn(&l, &c);
	v = line();
	assert_int_equal(json_integer_value(json_object_get(v, "sent")),
			 1ll << 40);
	assert_true(json_real_value(json_object_get(v, "seconds")) == 61.005);
	assert_true(json_is_true(json_object_get(v, "open")));
	assert_null(json_object_get(v, "name"));
	json_decref(v);
}

static void bounded(void **state)
{
	struct egresslog_conn c = { .proto = 132 };
	autofree char *t = NULL;
	const char *last;

	(void)state;
	egresslog_init(&l, fd, 4096);
	ip_parse("192.0.2.1", &c.ip);
	for (int i = 0; i < 1000; i++)
		egresslog_refused(&l, &c);
	t = text();
	assert_in_range(strlen(t), 3000, 4096);
	t[strlen(t) - 1] = '\0';
	last = strrchr(t, '\n');
	assert_non_null(strstr(last, "\"event\":\"full\",\"bytes\":4096}"));
}

static void nowhere(void **state)
{
	(void)state;
	egresslog_init(&l, -1, 4096);
	egresslog_lost(&l, "x");
}

static void packets(void **state)
{
	static const uint8_t tcp4[24] = { 0x45, [9] = 6, [16] = 10, 1,
					  2,	3,	 [22] = 1,  0xbb };
	static const uint8_t udp6[44] = {
		0x60, [6] = 17, [24] = 0xfd, [43] = 53
	};
	struct egresslog_conn c;

	(void)state;
	assert_true(flows_packet(tcp4, 24, &c));
	assert_int_equal(c.port, 443);
	assert_memory_equal(c.ip.b, "\12\1\2\3", 4);
	assert_true(flows_packet(udp6, 44, &c));
	assert_int_equal(c.port, 53);
	assert_int_equal(c.ip.b[0], 0xfd);
	assert_true(flows_packet(tcp4, 22, &c)); /* its port is missing */
	assert_int_equal(c.port, 0);
	assert_false(flows_packet(tcp4, 19, &c));
	assert_false(flows_packet(udp6, 39, &c));
	assert_false(flows_packet((const uint8_t *)"", 1, &c));
}

/* What was used, as a list that allows it. */
static void recorded(void **state)
{
	autofree char *t = NULL;
	struct policy p;

	(void)state;
	record_asked(&r, "only.test");
	record_asked(&r, "a.test");
	record_asked(&r, "a.test.evil");
	record_asked(&r, "odd\\000.test");
	record_use(&r, "a.test", IPPROTO_TCP, 443);
	record_use(&r, "a.test", IPPROTO_TCP, 443);
	record_use(&r, "a.test", IPPROTO_UDP, 443);
	record_use(&r, "2001:db8::1", IPPROTO_TCP, 80);
	record_use(&r, "192.0.2.1", IPPROTO_ICMP, 0);
	record_use(&r, "ping.test", IPPROTO_ICMP, 0);
	record_asked(&r, "ping.test");
	assert_int_equal(record_write(&r, fd, &e), 0);
	t = text();
	assert_string_equal(strchr(t, '\n'), "\n192.0.2.1\n"
					     "[2001:db8::1]:80/tcp\n"
					     "a.test.evil:0\n"
					     "a.test:443/tcp\n"
					     "a.test:443/udp\n"
					     "only.test:0\n"
					     "ping.test\n");
	policy_init(&p);
	assert_int_equal(policy_add(&p, t, &e), 0);
	assert_int_equal(policy_end(&p, &e), 0);
	policy_fini(&p);
}

static void much_recorded(void **state)
{
	autofree char *t = NULL;
	char name[32];

	(void)state;
	for (int i = 0; i < RECORD_MAX + 10; i++) {
		snprintf(name, sizeof(name), "n%d.test", i);
		record_asked(&r, name);
	}
	assert_int_equal(record_write(&r, fd, &e), 0);
	t = text();
	assert_non_null(strstr(t, "\n# There was more"));
	assert_null(strstr(t, "n8195.test"));
	assert_non_null(strstr(t, "n8191.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name, start, stop),
		cmocka_unit_test_setup_teardown(longest, start, stop),
		cmocka_unit_test_setup_teardown(a_connection, start, stop),
		cmocka_unit_test_setup_teardown(bounded, start, stop),
		cmocka_unit_test_setup_teardown(nowhere, start, stop),
		cmocka_unit_test_setup_teardown(packets, start, stop),
		cmocka_unit_test_setup_teardown(recorded, start, stop),
		cmocka_unit_test_setup_teardown(much_recorded, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
