/* SPDX-License-Identifier: Apache-2.0 */
/* The policy as rules that a kernel takes, in a network namespace of the
 * test's own; skipped where there is none to be had. */
#include "net/egress.h"

#include "base/auto.h"
#include "net/link.h"
#include "net/policy_nft.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct err e;
static bool have_namespace;
static struct egress_conf conf;
static struct policy p;
static struct policy_nft nft;

static int namespace(void **state)
{
	(void)state;
	have_namespace =
		unshare(CLONE_NEWNET) == 0 &&
		system("ip link set lo up && ip tuntap add dev " EGRESS_TAP
		       " mode tap && ip addr add 10.0.2.2/24 dev " EGRESS_TAP
		       " && ip link set " EGRESS_TAP " up") == 0;
	return 0;
}

static int start(void **state)
{
	(void)state;
	conf = (struct egress_conf)EGRESS_CONF_INIT;
	memcpy(conf.mac, "\2\0\0\0\0\1", sizeof(conf.mac));
	ip_parse("10.0.2.15", &conf.guest4);
	ip_parse("10.0.2.2", &conf.resolver4);
	policy_init(&p);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	policy_nft_close(&nft);
	policy_fini(&p);
	if (have_namespace)
		return system("nft flush ruleset");
	return 0;
}

static void load(const char *list)
{
	assert_int_equal(policy_add(&p, list, &e), 0);
	assert_int_equal(policy_end(&p, &e), 0);
	if (policy_nft_open(&nft, &conf, &p, &e) < 0)
		fail_msg("%s", e.msg);
}

/* grep -c in what the kernel has. */
static int count(const char *what)
{
	char cmd[256];
	FILE *f;
	int n = -1;

	snprintf(cmd, sizeof(cmd), "nft -n list ruleset | grep -c '%s'", what);
	f = popen(cmd, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%d", &n), 1);
	pclose(f);
	return n;
}

static void text(void **state)
{
	static const struct egress_port ports[] = { { false, 80 },
						    { true, 53 } };
	struct buf out;
	const char *t;

	(void)state;
	conf.ports = ports;
	conf.nports = 2;
	assert_int_equal(
		policy_add(&p, "a.test:443/tcp b.test:0 10.1.0.0/16", &e), 0);
	assert_int_equal(policy_end(&p, &e), 0);
	buf_init(&out, 1 << 20);
	assert_int_equal(policy_nft_text(&conf, &p, &out), 0);
	assert_int_equal(buf_append(&out, "", 1), 0);
	t = (char *)buf_head(&out);
	assert_non_null(strstr(t, "ether saddr != 02:00:00:00:00:01 drop\n"));
	assert_non_null(strstr(t, "ip saddr 10.0.2.15 accept\n"));
	assert_null(strstr(t, "ip6 saddr"));
	assert_non_null(strstr(t, "ip daddr @open0_4 meta l4proto tcp th dport "
				  "443-443 accept\n"));
	assert_null(strstr(t, "daddr @open1_4")); /* port 0 */
	/* Named comes before closed, closed before what names opened. */
	assert_true(strstr(t, "@named2_4 accept") < strstr(t, "@closed0_4"));
	assert_true(strstr(t, "@closed0_4 goto") < strstr(t, "@open0_4 meta"));
	assert_non_null(strstr(t, "\"" EGRESS_UP "\" tcp dport 80 accept\n"));
	assert_non_null(strstr(t, "\"" EGRESS_UP "\" udp dport 53 accept\n"));
	/* What is asked through doors is tracked, names are not. */
	assert_non_null(strstr(t, "ct direction reply accept\n"));
	assert_non_null(strstr(t, "th dport 53 notrack\n"));
	assert_non_null(strstr(t, "th sport 53 notrack\n"));
	/* The tap of a network joined later leads there, or nowhere. */
	assert_non_null(strstr(t, "\"vial8\" . \"net8\" } goto late\n"
				  "iifname \"vial*\" goto refuse\n"));
	assert_non_null(strstr(t, "\"net8\" . \"vial8\" } accept\n"));
	assert_null(strstr(t, "\"net*\""));
	buf_fini(&out);
	/* No room is told, not cut. */
	buf_init(&out, 500);
	assert_int_equal(policy_nft_text(&conf, &p, &out), -ENOBUFS);
	buf_fini(&out);
}

/* Of IPv6 only what its own address sends, and what finds neighbours. */
static void text_of_six(void **state)
{
	struct buf out;
	const char *t, *drop;

	(void)state;
	ip_parse("fd00::2", &conf.guest6);
	ip_parse("fd00::1", &conf.resolver6);
	assert_int_equal(policy_add(&p, "a.test:443/tcp [2001:db8::1]:80", &e),
			 0);
	assert_int_equal(policy_end(&p, &e), 0);
	buf_init(&out, 1 << 20);
	assert_int_equal(policy_nft_text(&conf, &p, &out), 0);
	assert_int_equal(buf_append(&out, "", 1), 0);
	t = (char *)buf_head(&out);
	drop = strstr(t, "icmpv6 type { nd-router-advert, nd-redirect } drop");
	assert_non_null(drop);
	assert_true(drop < strstr(t, "ip6 saddr fd00::2 accept\n"));
	assert_non_null(strstr(t, "ip6 daddr @open0_6 meta l4proto tcp th "
				  "dport 443-443 accept\n"));
	assert_true(strstr(t, "@named1_6 meta") < strstr(t, "@closed0_6 goto"));
	assert_non_null(strstr(t, "ip6 daddr fd00::1 meta l4proto { tcp, udp } "
				  "th dport 53 accept\n"));
	buf_fini(&out);
}

static void kernel_takes_it(void **state)
{
	struct policy_nft_change change[] = { { .open = 5 }, { .open = 1 } };

	(void)state;
	if (!have_namespace)
		skip();
	ip_parse("fd00::2", &conf.guest6);
	ip_parse("fd00::1", &conf.resolver6);
	load("a.test:443 b.test 10.1.0.0/16:5432/tcp *.c.test:8000-8010/udp "
	     "[fd01::/64]:80 10.1.2.0/24:5432/tcp 0.0.0.0/0:22 [::/0]:22");
	ip_parse("192.0.2.1", &change[0].ip);
	ip_parse("2001:db8::1", &change[1].ip);
	assert_int_equal(policy_nft_change(&nft, change, 2, &e), 0);
	assert_int_equal(count("192.0.2.1"), 2);
	assert_int_equal(count("2001:db8::1"), 1);
	/* Again is no mistake. */
	assert_int_equal(policy_nft_change(&nft, change, 2, &e), 0);
	change[0] = (struct policy_nft_change){ .ip = change[0].ip, .shut = 4 };
	assert_int_equal(policy_nft_change(&nft, change, 1, &e), 0);
	assert_int_equal(count("192.0.2.1"), 1);
	/* Nor is shutting what is not open: the other goes all the same. */
	change[1] = (struct policy_nft_change){ .ip = change[1].ip, .shut = 1 };
	assert_int_equal(policy_nft_change(&nft, change, 2, &e), 0);
	assert_int_equal(count("192.0.2.1"), 1);
	assert_int_equal(count("2001:db8::1"), 0);
	/* All or nothing: there is no class 40. */
	change[0].shut = 1;
	change[1].shut = 1ull << 40;
	assert_true(policy_nft_change(&nft, change, 2, &e) < 0);
	assert_int_equal(count("192.0.2.1"), 1);
	/* What was said of it is not taken for what comes next. And the same
	 * twice is once. */
	change[1] = change[0];
	assert_int_equal(policy_nft_change(&nft, change, 2, &e), 0);
	assert_int_equal(count("192.0.2.1"), 0);
}

/* As many as an answer may have, for several classes: one change. */
static void many_at_once(void **state)
{
	static struct policy_nft_change change[POLICY_NFT_CHANGES + 1];
	const uint64_t all = 7;

	(void)state;
	if (!have_namespace)
		skip();
	load("a.test:443 b.test c.test:1/udp");
	for (size_t i = 0; i < ARRAY_LEN(change); i++) {
		change[i] = (struct policy_nft_change){ .open = all };
		ip_parse(i % 2 ? "2001:db8::aa00" : "203.0.113.0",
			 &change[i].ip);
		change[i].ip.b[i % 2 ? 15 : 3] = (uint8_t)(i + 1);
	}
	assert_true(policy_nft_change(&nft, change, ARRAY_LEN(change), &e) < 0);
	assert_int_equal(count("203.0.113"), 0);
	assert_int_equal(
		policy_nft_change(&nft, change, POLICY_NFT_CHANGES, &e), 0);
	assert_int_equal(count("203.0.113.127"), 3);
	assert_int_equal(count("2001:db8::aa80"), 3);
	for (size_t i = 0; i < ARRAY_LEN(change); i++) {
		change[i].shut = all;
		change[i].open = 0;
	}
	assert_int_equal(
		policy_nft_change(&nft, change, POLICY_NFT_CHANGES, &e), 0);
	assert_int_equal(count("203.0.113"), 0);
	assert_int_equal(count("2001:db8"), 0);
}

static void whole(void **state)
{
	static const char *const list[] = { "all", "10.1.0.0/16", "a.test:1" };
	struct egress *eg;
	struct loop loop;

	(void)state;
	if (!have_namespace)
		skip();
	conf.list = list;
	conf.nlist = 3;
	conf.log_fd = STDERR_FILENO;
	ip_parse("127.0.0.1", &conf.server[0]);
	conf.nservers = 1;
	assert_int_equal(egress_new(&eg, &conf, &e), 0);
	if (egress_setup(eg, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(loop_init(&loop, NULL, &e), 0);
	assert_int_equal(egress_start(eg, &loop, &e), 0);
	assert_int_equal(count("@named0_4 accept"), 1);
	assert_int_equal(count("@open0_4 "), 0); /* all needs none */
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_once(&loop, 10), 0);
	egress_stop(eg);
	egress_free(eg);
	loop_fini(&loop);
}

static void refused(void **state)
{
	static const char *const bad[] = { "a.test", "b..test" };
	static const char *const empty[] = { "# nothing" };
	struct egress *eg = NULL;

	(void)state;
	conf.list = bad;
	conf.nlist = 2;
	assert_true(egress_new(&eg, &conf, &e) < 0);
	assert_non_null(strstr(e.msg, "b..test"));
	conf.list = empty;
	conf.nlist = 1;
	assert_true(egress_new(&eg, &conf, &e) < 0);
	assert_null(eg);
}

/* Servers and addresses of a host. */
static void host(void **state)
{
	char path[] = "/tmp/egress_test.XXXXXX";
	static const char conf_text[] = "# c\nsearch a.test\n"
					"nameserver 192.0.2.1 \n"
					"nameserver\n  nameserver\t::1\n"
					"nameserver fe80::1%eth0\n"
					"nameserver 192.0.2.3\n"
					"nameserver 192.0.2.4\n";
	autoclose int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, conf_text, sizeof(conf_text) - 1),
			 sizeof(conf_text) - 1);
	assert_int_equal(egress_conf_host(&conf, path, &e), 0);
	unlink(path);
	assert_int_equal(conf.nservers, 3);
	assert_int_equal(conf.server[1].len, 16);
	assert_int_equal(conf.server[2].b[3], 3);
	/* It is not there: no servers, and no failure. */
	conf.nservers = 0;
	assert_int_equal(egress_conf_host(&conf, path, &e), 0);
	assert_int_equal(conf.nservers, 0);
	for (size_t i = 0; i < conf.nhost; i++)
		assert_false(policy_ip_closed(&p, &conf.host[i].ip));
}

static bool host_has(const char *text)
{
	struct ip_range r;

	assert_true(ip_range_parse(text, &r));
	for (size_t i = 0; i < conf.nhost; i++)
		if (conf.host[i].prefix == r.prefix &&
		    ip_equal(&conf.host[i].ip, &r.ip))
			return true;
	return false;
}

/* Neighbours of the host are not the internet. */
static void links_of_six(void **state)
{
	struct in6_addr a = { { { 0x20, 1, 0xd, 0xb8, 0, 1, [15] = 1 } } };
	struct in6_addr b = { { { 0x20, 1, 0xd, 0xb8, 0, 2, [15] = 1 } } };
	struct nl_sock *sk;

	(void)state;
	if (!have_namespace)
		skip();
	sk = link_open(&e);
	assert_non_null(sk);
	if (link_address6(sk, "lo", &a, 64, &e) < 0) {
		link_close(sk);
		skip();
	}
	assert_int_equal(link_address6(sk, "lo", &b, 3, &e), 0);
	assert_int_equal(link_address(sk, "lo", 0xc6336401, 24, &e), 0);
	link_close(sk);
	conf.nhost = 0;
	assert_int_equal(egress_conf_host(&conf, "/none", &e), 0);
	assert_true(host_has("2001:db8:1::/64"));
	assert_true(host_has("2001:db8:2::/48"));
	assert_true(host_has("198.51.100.1"));
	assert_int_equal(conf.nhost, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text, start, stop),
		cmocka_unit_test_setup_teardown(text_of_six, start, stop),
		cmocka_unit_test_setup_teardown(kernel_takes_it, start, stop),
		cmocka_unit_test_setup_teardown(many_at_once, start, stop),
		cmocka_unit_test_setup_teardown(whole, start, stop),
		cmocka_unit_test_setup_teardown(refused, start, stop),
		cmocka_unit_test_setup_teardown(host, start, stop),
		cmocka_unit_test_setup_teardown(links_of_six, start, stop),
	};

	return cmocka_run_group_tests(tests, namespace, NULL);
}
