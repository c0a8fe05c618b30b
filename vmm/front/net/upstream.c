/* SPDX-License-Identifier: Apache-2.0 */
#include "net/upstream.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* How often time-outs are looked for. */
#define TICK_MS 250
/* A message by TCP and its length before it. */
#define STREAM_ROOM (2 + DNS_MSG_MAX)

struct query {
	struct upstream *up;
	struct watch udp;
	bool used;
	struct dns_query q;
	uint16_t id;
	unsigned tries;
	uint64_t until_us;
	struct stream *stream; /* NULL: by datagram */
	upstream_done *done;
	void *ctx;
};

struct stream {
	struct watch watch;
	struct query *query; /* NULL: free */
	uint8_t out[2 + DNS_UDP_MIN];
	size_t out_len, sent;
	uint8_t *in; /* STREAM_ROOM */
	size_t got;
};

struct upstream {
	struct ip server[UPSTREAM_SERVERS];
	size_t nservers;
	uint16_t port;
	struct loop *loop; /* NULL: not started */
	struct timer tick;
	unsigned busy;
	struct query query[UPSTREAM_QUERIES];
	struct stream stream[UPSTREAM_STREAMS];
	uint8_t msg[DNS_MSG_MAX];
};

/* ---- sockets ---- */

/* One of IPv6 takes servers of both kinds. */
static int to_server(const struct upstream *u, int fd, const struct ip *ip)
{
	struct ip to = *ip;
	struct sockaddr_storage sa;
	int domain;
	socklen_t len = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return -errno;
	if (domain == AF_INET6 && ip->len == 4) {
		to = (struct ip){ .len = 16, .b[10] = 0xff, .b[11] = 0xff };
		memcpy(to.b + 12, ip->b, 4);
	}
	len = ip_sockaddr(&to, u->port, &sa);
	return connect(fd, (struct sockaddr *)&sa, len) < 0 ? -errno : 0;
}

static void disconnect(int fd)
{
	const struct sockaddr sa = { .sa_family = AF_UNSPEC };

	(void)connect(fd, &sa, sizeof(sa));
}

static int make_socket(int family, int type, struct err *e)
{
	int off = 0;
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_sys(e, "a socket for name servers");
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	return fd;
}

/* ---- a query's way ---- */

static void stream_leave(struct query *q)
{
	struct stream *s = q->stream;

	if (!s)
		return;
	loop_del(q->up->loop, &s->watch);
	disconnect(s->watch.fd);
	s->query = NULL;
	q->stream = NULL;
}

static void finish(struct query *q, const struct dns_answer *a)
{
	struct upstream *u = q->up;

	stream_leave(q);
	loop_mod(u->loop, &q->udp, 0);
	disconnect(q->udp.fd);
	q->used = false;
	if (--u->busy == 0)
		timer_set(&u->tick, 0);
	q->done(q->ctx, a);
}

/* To the next server, the first after the last. */
static int send_query(struct query *q)
{
	struct upstream *u = q->up;
	const struct ip *to = &u->server[q->tries++ % u->nservers];
	uint8_t msg[DNS_UDP_MIN];
	size_t len;

	disconnect(q->udp.fd);
	if (getrandom(&q->id, sizeof(q->id), GRND_NONBLOCK) != sizeof(q->id))
		return -EAGAIN;
	len = dns_query_build(&q->q, q->id, msg);
	if (to_server(u, q->udp.fd, to) < 0 ||
	    send(q->udp.fd, msg, len, MSG_NOSIGNAL) != (ssize_t)len)
		return -EIO;
	q->until_us = now_us() + UPSTREAM_TRY_MS * 1000ull;
	loop_mod(u->loop, &q->udp, EPOLLIN);
	return 0;
}

static void try_next(struct query *q)
{
	stream_leave(q);
	while (q->tries < q->up->nservers * UPSTREAM_TRIES)
		if (send_query(q) == 0)
			return;
	finish(q, NULL);
}

/* The server would not; another might. */
static bool useless(const struct dns_answer *a)
{
	return a->rcode == DNS_SERVFAIL || a->rcode == DNS_REFUSED ||
	       a->rcode == DNS_NOTIMP || a->rcode == DNS_FORMERR;
}

static void take_answer(struct query *q, const struct dns_answer *a)
{
	if (useless(a) && q->tries < q->up->nservers)
		try_next(q);
	else
		finish(q, a);
}

/* ---- by TCP ---- */

static void stream_send(struct stream *s)
{
	ssize_t n = send(s->watch.fd, s->out + s->sent, s->out_len - s->sent,
			 MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		try_next(s->query);
		return;
	}
	s->sent += n > 0 ? (size_t)n : 0;
	if (s->sent == s->out_len)
		loop_mod(s->query->up->loop, &s->watch, EPOLLIN);
}

static void stream_recv(struct stream *s)
{
	struct query *q = s->query;
	size_t want = 2;
	struct dns_answer a;
	ssize_t n;

	n = recv(s->watch.fd, s->in + s->got, STREAM_ROOM - s->got, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		try_next(q);
		return;
	}
	s->got += (size_t)n;
	if (s->got >= 2)
		want += (size_t)(s->in[0] << 8 | s->in[1]);
	if (s->got < want || want == 2)
		return;
	if (dns_answer_parse(s->in + 2, want - 2, &q->q, q->id, &a) < 0)
		try_next(q);
	else
		take_answer(q, &a);
}

static void stream_ready(struct watch *w, uint32_t events)
{
	struct stream *s = container_of(w, struct stream, watch);

	if (!s->query)
		return;
	if (s->sent < s->out_len)
		stream_send(s);
	else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		stream_recv(s);
}

/* The server that cut its answer is asked again. */
static void ask_by_stream(struct query *q)
{
	struct upstream *u = q->up;
	const struct ip *to = &u->server[(q->tries - 1) % u->nservers];
	struct stream *s = NULL;
	struct err e;
	size_t len;
	int r;

	for (size_t i = 0; i < UPSTREAM_STREAMS && !s; i++)
		if (!u->stream[i].query)
			s = &u->stream[i];
	if (!s) {
		finish(q, NULL);
		return;
	}
	loop_mod(u->loop, &q->udp, 0);
	len = dns_query_build(&q->q, q->id, s->out + 2);
	s->out[0] = (uint8_t)(len >> 8);
	s->out[1] = (uint8_t)len;
	s->out_len = len + 2;
	s->sent = s->got = 0;
	q->until_us = now_us() + UPSTREAM_TRY_MS * 1000ull;
	r = to_server(u, s->watch.fd, to);
	if ((r < 0 && r != -EINPROGRESS) ||
	    loop_add(u->loop, &s->watch, EPOLLOUT, &e) < 0) {
		disconnect(s->watch.fd);
		try_next(q);
		return;
	}
	s->query = q;
	q->stream = s;
}

/* ---- by datagram ---- */

static void udp_ready(struct watch *w, uint32_t events)
{
	struct query *q = container_of(w, struct query, udp);
	struct upstream *u = q->up;
	struct dns_answer a;
	ssize_t n;

	(void)events;
	n = recv(w->fd, u->msg, sizeof(u->msg), 0);
	if (!q->used || q->stream)
		return;
	if (n < 0 && errno != EAGAIN)
		try_next(q); /* nobody there */
	if (n < 0 || dns_answer_parse(u->msg, (size_t)n, &q->q, q->id, &a) < 0)
		return;
	if (a.truncated)
		ask_by_stream(q);
	else
		take_answer(q, &a);
}

static void tick(struct timer *t)
{
	struct upstream *u = container_of(t, struct upstream, tick);
	uint64_t now = now_us();

	for (size_t i = 0; i < UPSTREAM_QUERIES; i++)
		if (u->query[i].used && now >= u->query[i].until_us)
			try_next(&u->query[i]);
	if (u->busy > 0)
		timer_set(&u->tick, TICK_MS);
}

int upstream_ask(struct upstream *u, const struct dns_query *q,
		 upstream_done *done, void *ctx)
{
	struct query *o = NULL;

	for (size_t i = 0; i < UPSTREAM_QUERIES && !o; i++)
		if (!u->query[i].used)
			o = &u->query[i];
	if (!o || u->nservers == 0)
		return -EBUSY;
	o->used = true;
	o->q = *q;
	o->tries = 0;
	o->done = done;
	o->ctx = ctx;
	if (u->busy++ == 0)
		timer_set(&u->tick, TICK_MS);
	/* done() is called later even then: the tick goes on with it. */
	if (send_query(o) < 0)
		o->until_us = 0;
	return 0;
}

/* ---- life ---- */

static int make_sockets(struct upstream *u, struct err *e)
{
	int family = AF_INET;

	for (size_t i = 0; i < u->nservers; i++)
		if (u->server[i].len == 16)
			family = AF_INET6;
	for (size_t i = 0; i < UPSTREAM_QUERIES; i++) {
		struct query *q = &u->query[i];

		q->udp.fd = make_socket(family, SOCK_DGRAM, e);
		if (q->udp.fd < 0)
			return -e->code;
	}
	for (size_t i = 0; i < UPSTREAM_STREAMS; i++) {
		struct stream *s = &u->stream[i];

		s->in = malloc(STREAM_ROOM);
		if (!s->in)
			return err_set(e, ENOMEM, "out of memory");
		s->watch.fd = make_socket(family, SOCK_STREAM, e);
		if (s->watch.fd < 0)
			return -e->code;
	}
	return 0;
}

int upstream_new(struct upstream **out, const struct ip *servers, size_t n,
		 uint16_t port, struct err *e)
{
	struct upstream *u = calloc(1, sizeof(*u));

	if (!u)
		return err_set(e, ENOMEM, "out of memory");
	u->nservers = MIN(n, UPSTREAM_SERVERS);
	u->port = port;
	for (size_t i = 0; i < u->nservers; i++)
		u->server[i] = servers[i];
	u->tick.watch.fd = -1;
	for (size_t i = 0; i < UPSTREAM_QUERIES; i++)
		u->query[i] = (struct query){
			.up = u, .udp = { -1, "name server", udp_ready, 0, 0 }
		};
	for (size_t i = 0; i < UPSTREAM_STREAMS; i++)
		u->stream[i].watch =
			(struct watch){ -1, "name server", stream_ready, 0, 0 };
	if (make_sockets(u, e) < 0) {
		upstream_free(u);
		return -e->code;
	}
	*out = u;
	return 0;
}

int upstream_start(struct upstream *u, struct loop *l, struct err *e)
{
	if (timer_init(&u->tick, l, "name servers' time", tick, e) < 0)
		return -e->code;
	u->loop = l;
	for (size_t i = 0; i < UPSTREAM_QUERIES; i++)
		if (loop_add(l, &u->query[i].udp, 0, e) < 0)
			return -e->code;
	return 0;
}

static void drop(struct upstream *u, struct watch *w)
{
	if (u->loop)
		loop_del(u->loop, w);
	if (w->fd >= 0)
		close(w->fd);
}

void upstream_free(struct upstream *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < UPSTREAM_QUERIES; i++)
		drop(u, &u->query[i].udp);
	for (size_t i = 0; i < UPSTREAM_STREAMS; i++) {
		drop(u, &u->stream[i].watch);
		free(u->stream[i].in);
	}
	if (u->loop)
		timer_fini(&u->tick, u->loop);
	free(u);
}
