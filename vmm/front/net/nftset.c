/* SPDX-License-Identifier: Apache-2.0 */
#include "net/nftset.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/socket.h>

/* Of one change: what a socket takes by default. */
#define CHANGE_MAX (200u << 10)
/* Around the elements: headers, two names. */
#define MESSAGE_HEAD 128
/* An address of IPv6 in its attributes. */
#define ELEMENT_MAX 32
/* Answers carry no more than headers (NETLINK_CAP_ACK). */
#define ANSWERS 4096

/* ---- what is sent ---- */

static struct nl_msg *message(const struct nftset *s, size_t room, int type,
			      int flags, uint8_t family, uint16_t id)
{
	const struct nfgenmsg head = { .nfgen_family = family,
				       .version = NFNETLINK_V0,
				       .res_id = htons(id) };
	struct nl_msg *m = nlmsg_alloc_size(room);

	if (m && (!nlmsg_put(m, 0, s->seq, type, 0, NLM_F_REQUEST | flags) ||
		  nlmsg_append(m, (void *)(uintptr_t)&head, sizeof(head),
			       NLMSG_ALIGNTO) < 0)) {
		nlmsg_free(m);
		m = NULL;
	}
	return m;
}

static void append(struct nftset *s, struct nl_msg *m)
{
	const struct nlmsghdr *h = m ? nlmsg_hdr(m) : NULL;
	int r = h ? buf_append(&s->out, h, h->nlmsg_len) : -ENOMEM;

	if (s->bad == 0)
		s->bad = r;
	if (m)
		nlmsg_free(m);
}

static void append_mark(struct nftset *s, int type)
{
	append(s, message(s, MESSAGE_HEAD, type, 0, AF_UNSPEC,
			  NFNL_SUBSYS_NFTABLES));
}

static int put_element(struct nl_msg *m, const struct ip *ip)
{
	struct nlattr *elem = nla_nest_start(m, NFTA_LIST_ELEM);
	struct nlattr *key = elem ? nla_nest_start(m, NFTA_SET_ELEM_KEY) : NULL;

	if (!key || nla_put(m, NFTA_DATA_VALUE, ip->len, ip->b) < 0)
		return -ENOBUFS;
	nla_nest_end(m, key);
	nla_nest_end(m, elem);
	return 0;
}

static int put_elements(struct nl_msg *m, const char *table, const char *set,
			const struct ip *v, size_t n)
{
	struct nlattr *list;
	int r = 0;

	if (nla_put_string(m, NFTA_SET_ELEM_LIST_TABLE, table) < 0 ||
	    nla_put_string(m, NFTA_SET_ELEM_LIST_SET, set) < 0)
		return -ENOBUFS;
	list = nla_nest_start(m, NFTA_SET_ELEM_LIST_ELEMENTS);
	if (!list)
		return -ENOBUFS;
	for (size_t i = 0; i < n && r == 0; i++)
		r = put_element(m, &v[i]);
	nla_nest_end(m, list);
	return r;
}

static void put(struct nftset *s, int verb, int flags, const char *set,
		const struct ip *v, size_t n)
{
	struct nl_msg *m;

	if (n == 0)
		return;
	/* The length of a list has 16 bits. */
	if (n > UINT16_MAX / ELEMENT_MAX ||
	    strlen(set) + strlen(s->table) > (size_t)2 * NFTSET_NAME) {
		s->bad = -E2BIG;
		return;
	}
	if (buf_len(&s->out) == 0)
		append_mark(s, NFNL_MSG_BATCH_BEGIN);
	m = message(s, MESSAGE_HEAD + n * ELEMENT_MAX,
		    NFNL_SUBSYS_NFTABLES << 8 | verb, flags, NFPROTO_INET, 0);
	if (m && put_elements(m, s->table, set, v, n) < 0) {
		nlmsg_free(m);
		m = NULL;
	}
	s->last = buf_len(&s->out);
	append(s, m);
}

void nftset_add(struct nftset *s, const char *set, const struct ip *v, size_t n)
{
	put(s, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, v, n);
}

void nftset_delete(struct nftset *s, const char *set, const struct ip *v,
		   size_t n)
{
	put(s, NFT_MSG_DELSETELEM, 0, set, v, n);
}

/* ---- what comes back ---- */

/* 1: yes; 0: they are another's; or the first no. */
static int read_answers(const struct nftset *s, struct nlmsghdr *h, int len)
{
	int yes = 0;

	for (; nlmsg_ok(h, len); h = nlmsg_next(h, &len)) {
		const struct nlmsgerr *no = nlmsg_data(h);

		if (h->nlmsg_type != NLMSG_ERROR || h->nlmsg_seq != s->seq ||
		    nlmsg_datalen(h) < (int)sizeof(*no))
			continue;
		if (no->error)
			return no->error;
		yes = 1;
	}
	return yes;
}

/* Of the last one, so that silence is no success; what fails answers anyway. */
static void ask_for_answer(struct nftset *s)
{
	struct nlmsghdr h;

	memcpy(&h, buf_head(&s->out) + s->last, sizeof(h));
	h.nlmsg_flags |= NLM_F_ACK;
	memcpy(buf_head(&s->out) + s->last, &h, sizeof(h));
}

/* The kernel has done it, or not, and said so when send() comes back. */
static int exchange(struct nftset *s)
{
	_Alignas(struct nlmsghdr) uint8_t in[ANSWERS];
	int fd = nl_socket_get_fd(s->sk);
	int r = 0, yes = 0;
	ssize_t n;

	n = send(fd, buf_head(&s->out), buf_len(&s->out), MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	/* Even after a no, so that the next change reads its own. */
	while ((n = recv(fd, in, sizeof(in), MSG_DONTWAIT)) >= 0) {
		int got = read_answers(s, (struct nlmsghdr *)in, (int)n);

		yes |= got > 0;
		if (got < 0 && r == 0)
			r = got;
	}
	if (r == 0 && errno != EAGAIN)
		r = -errno;
	return r == 0 && !yes ? -EPROTO : r;
}

int nftset_commit(struct nftset *s, struct err *e)
{
	int r = 0;

	if (s->bad == 0 && buf_len(&s->out) > 0) {
		ask_for_answer(s);
		append_mark(s, NFNL_MSG_BATCH_END);
		r = s->bad ? s->bad : exchange(s);
	} else {
		r = s->bad;
	}
	buf_take(&s->out, buf_len(&s->out));
	s->bad = 0;
	s->seq++;
	return r < 0 ? err_set(e, -r, "nftables: addresses: %s", strerror(-r))
		     : 0;
}

/* ---- life ---- */

int nftset_open(struct nftset *s, const char *table, struct err *e)
{
	int r, on = 1;

	*s = (struct nftset){ .table = table, .seq = 1 };
	buf_init(&s->out, CHANGE_MAX);
	s->sk = nl_socket_alloc();
	r = s->sk ? nl_connect(s->sk, NETLINK_NETFILTER) : -NLE_NOMEM;
	if (r < 0) {
		nftset_close(s);
		return err_set(e, EIO, "nftables: netlink: %s", nl_geterror(r));
	}
	setsockopt(nl_socket_get_fd(s->sk), SOL_NETLINK, NETLINK_CAP_ACK, &on,
		   sizeof(on));
	if (fcntl(nl_socket_get_fd(s->sk), F_SETFD, FD_CLOEXEC) < 0) {
		err_sys(e, "nftables: netlink");
		nftset_close(s);
		return -e->code;
	}
	return 0;
}

void nftset_close(struct nftset *s)
{
	if (s->sk)
		nl_socket_free(s->sk);
	s->sk = NULL;
	buf_fini(&s->out);
}
