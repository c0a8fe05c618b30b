/* SPDX-License-Identifier: Apache-2.0 */
#include "net/blocked.h"

#include "base/auto.h"
#include "net/addr.h"
#include "net/legacy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>

/* ---- what the kernel says ---- */

static struct nlattr *attr(struct nlmsghdr *h, int type)
{
	return nlmsg_find_attr(h, sizeof(struct nfgenmsg), type);
}

static uint32_t number(const struct nlattr *a, uint32_t missing)
{
	return a && nla_len(a) == sizeof(uint32_t) ? ntohl(nla_get_u32(a))
						   : missing;
}

void blocked_chain(struct blocked *b, struct nlmsghdr *h)
{
	const struct nfgenmsg *head = nlmsg_data(h);
	struct nlattr *hook = attr(h, NFTA_CHAIN_HOOK);
	const struct nlattr *table = attr(h, NFTA_CHAIN_TABLE);
	const struct nlattr *name = attr(h, NFTA_CHAIN_NAME);
	uint32_t at;

	if (*b->chain || !hook || !table || !name ||
	    (head->nfgen_family != b->want &&
	     head->nfgen_family != NFPROTO_INET))
		return;
	at = number(nla_find(nla_data(hook), nla_len(hook), NFTA_HOOK_HOOKNUM),
		    ~0u);
	if (at != NF_INET_FORWARD ||
	    number(attr(h, NFTA_CHAIN_POLICY), NF_ACCEPT) != NF_DROP)
		return;
	b->family = head->nfgen_family;
	nla_strlcpy(b->table, table, sizeof(b->table));
	nla_strlcpy(b->chain, name, sizeof(b->chain));
}

/* A comparison with the begin of a name: an attribute of these two bytes. */
void blocked_rule(struct blocked *b, struct nlmsghdr *h)
{
	const struct nlattr *list = attr(h, NFTA_RULE_EXPRESSIONS);
	struct {
		struct nlattr head;
		char name[sizeof(HOST_LINK) - 1];
	} want = { { NLA_HDRLEN + sizeof(HOST_LINK) - 1, NFTA_DATA_VALUE },
		   HOST_LINK };

	if (list && memmem(nla_data(list), (size_t)nla_len(list), &want,
			   want.head.nla_len))
		b->helped = true;
}

/* ---- asking ---- */

struct dump {
	struct blocked *b;
	void (*take)(struct blocked *b, struct nlmsghdr *h);
};

static int got(struct nl_msg *m, void *arg)
{
	const struct dump *d = arg;

	d->take(d->b, nlmsg_hdr(m));
	return NL_OK;
}

static int dump(struct nl_sock *sk, int what, const char *table, struct dump *d)
{
	struct nfgenmsg head = { .nfgen_family = d->b->family };
	struct nl_msg *m = nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | what,
					      NLM_F_DUMP);
	int r = m ? nlmsg_append(m, &head, sizeof(head), NLMSG_ALIGNTO)
		  : -NLE_NOMEM;

	if (r >= 0 && table)
		r = nla_put_string(m, NFTA_RULE_TABLE, table);
	if (r >= 0)
		r = nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, got, d);
	if (r >= 0)
		r = nl_send_auto(sk, m);
	nlmsg_free(m);
	return r < 0 ? r : nl_recvmsgs_default(sk);
}

int blocked_find(struct blocked *b, uint8_t want, struct err *e)
{
	struct dump chains = { b, blocked_chain }, rules = { b, blocked_rule };
	struct nl_sock *sk = nl_socket_alloc();
	int r = sk ? nl_connect(sk, NETLINK_NETFILTER) : -NLE_NOMEM;

	*b = (struct blocked){ .want = want, .family = NFPROTO_UNSPEC };
	if (r >= 0)
		r = dump(sk, NFT_MSG_GETCHAIN, NULL, &chains);
	if (r >= 0 && *b->chain)
		r = dump(sk, NFT_MSG_GETRULE, b->table, &rules);
	nl_socket_free(sk);
	if (b->helped)
		*b->chain = *b->table = '\0';
	if (!*b->chain && legacy_drops(want)) {
		*b = (struct blocked){ want, want, "filter", "FORWARD",
				       .legacy = true };
		return 0;
	}
	return r < 0 ? err_set(e, EIO, "nftables: %s", nl_geterror(r)) : 0;
}

char *blocked_remedy(const struct blocked *b, char *out, size_t room)
{
	const char *six = b->want == NFPROTO_IPV6 ? "6" : "";
	const char *kind = b->legacy ? "-legacy" : "";
	const char *family = b->family == NFPROTO_INET ? "inet"
			   : *six		       ? "ip6"
						       : "ip";

	if (strcmp(b->table, "filter") == 0 && strcmp(b->chain, "FORWARD") == 0)
		snprintf(out, room,
			 "ip%stables%s -I FORWARD -i " HOST_LINK
			 "+ -j ACCEPT; ip%stables%s -I FORWARD -o " HOST_LINK
			 "+ -j ACCEPT",
			 six, kind, six, kind);
	else
		snprintf(
			out, room,
			"nft insert rule %s %s %s iifname '" HOST_LINK
			"*' accept; nft insert rule %s %s %s oifname '" HOST_LINK
			"*' accept",
			family, b->table, b->chain, family, b->table, b->chain);
	return out;
}
