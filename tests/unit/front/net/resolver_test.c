/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's name server between a guest and servers that misbehave, all of
 * them in one loop on the loopback. */
#include "net/resolver.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define PATIENCE_MS 20000
#define BIG	    4000 /* addresses of a large answer */

static struct loop loop;
static struct resolver *res;
static struct upstream *up;
static struct err e;
static uint16_t res_port, server_port;

/* What the server does with its next datagrams, a letter each; the last one
 * stays: a answers, c says it was cut, s that it failed, f forges. */
static const char *script;
static unsigned asked, asked_tcp, filtered;
static bool big;
static enum resolver_verdict verdict;
static int filter_says;

static struct watch srv_udp, srv_tcp, srv_conn;
static uint8_t msg[DNS_MSG_MAX], got[DNS_MSG_MAX + 2];

static const struct ip loopback = { 4, { 127, 0, 0, 1 } };

/* ---- the server ---- */

static size_t build(const uint8_t *q, size_t len, unsigned flags,
		    unsigned answers)
{
	size_t at = 12;

	memcpy(msg, q, len);
	while (msg[at])
		at += msg[at] + 1u;
	at += 5;
	msg[2] = (uint8_t)(0x80 | flags >> 8);
	msg[3] = (uint8_t)flags;
	msg[6] = (uint8_t)(answers >> 8), msg[7] = (uint8_t)answers;
	memset(msg + 8, 0, 4);
	for (unsigned i = 0; i < answers; i++) {
		memcpy(msg + at, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4", 12);
		memcpy(msg + at + 12, (uint8_t[]){ 192, 0, 2, (uint8_t)i }, 4);
		at += 16;
	}
	return at;
}

static void srv_udp_ready(struct watch *w, uint32_t events)
{
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t q[512];
	ssize_t n = recvfrom(w->fd, q, sizeof(q), 0, (struct sockaddr *)&from,
			     &from_len);
	char what = *script;
	size_t len;

	(void)events;
	assert_true(n > 12);
	asked++;
	if (script[1])
		script++;
	len = build(q, (size_t)n,
		    what == 'c'	  ? 0x200
		    : what == 's' ? DNS_SERVFAIL
				  : 0,
		    what == 'a' || what == 'f' ? 1 : 0);
	if (what == 'f')
		msg[1] ^= 1;
	sendto(w->fd, msg, len, 0, (struct sockaddr *)&from, from_len);
}

static void srv_conn_ready(struct watch *w, uint32_t events)
{
	uint8_t q[512], head[2];
	ssize_t n = recv(w->fd, q, sizeof(q), 0);
	size_t len;

	(void)events;
	if (n > 14) {
		asked_tcp++;
		len = build(q + 2, (size_t)n - 2, 0, big ? BIG : 1);
		head[0] = (uint8_t)(len >> 8), head[1] = (uint8_t)len;
		assert_int_equal(send(w->fd, head, 2, MSG_MORE), 2);
		assert_int_equal(fd_write_full(w->fd, msg, len), 0);
		return;
	}
	loop_del(&loop, w);
	close(take_fd(&w->fd));
}

static void srv_tcp_ready(struct watch *w, uint32_t events)
{
	(void)events;
	assert_int_equal(srv_conn.fd, -1);
	srv_conn.fd = accept(w->fd, NULL, NULL);
	assert_true(srv_conn.fd >= 0);
	assert_int_equal(loop_add(&loop, &srv_conn, EPOLLIN, &e), 0);
}

/* ---- what decides ---- */

static enum resolver_verdict judge(void *ctx, const struct dns_query *q,
				   struct ip *own)
{
	(void)ctx, (void)q;
	*own = loopback;
	return verdict;
}

static int filter(void *ctx, const struct dns_query *q, struct dns_answer *a)
{
	(void)ctx, (void)q;
	filtered++;
	if (a && a->nrecords > 1)
		a->records[0].drop = true;
	return filter_says;
}

/* ---- set-up ---- */

static int listen_at(int type, uint16_t *port)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(*port),
				  .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(in);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

/* A port that is free for both. */
static void make_server(void)
{
	server_port = 0;
	srv_tcp = (struct watch){ .name = "tcp", .ready = srv_tcp_ready };
	srv_tcp.fd = listen_at(SOCK_STREAM, &server_port);
	assert_int_equal(listen(srv_tcp.fd, 4), 0);
	srv_udp = (struct watch){ .name = "udp", .ready = srv_udp_ready };
	srv_udp.fd = listen_at(SOCK_DGRAM, &server_port);
	srv_conn = (struct watch){ -1, "conn", srv_conn_ready, 0, false };
	assert_int_equal(loop_add(&loop, &srv_tcp, EPOLLIN, &e), 0);
	assert_int_equal(loop_add(&loop, &srv_udp, EPOLLIN, &e), 0);
}

static int start(void **state)
{
	const struct resolver_ops ops = { judge, filter, NULL };
	/* The second server is there when the first will not. */
	const struct ip servers[] = { loopback, loopback };
	int fd;

	(void)state;
	script = "a";
	asked = asked_tcp = filtered = 0;
	big = false;
	verdict = RESOLVER_ASK;
	filter_says = 0;
	assert_int_equal(loop_init(&loop, NULL, &e), 0);
	make_server();
	assert_int_equal(upstream_new(&up, servers, 2, server_port, &e), 0);
	assert_int_equal(resolver_new(&res, &ops, up, &e), 0);
	res_port = 0;
	fd = listen_at(SOCK_STREAM, &res_port);
	close(fd);
	assert_int_equal(resolver_bind(res, &loopback, res_port, &e), 0);
	assert_int_equal(upstream_start(up, &loop, &e), 0);
	assert_int_equal(resolver_start(res, &loop, &e), 0);
	return 0;
}

static int stop(void **state)
{
	struct watch *const w[] = { &srv_udp, &srv_tcp, &srv_conn };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		loop_del(&loop, w[i]);
		if (w[i]->fd >= 0)
			close(w[i]->fd);
	}
	upstream_free(up);
	resolver_free(res);
	loop_fini(&loop);
	return 0;
}

/* ---- the guest ---- */

static int dial(int type)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(&loopback, res_port, &sa);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static size_t question(uint8_t *out, unsigned id)
{
	static const uint8_t body[] = "\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\1";

	out[0] = (uint8_t)(id >> 8), out[1] = (uint8_t)id;
	memcpy(out + 2, body, sizeof(body));
	out[2 + sizeof(body)] = 1;
	return 3 + sizeof(body);
}

/* Turns the loop until n bytes came (0: anything), or for as long as it may
 * take; the count. */
static size_t hear(int fd, size_t n, uint64_t ms)
{
	uint64_t end = now_us() + ms * 1000;
	size_t have = 0;
	ssize_t r;

	while (now_us() < end) {
		loop_once(&loop, 10);
		r = recv(fd, got + have, sizeof(got) - have, MSG_DONTWAIT);
		if (r == 0)
			break;
		have += r > 0 ? (size_t)r : 0;
		if (have > 0 && have >= n)
			break;
	}
	return have;
}

static int rcode_of_question(void)
{
	autoclose int fd = dial(SOCK_DGRAM);
	uint8_t q[64];
	size_t len = question(q, 77);

	assert_int_equal(send(fd, q, len, 0), len);
	assert_true(hear(fd, 0, PATIENCE_MS) >= 12);
	assert_int_equal(got[0] << 8 | got[1], 77);
	return got[3] & 15;
}

static void answers(void **state)
{
	(void)state;
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
	assert_int_equal(got[7], 1);
	assert_int_equal(asked, 1);
	assert_int_equal(filtered, 1);
}

static void verdicts(void **state)
{
	(void)state;
	verdict = RESOLVER_DENY;
	assert_int_equal(rcode_of_question(), DNS_NXDOMAIN);
	verdict = RESOLVER_EMPTY;
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
	assert_int_equal(got[7], 0);
	verdict = RESOLVER_OWN;
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
	assert_int_equal(got[7], 1);
	assert_int_equal(asked, 0);
	verdict = RESOLVER_ASK;
	filter_says = -1;
	assert_int_equal(rcode_of_question(), DNS_SERVFAIL);
	assert_int_equal(got[7], 0);
}

static void servers_fail(void **state)
{
	(void)state;
	script = "sa"; /* the next one knows */
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
	assert_int_equal(asked, 2);
	script = "s"; /* nobody does */
	assert_int_equal(rcode_of_question(), DNS_SERVFAIL);
}

static void forged(void **state)
{
	(void)state;
	/* With another id: waited out, and asked again. */
	script = "fa";
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
	assert_int_equal(asked, 2);
}

static void cut_answer(void **state)
{
	(void)state;
	script = "c";
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
	assert_int_equal(got[7], 1);
	assert_int_equal(asked_tcp, 1);
}

static void large_answer(void **state)
{
	autoclose int fd = dial(SOCK_STREAM);
	uint8_t q[66];
	size_t len = question(q + 2, 5), want;

	(void)state;
	script = "c";
	big = true;
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
	assert_int_equal(got[2] & 2, 2);
	assert_int_equal(got[7], 0);
	/* The guest comes again, by TCP; twice on one connection. */
	q[0] = 0, q[1] = (uint8_t)len;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send(fd, q, len + 2, 0), len + 2);
		assert_int_equal(hear(fd, 2, PATIENCE_MS) >= 2, true);
		want = (size_t)(got[0] << 8 | got[1]);
		assert_int_equal(want, len + 16 * (DNS_RECORDS - 1));
		assert_int_equal(got[2 + 7], DNS_RECORDS - 1);
	}
}

static void nonsense(void **state)
{
	autoclose int udp = dial(SOCK_DGRAM), tcp = dial(SOCK_STREAM);
	uint8_t q[66];
	size_t len = question(q, 9);

	(void)state;
	assert_int_equal(send(udp, q, 5, 0), 5);
	assert_int_equal(send(udp, q, len - 3, 0), len - 3);
	assert_true(hear(udp, 0, PATIENCE_MS) >= 12);
	assert_int_equal(got[3] & 15, DNS_FORMERR);
	/* Longer than any question. */
	assert_int_equal(send(tcp, "\xff\xff", 2, 0), 2);
	assert_int_equal(hear(tcp, 1, PATIENCE_MS), 0);
	assert_int_equal(recv(tcp, q, 1, MSG_DONTWAIT), 0);
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
}

/* Whoever holds every connection does not keep others out. */
static void many_connections(void **state)
{
	int fds[RESOLVER_CONNS * 2];
	uint8_t q[66];
	size_t len = question(q + 2, 5);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial(SOCK_STREAM);
		loop_once(&loop, 10);
	}
	q[0] = 0, q[1] = (uint8_t)len;
	assert_int_equal(send(fds[ARRAY_LEN(fds) - 1], q, len + 2, 0), len + 2);
	assert_int_equal(hear(fds[ARRAY_LEN(fds) - 1], len + 18, PATIENCE_MS),
			 len + 18);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
}

/* A flood is cut to what may be asked at once; afterwards all is well. */
static void flood(void **state)
{
	autoclose int fd = dial(SOCK_DGRAM);
	uint8_t q[64];
	size_t len = question(q, 1);

	(void)state;
	for (int i = 0; i < 5000; i++) {
		send(fd, q, len, MSG_DONTWAIT);
		if (i % 16 == 0)
			loop_once(&loop, 0);
	}
	for (int i = 0; i < 200; i++)
		loop_once(&loop, 1);
	/* The burst, and what a slow machine earns meanwhile. */
	assert_in_range(asked, 1, 4000);
	while (hear(fd, 0, 50) > 0)
		;
	for (int i = 0; i < 100; i++)
		loop_once(&loop, 1);
	assert_int_equal(rcode_of_question(), DNS_NOERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers, start, stop),
		cmocka_unit_test_setup_teardown(verdicts, start, stop),
		cmocka_unit_test_setup_teardown(servers_fail, start, stop),
		cmocka_unit_test_setup_teardown(forged, start, stop),
		cmocka_unit_test_setup_teardown(cut_answer, start, stop),
		cmocka_unit_test_setup_teardown(large_answer, start, stop),
		cmocka_unit_test_setup_teardown(nonsense, start, stop),
		cmocka_unit_test_setup_teardown(many_connections, start, stop),
		cmocka_unit_test_setup_teardown(flood, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
