/* SPDX-License-Identifier: Apache-2.0 */
/* What a list of --egress allows, and which words are none. */
#include "net/policy.h"

#include "base/auto.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct policy p;
static struct err e;

static int start(void **state)
{
	(void)state;
	policy_init(&p);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	policy_fini(&p);
	return 0;
}

static void allow(const char *text)
{
	assert_int_equal(policy_add(&p, text, &e), 0);
	assert_int_equal(policy_end(&p, &e), 0);
}

static bool may_ask(const char *name)
{
	return policy_name_allowed(&p, name, NULL);
}

static const struct policy_class *only_class(const char *name)
{
	uint64_t set;

	assert_true(policy_name_allowed(&p, name, &set));
	assert_int_equal(__builtin_popcountll(set), 1);
	return &p.classes[__builtin_ctzll(set)];
}

static bool closed(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return policy_ip_closed(&p, &ip);
}

static void names(void **state)
{
	(void)state;
	allow("GitHub.com. *.debian.org,deb.test:80");
	assert_true(may_ask("github.com"));
	assert_false(may_ask("api.github.com"));
	assert_false(may_ask("evilgithub.com"));
	assert_false(may_ask("com"));
	assert_true(may_ask("ftp.debian.org"));
	assert_true(may_ask("a.b.c.debian.org"));
	assert_false(may_ask("debian.org"));
	assert_false(may_ask("evildebian.org"));
	assert_false(may_ask("debian.org.evil.test"));
	assert_false(may_ask("."));
	/* A dot inside of a label is no dot. */
	assert_false(may_ask("evil\\046debian\\046org"));
}

static void any_name(void **state)
{
	(void)state;
	allow("*:443/tcp");
	assert_true(may_ask("a"));
	assert_true(may_ask("x.y.z"));
	assert_int_equal(only_class("x.y")->first, 443);
	assert_int_equal(only_class("x.y")->proto, IPPROTO_TCP);
}

static void classes(void **state)
{
	uint64_t set;

	(void)state;
	allow("a.test:443/tcp b.test:443/tcp *.b.test:8000-8010/udp c.test\n"
	      "d.test/udp x.b.test:0 b.test:443/tcp a.test:22");
	assert_int_equal(p.nclasses, 6);
	assert_int_equal(only_class("b.test")->first, 443);
	assert_int_equal(only_class("b.test")->last, 443);
	assert_int_equal(only_class("c.test")->proto, 0);
	assert_int_equal(only_class("c.test")->last, 65535);
	assert_int_equal(only_class("d.test")->proto, IPPROTO_UDP);
	assert_true(policy_name_allowed(&p, "x.b.test", &set));
	assert_int_equal(__builtin_popcountll(set), 2);
	assert_true(policy_name_allowed(&p, "a.test", &set));
	assert_int_equal(__builtin_popcountll(set), 2);
	assert_false(policy_name_allowed(&p, "test", &set));
	assert_int_equal(set, 0);
}

static void addresses(void **state)
{
	(void)state;
	assert_true(closed("169.254.169.254"));
	assert_true(closed("10.1.2.3"));
	assert_true(closed("fd00::1"));
	assert_true(closed("fe80::1"));
	assert_true(closed("::1"));
	assert_true(closed("::ffff:10.1.2.3"));
	assert_true(closed("64:ff9b::a9fe:a9fe"));
	assert_true(closed("255.255.255.255"));
	assert_false(closed("64:ff9b::808:808"));
	assert_false(closed("8.8.8.8"));
	assert_false(closed("172.32.0.1"));
	assert_false(closed("2606:4700::1"));
	allow("all,10.1.0.0/16:5432/tcp [fd00:1::/32]:443 fd00:2::7 "
	      "192.168.1.1");
	assert_true(p.all);
	assert_int_equal(p.nranges, 4);
	assert_false(closed("10.1.2.3"));
	assert_true(closed("10.2.2.3"));
	assert_false(closed("fd00:1::1"));
	assert_false(closed("fd00:2::7"));
	assert_true(closed("fd00:2::8"));
	assert_false(closed("192.168.1.1"));
	assert_true(closed("169.254.169.254"));
	assert_true(may_ask("any.thing"));
}

static void ranges_are_cut(void **state)
{
	char text[IP_TEXT];

	(void)state;
	allow("10.1.2.3/9,2001:db8:ffff::1/33");
	assert_string_equal(ip_range_text(&p.ranges[0].range, text),
			    "10.0.0.0/9");
	assert_string_equal(ip_range_text(&p.ranges[1].range, text),
			    "2001:db8:8000::/33");
}

static void none(void **state)
{
	(void)state;
	allow("none");
	assert_false(may_ask("a.test"));
	assert_false(p.all);
	assert_true(policy_add(&p, "a.test", &e) < 0);
}

static void comments(void **state)
{
	(void)state;
	allow("# what the build needs\na.test # the forge\n\n\tb.test,#c.test\n"
	      "d.test#e.test");
	assert_true(may_ask("a.test"));
	assert_true(may_ask("b.test"));
	assert_true(may_ask("d.test"));
	assert_int_equal(p.nnames, 3);
}

static void refused(void **state)
{
	static const char *const bad[] = {
		"a.test:",
		"a.test:x",
		"a.test:65536",
		"a.test:80-70",
		"a.test:0-5",
		"a.test:-5",
		"a..test",
		".test",
		"-",
		"*.",
		"a.*.test",
		"*a.test",
		"a.test/icmp",
		"10.0.0.0/33",
		"10.0.0.0/",
		"10.0.0",
		"1.2.3.400",
		"10.0.0.1:0",
		"[10.0.0.1]:80",
		"[2001:db8::1",
		"[2001:db8::1]x",
		"2001:db8::/129",
		"[::1]:x",
		"https://a.test",
		"a.test/80",
		"b\303\274cher.test",
		"none,all",
		"10.0.0.1/8/8",
		"all none",
	};
	char word[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		policy_fini(&p);
		policy_init(&p);
		if (policy_add(&p, bad[i], &e) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_string_not_equal(e.msg, "");
	}
	memset(word, 'a', sizeof(word));
	word[sizeof(word) - 1] = '\0';
	assert_true(policy_add(&p, word, &e) < 0);
	policy_fini(&p);
	policy_init(&p);
	assert_true(policy_end(&p, &e) < 0);
}

static void bounds(void **state)
{
	char word[64];
	int r = 0, n;

	(void)state;
	for (n = 0; n < POLICY_CLASSES; n++) {
		snprintf(word, sizeof(word), "a.test:%d", n + 1);
		assert_int_equal(policy_add(&p, word, &e), 0);
	}
	assert_int_equal(policy_add(&p, "a.test:9999", &e), -E2BIG);
	for (n = 0; r == 0; n++) {
		snprintf(word, sizeof(word), "n%d.test:1", n);
		r = policy_add(&p, word, &e);
		assert_true(n <= POLICY_RULES);
	}
	assert_int_equal(r, -E2BIG);
	assert_int_equal(policy_end(&p, &e), 0);
	assert_true(may_ask("n0.test"));
	assert_true(may_ask("n1000.test"));
	assert_false(may_ask("nx.test"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names, start, stop),
		cmocka_unit_test_setup_teardown(any_name, start, stop),
		cmocka_unit_test_setup_teardown(classes, start, stop),
		cmocka_unit_test_setup_teardown(addresses, start, stop),
		cmocka_unit_test_setup_teardown(ranges_are_cut, start, stop),
		cmocka_unit_test_setup_teardown(none, start, stop),
		cmocka_unit_test_setup_teardown(comments, start, stop),
		cmocka_unit_test_setup_teardown(refused, start, stop),
		cmocka_unit_test_setup_teardown(bounds, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
