/* SPDX-License-Identifier: Apache-2.0 */
#include "net/resolver.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKETS 2 /* a family each */
/* Read in one go, so that others have their turn. */
#define DATAGRAMS 32
/* A question by TCP; longer ones are none. */
#define CONN_IN (2 + 1024)
#define CONN_OUT (2 + DNS_MSG_MAX)
#define TICK_MS 1000

struct conn {
	struct watch watch; /* fd -1: free */
	struct resolver *r;
	unsigned turn; /* counts who had it */
	bool busy;     /* a question is on its way */
	unsigned idle_s;
	struct buf in, out;
};

/* A question on its way, and who asked. */
struct pending {
	struct resolver *r;
	bool used;
	struct dns_query q;
	int fd; /* datagram: the socket it came by */
	struct sockaddr_storage from;
	socklen_t from_len;
	struct conn *conn; /* NULL: datagram */
	unsigned turn;
};

struct listener {
	struct resolver *r;
	struct watch udp, tcp;
};

struct resolver {
	struct resolver_ops ops;
	struct upstream *up;
	struct loop *loop;
	struct listener at[SOCKETS];
	size_t nat;
	struct conn conn[RESOLVER_CONNS];
	struct pending pending[UPSTREAM_QUERIES];
	struct timer tick;
	uint64_t credit_us; /* of time: a question costs 1/RATE second */
	uint64_t last_us;
	uint8_t msg[DNS_MSG_MAX];
	uint8_t out[2 + DNS_MSG_MAX];
};

/* ---- rate ---- */

static bool may_ask_now(struct resolver *r)
{
	const uint64_t cost = 1000000 / RESOLVER_RATE;
	uint64_t now = now_us();

	r->credit_us += now - r->last_us;
	r->credit_us = MIN(r->credit_us, cost * RESOLVER_BURST);
	r->last_us = now;
	if (r->credit_us < cost)
		return false;
	r->credit_us -= cost;
	return true;
}

/* ---- connections ---- */

static void conn_close(struct conn *c)
{
	loop_del(c->r->loop, &c->watch);
	close(take_fd(&c->watch.fd));
	buf_fini(&c->in);
	buf_fini(&c->out);
	c->turn++;
	c->busy = false;
}

static void conn_wants(struct conn *c)
{
	uint32_t events = 0;

	if (buf_len(&c->out) > 0)
		events = EPOLLOUT;
	else if (!c->busy)
		events = EPOLLIN;
	loop_mod(c->r->loop, &c->watch, events);
}

static void conn_reply(struct conn *c, uint8_t *msg, size_t len)
{
	c->busy = false;
	c->idle_s = 0;
	msg[0] = (uint8_t)(len >> 8);
	msg[1] = (uint8_t)len;
	if (buf_append(&c->out, msg, len + 2) < 0)
		conn_close(c);
	else
		conn_wants(c);
}

/* ---- replies ---- */

/* The message is in out behind two bytes. */
static void reply(struct pending *p, size_t len)
{
	struct resolver *r = p->r;

	p->used = false;
	if (!p->conn)
		sendto(p->fd, r->out + 2, len, MSG_NOSIGNAL | MSG_DONTWAIT,
		       (struct sockaddr *)&p->from, p->from_len);
	else if (p->conn->turn == p->turn && p->conn->watch.fd >= 0)
		conn_reply(p->conn, r->out, len);
}

static void reply_code(struct pending *p, enum dns_rcode rcode, uint16_t ede)
{
	reply(p, dns_reply(&p->q, rcode, ede, p->r->out + 2));
}

/* The guest asks again. */
static void forget(struct pending *p)
{
	p->used = false;
	if (p->conn)
		conn_close(p->conn);
}

static void answered(void *ctx, const struct dns_answer *a)
{
	struct pending *p = ctx;
	struct resolver *r = p->r;
	struct dns_answer mine;
	size_t room = p->conn ? DNS_MSG_MAX : p->q.udp_size;

	if (!a) {
		r->ops.filter(r->ops.ctx, &p->q, NULL);
		reply_code(p, DNS_SERVFAIL, DNS_EDE_NETWORK);
		return;
	}
	mine = *a;
	if (r->ops.filter(r->ops.ctx, &p->q, &mine) < 0)
		reply_code(p, DNS_SERVFAIL, DNS_EDE_NONE);
	else
		reply(p, dns_answer_build(&p->q, &mine, RESOLVER_TTL_MAX,
					  r->out + 2, room));
}

/* ---- questions ---- */

/* NXDOMAIN for a name that is not in the list: it ends a look-up at once,
 * everywhere, while after REFUSED libraries ask again and say that it may work
 * later. Who understands more is told that it was blocked. */
static void judge(struct pending *p)
{
	struct resolver *r = p->r;
	struct ip own;

	switch (r->ops.judge(r->ops.ctx, &p->q, &own)) {
	case RESOLVER_ASK:
		if (upstream_ask(r->up, &p->q, answered, p) < 0)
			forget(p);
		break;
	case RESOLVER_DENY:
		reply_code(p, DNS_NXDOMAIN, DNS_EDE_BLOCKED);
		break;
	case RESOLVER_EMPTY:
		reply_code(p, DNS_NOERROR, DNS_EDE_NONE);
		break;
	case RESOLVER_OWN:
		reply(p, dns_reply_ip(&p->q, &own, 5, r->out + 2));
		break;
	}
}

/* False when it is to be forgotten: nobody is told. */
static bool take_question(struct resolver *r, const struct pending *from,
			  const uint8_t *msg, size_t len)
{
	struct pending *p = NULL;
	int code;

	for (size_t i = 0; i < UPSTREAM_QUERIES && !p; i++)
		if (!r->pending[i].used)
			p = &r->pending[i];
	if (!p || !may_ask_now(r))
		return false;
	*p = *from;
	p->r = r;
	code = dns_query_parse(msg, len, &p->q);
	if (code < 0)
		return false;
	p->used = true;
	if (code > 0)
		reply_code(p, (enum dns_rcode)code, DNS_EDE_NONE);
	else
		judge(p);
	return true;
}

static void udp_ready(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, udp);
	struct resolver *r = l->r;

	(void)events;
	for (int i = 0; i < DATAGRAMS; i++) {
		struct pending from = { .fd = w->fd,
					.from_len = sizeof(from.from) };
		ssize_t n =
			recvfrom(w->fd, r->msg, sizeof(r->msg), MSG_DONTWAIT,
				 (struct sockaddr *)&from.from, &from.from_len);

		if (n < 0)
			return;
		take_question(r, &from, r->msg, (size_t)n);
	}
}

/* ---- by TCP ---- */

/* A whole question, if there is one; the next waits for its answer. */
static void conn_question(struct conn *c)
{
	struct pending from = { .conn = c, .turn = c->turn };
	unsigned turn = c->turn;
	uint8_t *at = buf_head(&c->in);
	size_t len;

	if (c->busy || buf_len(&c->out) > 0 || buf_len(&c->in) < 2)
		return;
	len = (size_t)(at[0] << 8 | at[1]);
	if (len > CONN_IN - 2) {
		conn_close(c);
		return;
	}
	if (buf_len(&c->in) < len + 2)
		return;
	c->busy = true;
	if (!take_question(c->r, &from, at + 2, len)) {
		conn_close(c);
		return;
	}
	if (c->turn == turn)
		buf_take(&c->in, len + 2);
}

static void conn_recv(struct conn *c)
{
	size_t room = CONN_IN - buf_len(&c->in);
	void *to = buf_reserve(&c->in, room);
	ssize_t n = to ? recv(c->watch.fd, to, room, MSG_DONTWAIT) : -1;

	if (n < 0 && to && errno == EAGAIN)
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	buf_commit(&c->in, (size_t)n);
	conn_question(c);
}

static void conn_send(struct conn *c)
{
	ssize_t n = send(c->watch.fd, buf_head(&c->out), buf_len(&c->out),
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0) {
		conn_close(c);
		return;
	}
	c->idle_s = 0;
	buf_take(&c->out, (size_t)n);
	conn_question(c);
}

static void conn_ready(struct watch *w, uint32_t events)
{
	struct conn *c = container_of(w, struct conn, watch);

	if (buf_len(&c->out) > 0)
		conn_send(c);
	else if (!c->busy)
		conn_recv(c);
	else if (events & (EPOLLHUP | EPOLLERR))
		conn_close(c);
	if (w->fd >= 0)
		conn_wants(c);
}

/* Where all are taken, that which has been idle longest goes. */
static struct conn *conn_room(struct resolver *r)
{
	struct conn *best = &r->conn[0];

	for (size_t i = 0; i < RESOLVER_CONNS; i++) {
		if (r->conn[i].watch.fd < 0)
			return &r->conn[i];
		if (r->conn[i].idle_s > best->idle_s)
			best = &r->conn[i];
	}
	conn_close(best);
	return best;
}

static void tcp_ready(struct watch *w, uint32_t events)
{
	struct listener *l = container_of(w, struct listener, tcp);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct conn *c;
	struct err e;

	(void)events;
	if (fd < 0)
		return;
	c = conn_room(l->r);
	c->watch.fd = fd;
	c->idle_s = 0;
	buf_init(&c->in, CONN_IN);
	buf_init(&c->out, CONN_OUT);
	if (loop_add(l->r->loop, &c->watch, EPOLLIN, &e) < 0)
		conn_close(c);
}

static void tick(struct timer *t)
{
	struct resolver *r = container_of(t, struct resolver, tick);

	for (size_t i = 0; i < RESOLVER_CONNS; i++) {
		struct conn *c = &r->conn[i];

		if (c->watch.fd >= 0 && !c->busy &&
		    ++c->idle_s > RESOLVER_IDLE_S)
			conn_close(c);
	}
	timer_set(&r->tick, TICK_MS);
}

/* ---- life ---- */

int resolver_new(struct resolver **out, const struct resolver_ops *ops,
		 struct upstream *u, struct err *e)
{
	struct resolver *r = calloc(1, sizeof(*r));

	if (!r)
		return err_set(e, ENOMEM, "out of memory");
	r->ops = *ops;
	r->up = u;
	r->tick.watch.fd = -1;
	r->last_us = now_us();
	r->credit_us = 1000000ull * RESOLVER_BURST / RESOLVER_RATE;
	for (size_t i = 0; i < RESOLVER_CONNS; i++) {
		r->conn[i].r = r;
		r->conn[i].watch = (struct watch){ .fd = -1,
						   .name = "names by tcp",
						   .ready = conn_ready };
	}
	*out = r;
	return 0;
}

static int bind_one(const struct ip *at, uint16_t port, int type, struct err *e)
{
	autoclose int fd = socket(at->len == 4 ? AF_INET : AF_INET6,
				  type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(at, port, &sa);
	int on = 1;
	char text[IP_TEXT];

	if (fd < 0)
		return err_sys(e, "resolver");
	/* The address may be a moment away from being there. */
	setsockopt(fd, at->len == 4 ? IPPROTO_IP : IPPROTO_IPV6,
		   at->len == 4 ? IP_FREEBIND : IPV6_FREEBIND, &on, sizeof(on));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    (type == SOCK_STREAM && listen(fd, RESOLVER_CONNS) < 0))
		return err_sys(e, "resolver at %s", ip_text(at, text));
	return take_fd(&fd);
}

int resolver_bind(struct resolver *r, const struct ip *at, uint16_t port,
		  struct err *e)
{
	struct listener *l = &r->at[r->nat];

	if (r->nat == SOCKETS)
		return err_set(e, E2BIG, "resolver: too many addresses");
	*l = (struct listener){ .r = r };
	l->udp = (struct watch){ -1, "names by udp", udp_ready, 0, false };
	l->tcp = (struct watch){ -1, "names by tcp", tcp_ready, 0, false };
	r->nat++;
	l->udp.fd = bind_one(at, port, SOCK_DGRAM, e);
	if (l->udp.fd < 0)
		return -e->code;
	l->tcp.fd = bind_one(at, port, SOCK_STREAM, e);
	return l->tcp.fd < 0 ? -e->code : 0;
}

int resolver_start(struct resolver *r, struct loop *l, struct err *e)
{
	r->loop = l;
	for (size_t i = 0; i < r->nat; i++)
		if (loop_add(l, &r->at[i].udp, EPOLLIN, e) < 0 ||
		    loop_add(l, &r->at[i].tcp, EPOLLIN, e) < 0)
			return -e->code;
	if (timer_init(&r->tick, l, "resolver's time", tick, e) < 0)
		return -e->code;
	timer_set(&r->tick, TICK_MS);
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < RESOLVER_CONNS && r->loop; i++)
		if (r->conn[i].watch.fd >= 0)
			conn_close(&r->conn[i]);
	for (size_t i = 0; i < r->nat; i++) {
		struct watch *const w[] = { &r->at[i].udp, &r->at[i].tcp };

		for (size_t k = 0; k < ARRAY_LEN(w); k++) {
			if (r->loop)
				loop_del(r->loop, w[k]);
			if (w[k]->fd >= 0)
				close(w[k]->fd);
		}
	}
	if (r->loop)
		timer_fini(&r->tick, r->loop);
	free(r);
}
