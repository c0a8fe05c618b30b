/* SPDX-License-Identifier: Apache-2.0 */
#include "net/flows.h"

#include "base/auto.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/netfilter/ct.h>
#include <netlink/netfilter/log.h>
#include <netlink/netfilter/log_msg.h>
#include <netlink/netfilter/nfnl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

/* Read in one go. */
#define MESSAGES 64
#define RECV_BUF (1 << 20)
#define SNAP	 80
/* More than the kernel says of a connection, or of a packet and its SNAP. */
#define MESSAGE_MAX 16384

struct source {
	struct watch watch;
	struct nl_sock *sk;
	struct flows *f;
};

struct flows {
	struct flows_ops ops;
	struct loop *loop;
	struct ip guest4, guest6, later[FLOWS_LATER]; /* len 0: none */
	struct source ended, refused;
	struct nl_sock *dump;
	bool open; /* connections of a dump have not ended */
};

/* ---- what the kernel says ---- */

static bool to_ip(const struct nl_addr *a, struct ip *ip)
{
	unsigned len = a ? nl_addr_get_len(a) : 0;

	*ip = (struct ip){ 0 };
	if (len != 4 && len != 16)
		return false;
	ip->len = (uint8_t)len;
	memcpy(ip->b, nl_addr_get_binary_addr(a), len);
	return true;
}

static uint64_t when(struct nlattr *in, int type)
{
	struct nlattr *a = nla_find(nla_data(in), nla_len(in), type);

	return a && nla_len(a) == 8 ? be64toh(nla_get_u64(a)) : 0;
}

/* libnl 3.7 has functions for this that find nothing. */
static uint64_t age_ms(struct nl_msg *msg)
{
	struct nlattr *a = nlmsg_find_attr(
		nlmsg_hdr(msg), sizeof(struct nfgenmsg), CTA_TIMESTAMP);
	struct timespec now;
	uint64_t start, stop;

	if (!a)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	start = when(a, CTA_TIMESTAMP_START);
	stop = when(a, CTA_TIMESTAMP_STOP);
	if (!stop)
		stop = (uint64_t)now.tv_sec * 1000000000 +
		       (uint64_t)now.tv_nsec;
	return start && stop > start ? (stop - start) / 1000000 : 0;
}

/* Both ends may still send; the kernel remembers others for a while. */
static bool alive(const struct nfnl_ct *ct)
{
	uint8_t state = nfnl_ct_get_tcp_state(ct);

	return nfnl_ct_test_tcp_state(ct) &&
	       (state <= TCP_CONNTRACK_ESTABLISHED ||
		state == TCP_CONNTRACK_SYN_SENT2);
}

static bool is_guest(const struct flows *f, const struct ip *from)
{
	for (size_t i = 0; i < FLOWS_LATER; i++)
		if (ip_equal(from, &f->later[i]))
			return true;
	return ip_equal(from, &f->guest4) || ip_equal(from, &f->guest6);
}

static int got_conn(struct nl_msg *msg, void *arg)
{
	struct flows *f = arg;
	struct egresslog_conn c = { 0 };
	struct nfnl_ct *ct;
	struct ip from;

	if (nfnlmsg_ct_parse(nlmsg_hdr(msg), &ct) < 0)
		return NL_SKIP;
	if (to_ip(nfnl_ct_get_src(ct, 0), &from) &&
	    to_ip(nfnl_ct_get_dst(ct, 0), &c.ip) && is_guest(f, &from)) {
		c.proto = nfnl_ct_get_proto(ct);
		if (nfnl_ct_test_dst_port(ct, 0))
			c.port = nfnl_ct_get_dst_port(ct, 0);
		if (nfnl_ct_test_bytes(ct, 0))
			c.sent = nfnl_ct_get_bytes(ct, 0);
		if (nfnl_ct_test_bytes(ct, 1))
			c.received = nfnl_ct_get_bytes(ct, 1);
		c.ms = age_ms(msg);
		c.open = f->open && alive(ct);
		f->ops.ended(f->ops.ctx, &c);
	}
	nfnl_ct_put(ct);
	return NL_OK;
}

bool flows_packet(const uint8_t *p, size_t len, struct egresslog_conn *c)
{
	size_t head;

	*c = (struct egresslog_conn){ 0 };
	if (len >= 20 && p[0] >> 4 == 4) {
		head = 4 * (size_t)(p[0] & 15);
		c->proto = p[9];
		c->ip.len = 4;
		memcpy(c->ip.b, p + 16, 4);
	} else if (len >= 40 && p[0] >> 4 == 6) {
		head = 40;
		c->proto = p[6];
		c->ip.len = 16;
		memcpy(c->ip.b, p + 24, 16);
	} else {
		return false;
	}
	if ((c->proto == IPPROTO_TCP || c->proto == IPPROTO_UDP) &&
	    head + 4 <= len)
		c->port = (uint16_t)(p[head + 2] << 8 | p[head + 3]);
	return true;
}

static int got_packet(struct nl_msg *msg, void *arg)
{
	struct flows *f = arg;
	struct egresslog_conn c;
	struct nfnl_log_msg *m;
	const uint8_t *p;
	int len;

	if (nfnlmsg_log_msg_parse(nlmsg_hdr(msg), &m) < 0)
		return NL_SKIP;
	p = nfnl_log_msg_get_payload(m, &len);
	if (p && len > 0 && flows_packet(p, (size_t)len, &c))
		f->ops.refused(f->ops.ctx, &c);
	nfnl_log_msg_put(m);
	return NL_OK;
}

/* ---- sockets ---- */

static void drain(struct source *s, int max)
{
	int r = 0;

	while (max-- > 0 && r >= 0)
		r = nl_recvmsgs_default(s->sk);
	/* The only errors of a receiving socket: nothing there, and too much
	 * there (which libnl calls that there is no memory). */
	if (r < 0 && r != -NLE_AGAIN)
		s->f->ops.lost(s->f->ops.ctx);
}

static void ready(struct watch *w, uint32_t events)
{
	(void)events;
	drain(container_of(w, struct source, watch), MESSAGES);
}

static int fail(struct err *e, int r, const char *what)
{
	return err_set(e, r == -NLE_OPNOTSUPP ? EOPNOTSUPP : EIO,
		       "the account of connections: %s: %s", what,
		       nl_geterror(r));
}

static int open_socket(struct nl_sock **out, struct err *e)
{
	struct nl_sock *sk = nl_socket_alloc();
	int r = sk ? nl_connect(sk, NETLINK_NETFILTER) : -NLE_NOMEM;

	*out = sk;
	if (r < 0)
		return fail(e, r, "netlink");
	if (fcntl(nl_socket_get_fd(sk), F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "netlink");
	return 0;
}

static int open_source(struct source *s, struct flows *f, const char *name,
		       nl_recvmsg_msg_cb_t cb, struct err *e)
{
	s->f = f;
	if (open_socket(&s->sk, e) < 0)
		return -e->code;
	nl_socket_disable_seq_check(s->sk);
	nl_socket_set_buffer_size(s->sk, RECV_BUF, 0);
	/* Once for each message, not a second time for its length. */
	nl_socket_disable_msg_peek(s->sk);
	nl_socket_set_msg_buf_size(s->sk, MESSAGE_MAX);
	nl_socket_modify_cb(s->sk, NL_CB_VALID, NL_CB_CUSTOM, cb, f);
	s->watch = (struct watch){ .fd = nl_socket_get_fd(s->sk),
				   .name = name,
				   .ready = ready };
	return 0;
}

/* One packet a message, so that none waits for others. */
static int subscribe(struct source *s, unsigned group, struct err *e)
{
	struct nfnl_log *log = nfnl_log_alloc();
	int r = -NLE_NOMEM;

	if (log) {
		nfnl_log_set_group(log, (uint16_t)group);
		nfnl_log_set_copy_mode(log, NFNL_LOG_COPY_PACKET);
		nfnl_log_set_copy_range(log, SNAP);
		nfnl_log_set_queue_threshold(log, 1);
		r = nfnl_log_create(s->sk, log);
		nfnl_log_put(log);
	}
	return r < 0 ? fail(e, r, "refusals") : 0;
}

static int open_all(struct flows *f, unsigned group, struct err *e)
{
	int r;

	if (open_source(&f->ended, f, "connections", got_conn, e) < 0 ||
	    open_source(&f->refused, f, "refusals", got_packet, e) < 0 ||
	    open_socket(&f->dump, e) < 0)
		return -e->code;
	r = nl_socket_add_membership(f->ended.sk, NFNLGRP_CONNTRACK_DESTROY);
	if (r < 0)
		return fail(e, r, "connection tracking");
	if (subscribe(&f->refused, group, e) < 0)
		return -e->code;
	nl_socket_modify_cb(f->dump, NL_CB_VALID, NL_CB_CUSTOM, got_conn, f);
	nl_socket_set_nonblocking(f->ended.sk);
	nl_socket_set_nonblocking(f->refused.sk);
	return 0;
}

int flows_new(struct flows **out, const struct ip *guest4,
	      const struct ip *guest6, unsigned group,
	      const struct flows_ops *ops, struct err *e)
{
	struct flows *f = calloc(1, sizeof(*f));

	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	f->ops = *ops;
	f->guest4 = *guest4;
	f->guest6 = *guest6;
	if (open_all(f, group, e) < 0) {
		flows_free(f);
		return -e->code;
	}
	*out = f;
	return 0;
}

int flows_start(struct flows *f, struct loop *l, struct err *e)
{
	f->loop = l;
	if (loop_add(l, &f->ended.watch, EPOLLIN, e) < 0 ||
	    loop_add(l, &f->refused.watch, EPOLLIN, e) < 0)
		return -e->code;
	return 0;
}

void flows_add_guest(struct flows *f, const struct ip *ip)
{
	for (size_t i = 0; i < FLOWS_LATER; i++)
		if (f->later[i].len == 0) {
			f->later[i] = *ip;
			return;
		}
}

void flows_drop_guest(struct flows *f, const struct ip *ip)
{
	for (size_t i = 0; i < FLOWS_LATER; i++)
		if (ip_equal(ip, &f->later[i]))
			f->later[i] = (struct ip){ 0 };
}

void flows_rest(struct flows *f)
{
	drain(&f->ended, 16 * MESSAGES);
	drain(&f->refused, 16 * MESSAGES);
	f->open = true;
	if (nfnl_ct_dump_request(f->dump) >= 0)
		nl_recvmsgs_default(f->dump);
	f->open = false;
	/* Those whose time was over end by being looked at. */
	drain(&f->ended, 16 * MESSAGES);
}

void flows_free(struct flows *f)
{
	if (!f)
		return;
	if (f->loop) {
		loop_del(f->loop, &f->ended.watch);
		loop_del(f->loop, &f->refused.watch);
	}
	if (f->ended.sk)
		nl_socket_free(f->ended.sk);
	if (f->refused.sk)
		nl_socket_free(f->refused.sk);
	if (f->dump)
		nl_socket_free(f->dump);
	free(f);
}
