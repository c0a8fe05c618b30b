/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/net.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The first link of a network namespace. */
#define LO_INDEX 1
#define MAC_LEN 6
/* More than this is no resolv.conf. */
#define RESOLV_MAX 4096

/* ---- netlink ---- */

/* A request of one fixed header and what put() adds behind it. 0 or -NLE_*. */
static int request(struct nl_sock *sk, int type, int flags, void *header,
		   size_t len, int (*put)(struct nl_msg *m, const void *arg),
		   const void *arg)
{
	struct nl_msg *m = nlmsg_alloc_simple(type, NLM_F_ACK | flags);
	int r = m ? nlmsg_append(m, header, len, NLMSG_ALIGNTO) : -NLE_NOMEM;

	if (r >= 0 && put)
		r = put(m, arg);
	if (r >= 0)
		r = nl_send_auto(sk, m);
	nlmsg_free(m);
	return r < 0 ? r : nl_wait_for_ack(sk);
}

static int put_mtu(struct nl_msg *m, const void *arg)
{
	uint32_t mtu = *(const uint32_t *)arg;

	return mtu ? nla_put_u32(m, IFLA_MTU, mtu) : 0;
}

static int link_up(struct nl_sock *sk, int index, uint32_t mtu)
{
	struct ifinfomsg link = {
		.ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};

	return request(sk, RTM_NEWLINK, 0, &link, sizeof(link), put_mtu, &mtu);
}

static int put_address(struct nl_msg *m, const void *arg)
{
	const Vial__Agent__Address *a = arg;
	const ProtobufCBinaryData *raw = &a->address;
	/* It is ours alone: nobody needs to be asked whether he has it. */
	uint32_t flags = (raw->len == 16 ? IFA_F_NODAD : 0) |
			 (a->routed ? IFA_F_NOPREFIXROUTE : 0);
	int r = nla_put(m, IFA_LOCAL, (int)raw->len, raw->data);

	if (r >= 0)
		r = nla_put(m, IFA_ADDRESS, (int)raw->len, raw->data);
	return r < 0 ? r : nla_put_u32(m, IFA_FLAGS, flags);
}

static int family(const ProtobufCBinaryData *a)
{
	return a->len == 4 ? AF_INET : AF_INET6;
}

static int add_address(struct nl_sock *sk, int index,
		       const Vial__Agent__Address *a)
{
	struct ifaddrmsg h = {
		.ifa_family = (unsigned char)family(&a->address),
		.ifa_prefixlen = (unsigned char)a->prefix,
		.ifa_index = (unsigned)index,
	};

	return request(sk, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &h,
		       sizeof(h), put_address, a);
}

struct way {
	const ProtobufCBinaryData *to; /* NULL: everything */
	const ProtobufCBinaryData *gateway;
	int index;
};

static int put_way(struct nl_msg *m, const void *arg)
{
	const struct way *w = arg;
	int r = nla_put(m, RTA_GATEWAY, (int)w->gateway->len, w->gateway->data);

	if (r >= 0 && w->to)
		r = nla_put(m, RTA_DST, (int)w->to->len, w->to->data);
	return r < 0 ? r : nla_put_u32(m, RTA_OIF, (uint32_t)w->index);
}

static int add_way(struct nl_sock *sk, const struct way *w, uint32_t prefix)
{
	struct rtmsg h = {
		.rtm_family = (unsigned char)family(w->gateway),
		.rtm_dst_len = (unsigned char)prefix,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = RTNH_F_ONLINK,
	};

	return request(sk, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &h,
		       sizeof(h), put_way, w);
}

static int add_ways(struct nl_sock *sk, int index, const Vial__Agent__Link *l)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < l->n_gateways; i++) {
		const struct way w = { NULL, &l->gateways[i], index };

		r = add_way(sk, &w, 0);
	}
	for (size_t i = 0; r >= 0 && i < l->n_routes; i++) {
		const Vial__Agent__Route *to = l->routes[i];
		const struct way w = { &to->to, &to->gateway, index };

		r = add_way(sk, &w, to->prefix);
	}
	return r;
}

/* ---- links ---- */

struct search {
	const uint8_t *mac;
	int index; /* 0: not found */
};

static int found_link(struct nl_msg *m, void *arg)
{
	struct nlmsghdr *h = nlmsg_hdr(m);
	const struct ifinfomsg *link = nlmsg_data(h);
	struct search *s = arg;
	struct nlattr *a = nlmsg_find_attr(h, sizeof(*link), IFLA_ADDRESS);

	if (a && nla_len(a) == MAC_LEN && link->ifi_index != LO_INDEX &&
	    memcmp(nla_data(a), s->mac, MAC_LEN) == 0)
		s->index = link->ifi_index;
	return NL_OK;
}

static int find_link(struct nl_sock *sk, const uint8_t *mac)
{
	struct rtgenmsg all = { .rtgen_family = AF_UNSPEC };
	struct search s = { .mac = mac };
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int r;

	if (!cb)
		return -NLE_NOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, found_link, &s);
	r = nl_send_simple(sk, RTM_GETLINK, NLM_F_DUMP, &all, sizeof(all));
	if (r >= 0)
		r = nl_recvmsgs(sk, cb);
	nl_cb_put(cb);
	if (r < 0)
		return r;
	return s.index ? s.index : -NLE_NODEV;
}

static bool is_address(const ProtobufCBinaryData *a, uint32_t prefix)
{
	return (a->len == 4 || a->len == 16) && prefix <= 8 * a->len;
}

static int check_link(const Vial__Agent__Link *l, struct err *e)
{
	bool ok = l->mac.len == MAC_LEN;

	for (size_t i = 0; i < l->n_addresses; i++)
		ok = ok && is_address(&l->addresses[i]->address,
				      l->addresses[i]->prefix);
	for (size_t i = 0; i < l->n_gateways; i++)
		ok = ok && is_address(&l->gateways[i], 0);
	for (size_t i = 0; i < l->n_routes; i++)
		ok = ok && is_address(&l->routes[i]->gateway, 0) &&
		     is_address(&l->routes[i]->to, l->routes[i]->prefix) &&
		     l->routes[i]->to.len == l->routes[i]->gateway.len;
	return ok ? 0 : err_set(e, EINVAL, "not an interface");
}

static int set_link(struct nl_sock *sk, const Vial__Agent__Link *l)
{
	int index = find_link(sk, l->mac.data), r;

	if (index < 0)
		return index;
	r = link_up(sk, index, l->mtu);
	for (size_t i = 0; r >= 0 && i < l->n_addresses; i++)
		r = add_address(sk, index, l->addresses[i]);
	return r < 0 ? r : add_ways(sk, index, l);
}

static int up(struct nl_sock *sk, const Vial__Agent__Link *l, struct err *e)
{
	int r;

	if (check_link(l, e) < 0)
		return -e->code;
	r = set_link(sk, l);
	return r < 0 ? err_set(e, EIO, "%s", nl_geterror(r)) : 0;
}

static int all_up(struct nl_sock *sk, Vial__Agent__Link *const *links, size_t n,
		  struct err *e)
{
	int r = nl_connect(sk, NETLINK_ROUTE);

	if (r >= 0)
		r = link_up(sk, LO_INDEX, 0);
	if (r < 0)
		return err_set(e, EIO, "lo: %s", nl_geterror(r));
	for (size_t i = 0; i < n; i++)
		if (up(sk, links[i], e) < 0)
			return err_wrap(e, "network interface %zu", i);
	return 0;
}

int net_up(Vial__Agent__Link *const *links, size_t n, struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r;

	if (!sk)
		return err_set(e, ENOMEM, "out of memory");
	r = all_up(sk, links, n, e);
	nl_socket_free(sk);
	return r;
}

int net_add(const Vial__Agent__Link *l, struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r = sk ? nl_connect(sk, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0)
		err_set(e, EIO, "netlink: %s", nl_geterror(r));
	else
		r = up(sk, l, e);
	nl_socket_free(sk);
	return r < 0 ? -e->code : 0;
}

/* ---- names ---- */

static bool plain(const char *s)
{
	return *s && !s[strcspn(s, " \t\r\n#;")];
}

/* "WORD a b c", or one line for each. */
static int put_words(FILE *f, const char *word, char **v, size_t n,
		     bool one_line)
{
	for (size_t i = 0; i < n; i++) {
		if (!plain(v[i]))
			return -EINVAL;
		if (i == 0 || !one_line)
			fputs(word, f);
		fprintf(f, " %s%s", v[i], !one_line || i + 1 == n ? "\n" : "");
	}
	return 0;
}

int net_resolver(const char *path, const Vial__Agent__Resolver *r,
		 struct err *e)
{
	char text[RESOLV_MAX] = "";
	autoclose int fd = -1;
	FILE *f;
	int n;

	if (!r)
		return 0;
	f = fmemopen(text, sizeof(text), "w");
	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	n = put_words(f, "nameserver", r->servers, r->n_servers, false);
	if (n == 0)
		n = put_words(f, "search", r->search, r->n_search, true);
	if (n == 0)
		n = put_words(f, "options", r->options, r->n_options, true);
	if (fclose(f) != 0 || n < 0)
		return err_set(e, EINVAL,
			       "%s: a name or address that cannot "
			       "stand in it",
			       path);
	/* An image may have a link there, to where nobody writes it. */
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || fd_write_full(fd, text, strlen(text)) < 0)
		return err_sys(e, "%s", path);
	return 0;
}
