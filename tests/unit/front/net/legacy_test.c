/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of iptables-legacy: made by hand, and by the program in a network
 * namespace of the test's own, where there is one to be had. */
#include "net/legacy.h"

#include "net/blocked.h"

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct rule4 {
	struct ipt_entry e;
	struct xt_standard_target t;
};

struct rule6 {
	struct ip6t_entry e;
	struct xt_standard_target t;
};

static struct rule4 rule4(const char *in, const char *out, int verdict)
{
	struct rule4 r = { .e.target_offset = sizeof(r.e),
			   .e.next_offset = sizeof(r),
			   .t.verdict = -verdict - 1 };

	memcpy(r.e.ip.iniface, in, strlen(in));
	memcpy(r.e.ip.outiface, out, strlen(out));
	return r;
}

static bool drops4(const struct rule4 *v, size_t n, size_t policy)
{
	return legacy_table_drops(NFPROTO_IPV4, (const uint8_t *)v,
				  n * sizeof(*v), policy * sizeof(*v));
}

static void the_policy_counts(void **state)
{
	struct rule4 v[3] = { rule4("", "", NF_ACCEPT),
			      rule4("eth0", "", NF_DROP),
			      rule4("", "", NF_DROP) };

	(void)state;
	assert_true(drops4(v, 3, 2));
	assert_false(drops4(v, 3, 0));
	/* A chain of its own is no policy. */
	memcpy(v[2].t.target.u.user.name, "ERROR", 5);
	assert_false(drops4(v, 3, 2));
}

static void a_rule_of_ours_helps(void **state)
{
	struct rule4 v[3] = { rule4("vlan+", "vl0", NF_ACCEPT),
			      rule4("", "", NF_ACCEPT),
			      rule4("", "", NF_DROP) };

	(void)state;
	assert_true(drops4(v, 3, 2));
	v[1] = rule4("", "vl+", NF_ACCEPT);
	assert_false(drops4(v, 3, 2));
	v[1] = rule4("vl+", "", NF_ACCEPT);
	assert_false(drops4(v, 3, 2));
}

static void of_six_too(void **state)
{
	struct rule6 v[2] = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		v[i].e.target_offset = sizeof(v->e);
		v[i].e.next_offset = sizeof(*v);
		v[i].t.verdict = -NF_DROP - 1;
	}
	assert_true(legacy_table_drops(NFPROTO_IPV6, (uint8_t *)v, sizeof(v),
				       sizeof(*v)));
	memcpy(v[0].e.ipv6.iniface, "vl+", 3);
	assert_false(legacy_table_drops(NFPROTO_IPV6, (uint8_t *)v, sizeof(v),
					sizeof(*v)));
}

/* Every offset is looked at before it is followed. */
static void ends_with_the_table(void **state)
{
	struct rule4 v[2] = { rule4("", "", NF_ACCEPT),
			      rule4("", "", NF_DROP) };
	struct rule4 *heap = malloc(sizeof(v));

	(void)state;
	assert_non_null(heap);
	v[0].e.next_offset = 0;
	memcpy(heap, v, sizeof(v));
	assert_true(drops4(heap, 2, 1));
	heap[0].e.next_offset = UINT16_MAX;
	assert_true(drops4(heap, 2, 1));
	assert_false(drops4(heap, 2, 2));
	assert_false(drops4(heap, 2, 3));
	heap[1].e.target_offset = sizeof(v) - 4;
	assert_false(drops4(heap, 2, 1));
	free(heap);
}

static void asks_the_kernel(void **state)
{
	char text[256];
	struct blocked b;
	struct err e;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0 ||
	    system("iptables-legacy -P FORWARD DROP 2>/dev/null") != 0)
		skip();
	assert_true(legacy_drops(NFPROTO_IPV4));
	assert_false(legacy_drops(NFPROTO_IPV6));
	assert_int_equal(blocked_find(&b, NFPROTO_IPV4, &e), 0);
	assert_string_equal(b.chain, "FORWARD");
	assert_string_equal(blocked_remedy(&b, text, sizeof(text)),
			    "iptables-legacy -I FORWARD -i vl+ -j ACCEPT; "
			    "iptables-legacy -I FORWARD -o vl+ -j ACCEPT");
	/* What it says helps. */
	assert_int_equal(system(text), 0);
	assert_int_equal(blocked_find(&b, NFPROTO_IPV4, &e), 0);
	assert_string_equal(b.chain, "");
	assert_int_equal(system("ip6tables-legacy -P FORWARD DROP"), 0);
	assert_true(legacy_drops(NFPROTO_IPV6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_policy_counts),
		cmocka_unit_test(a_rule_of_ours_helps),
		cmocka_unit_test(of_six_too),
		cmocka_unit_test(ends_with_the_table),
		cmocka_unit_test(asks_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
