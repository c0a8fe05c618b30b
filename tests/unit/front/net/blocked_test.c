/* SPDX-License-Identifier: Apache-2.0 */
#include "net/blocked.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NO_HOOK 99u

static struct nl_msg *message(uint8_t family)
{
	struct nfgenmsg head = { .nfgen_family = family };
	struct nl_msg *m = nlmsg_alloc_simple(0, 0);

	assert_non_null(m);
	assert_int_equal(nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO),
			 0);
	return m;
}

static void see_chain(struct blocked *b, uint8_t family, const char *table,
		      const char *name, uint32_t hook, uint32_t policy)
{
	struct nl_msg *m = message(family);
	struct nlattr *nest;

	nla_put_string(m, NFTA_CHAIN_TABLE, table);
	nla_put_string(m, NFTA_CHAIN_NAME, name);
	if (hook != NO_HOOK) {
		nest = nla_nest_start(m, NFTA_CHAIN_HOOK);
		nla_put_u32(m, NFTA_HOOK_HOOKNUM, htonl(hook));
		nla_nest_end(m, nest);
		nla_put_u32(m, NFTA_CHAIN_POLICY, htonl(policy));
	}
	blocked_chain(b, nlmsg_hdr(m));
	nlmsg_free(m);
}

static void see_rule(struct blocked *b, const char *name, int len)
{
	struct nl_msg *m = message(NFPROTO_IPV4);
	struct nlattr *list, *expr;

	nla_put_string(m, NFTA_RULE_TABLE, "filter");
	list = nla_nest_start(m, NFTA_RULE_EXPRESSIONS);
	expr = nla_nest_start(m, NFTA_CMP_DATA);
	nla_put(m, NFTA_DATA_VALUE, len, name);
	nla_nest_end(m, expr);
	nla_nest_end(m, list);
	blocked_rule(b, nlmsg_hdr(m));
	nlmsg_free(m);
}

static void finds_who_drops_what_is_forwarded(void **state)
{
	struct blocked b = { .want = NFPROTO_IPV4 };
	char text[256];

	(void)state;
	see_chain(&b, NFPROTO_IPV4, "filter", "DOCKER", NO_HOOK, 0);
	see_chain(&b, NFPROTO_IPV4, "filter", "INPUT", NF_INET_LOCAL_IN,
		  NF_DROP);
	see_chain(&b, NFPROTO_IPV4, "other", "pass", NF_INET_FORWARD,
		  NF_ACCEPT);
	see_chain(&b, NFPROTO_IPV6, "filter", "FORWARD", NF_INET_FORWARD,
		  NF_DROP);
	/* An ingress hook has the forward hook's number in other families. */
	see_chain(&b, NFPROTO_BRIDGE, "br", "pass", NF_INET_FORWARD, NF_DROP);
	assert_string_equal(b.chain, "");
	see_chain(&b, NFPROTO_IPV4, "filter", "FORWARD", NF_INET_FORWARD,
		  NF_DROP);
	assert_string_equal(b.chain, "FORWARD");
	assert_string_equal(b.table, "filter");
	assert_string_equal(blocked_remedy(&b, text, sizeof(text)),
			    "iptables -I FORWARD -i vl+ -j ACCEPT; "
			    "iptables -I FORWARD -o vl+ -j ACCEPT");
}

static void says_it_for_other_tables(void **state)
{
	struct blocked b = { .want = NFPROTO_IPV4 };
	char text[256];

	(void)state;
	see_chain(&b, NFPROTO_INET, "mine", "pass", NF_INET_FORWARD, NF_DROP);
	assert_string_equal(
		blocked_remedy(&b, text, sizeof(text)),
		"nft insert rule inet mine pass iifname 'vl*' accept; "
		"nft insert rule inet mine pass oifname 'vl*' accept");
}

static void sees_each_family_for_itself(void **state)
{
	struct blocked b = { .want = NFPROTO_IPV6 };
	char text[256];

	(void)state;
	see_chain(&b, NFPROTO_IPV4, "filter", "FORWARD", NF_INET_FORWARD,
		  NF_DROP);
	assert_string_equal(b.chain, "");
	see_chain(&b, NFPROTO_IPV6, "filter", "FORWARD", NF_INET_FORWARD,
		  NF_DROP);
	assert_string_equal(blocked_remedy(&b, text, sizeof(text)),
			    "ip6tables -I FORWARD -i vl+ -j ACCEPT; "
			    "ip6tables -I FORWARD -o vl+ -j ACCEPT");
}

static void sees_that_it_was_helped(void **state)
{
	struct blocked b = { .want = NFPROTO_IPV4 };

	(void)state;
	see_rule(&b, "veth", 4);
	see_rule(&b, "vlan0", 5);
	assert_false(b.helped);
	see_rule(&b, "vl", 2);
	assert_true(b.helped);
}

static void takes_messages_without_what_it_looks_for(void **state)
{
	struct blocked b = { .want = NFPROTO_IPV4 };
	struct nl_msg *m = message(NFPROTO_IPV4);

	(void)state;
	blocked_chain(&b, nlmsg_hdr(m));
	blocked_rule(&b, nlmsg_hdr(m));
	nla_put_string(m, NFTA_CHAIN_TABLE, "t");
	nla_put_string(m, NFTA_CHAIN_NAME, "c");
	nla_put(m, NFTA_CHAIN_HOOK, 0, "");
	nla_put(m, NFTA_CHAIN_POLICY, 1, "");
	blocked_chain(&b, nlmsg_hdr(m));
	assert_string_equal(b.chain, "");
	assert_false(b.helped);
	nlmsg_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_who_drops_what_is_forwarded),
		cmocka_unit_test(says_it_for_other_tables),
		cmocka_unit_test(sees_each_family_for_itself),
		cmocka_unit_test(sees_that_it_was_helped),
		cmocka_unit_test(takes_messages_without_what_it_looks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
