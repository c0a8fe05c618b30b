/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes to the client: order, the tail, and what is kept for a slow reader. */
#include "tests/unit/monitor/dev/vsock_rig.h"

#include <stdlib.h>

#define PACKET (32u << 10)

static struct conn *conn_of(const struct vconn *c)
{
	return conn_find(dev(), c->host_port, c->guest_port);
}

static uint8_t byte_at(uint32_t at)
{
	return (uint8_t)(at * 11 >> 4);
}

/* One packet of the pattern from the guest. */
static uint32_t pour(const struct vconn *c, uint32_t at, uint32_t len)
{
	static uint8_t data[VGUEST_TX_BYTES];

	for (uint32_t i = 0; i < len; i++)
		data[i] = byte_at(at + i);
	vguest_send(&s, c, VSOCK_OP_RW, data, len);
	return at + len;
}

/* All that is there for the client; *eof when it came to the end. */
static uint32_t drain(int fd, uint32_t at, bool *eof)
{
	uint8_t buf[5000];
	ssize_t n;

	*eof = false;
	for (;;) {
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			break;
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], byte_at(at + (uint32_t)i));
		at += (uint32_t)n;
		vguest_pump(&s);
	}
	assert_true(n == 0 || errno == EAGAIN);
	*eof = n == 0;
	return at;
}

static uint32_t drain_to_eof(int fd, uint32_t at)
{
	bool eof = false;

	at = drain(fd, at, &eof);
	assert_true(eof);
	return at;
}

/* The guest sends all it has credit for, to a client that does not read. */
static uint32_t pour_all(const struct vconn *c)
{
	uint32_t at = 0;

	while (VSOCK_BUF_ALLOC - (at - conn_of(c)->told) >= PACKET)
		at = pour(c, at, PACKET);
	assert_true(buf_len(&conn_of(c)->out) > 0);
	assert_true(vsock_pending(s.v));
	assert_int_equal(vguest_pump(&s), 0);
	return at;
}

static void slow_reader_gets_all(void **state)
{
	struct vconn c;
	uint32_t put, got;
	bool eof;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	assert_int_equal(conn_of(&c)->client.events, EPOLLIN);
	put = pour_all(&c);
	assert_int_equal(conn_of(&c)->client.events, EPOLLIN | EPOLLOUT);
	got = drain(fd, 0, &eof);
	assert_int_equal(got, put);
	assert_false(eof);
	/* nothing is kept, not even room */
	assert_null(conn_of(&c)->out.data);
	assert_false(vsock_pending(s.v));
	assert_int_equal(conn_of(&c)->client.events, EPOLLIN);
	assert_int_equal(conn_of(&c)->forwarded, put);
	close(fd);
}

static void credit_comes_back(void **state)
{
	struct vconn c;
	uint32_t put, got, last = 0, updates = 0;
	bool eof;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	put = pour_all(&c);
	while (vguest_recv(&s, &p)) {
		assert_int_equal(p.h.op, VSOCK_OP_CREDIT_UPDATE);
		last = p.h.fwd_cnt;
	}
	assert_true(put - last <= VSOCK_BUF_ALLOC);
	got = drain(fd, 0, &eof);
	assert_int_equal(got, put);
	for (; vguest_recv(&s, &p); updates++) {
		assert_int_equal(p.h.op, VSOCK_OP_CREDIT_UPDATE);
		assert_true(p.h.fwd_cnt > last);
		last = p.h.fwd_cnt;
	}
	assert_in_range(updates, 1, 2);
	assert_true(put - last < VSOCK_BUF_ALLOC / 2);
	vguest_send(&s, &c, VSOCK_OP_CREDIT_REQUEST, NULL, 0);
	expect_op(VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(p.h.fwd_cnt, put);
	close(fd);
}

static void tail_after_half_close(void **state)
{
	struct vconn c;
	uint32_t put;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	put = pour_all(&c);
	vguest_shutdown(&s, &c, VSOCK_SHUT_SEND);
	assert_int_equal(vguest_pump(&s), 0);
	assert_int_equal(drain_to_eof(fd, 0), put);
	say(fd, "open");
	while (vguest_recv(&s, &p) && p.h.op != VSOCK_OP_RW)
		;
	assert_int_equal(p.h.op, VSOCK_OP_RW);
	close(fd);
}

/* The guest is done with it at once; the client gets the rest in its time. */
static void tail_after_close(void **state)
{
	struct vconn c;
	uint32_t put;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	put = pour_all(&c);
	vguest_shutdown(&s, &c, VSOCK_SHUT_BOTH);
	while (vguest_recv(&s, &p) && p.h.op == VSOCK_OP_CREDIT_UPDATE)
		;
	assert_int_equal(p.h.op, VSOCK_OP_RST);
	assert_int_equal(write(fd, "unread", 6), 6);
	vguest_pump(&s);
	assert_int_equal(vguest_pump(&s), 0);
	assert_int_equal(drain_to_eof(fd, 0), put);
	assert_int_equal(dev()->free.n, 1);
	expect_quiet();
	close(fd);
}

static void tail_after_reset(void **state)
{
	struct vconn c[2];
	uint32_t put[2];
	int fd[2];

	(void)state;
	vguest_ready(&s);
	for (int i = 0; i < 2; i++)
		fd[i] = vguest_open(&s, &c[i]);
	for (int i = 0; i < 2; i++)
		put[i] = pour_all(&c[i]);
	vguest_send(&s, &c[0], VSOCK_OP_RST, NULL, 0);
	guest_reset(s.v);
	assert_int_equal(vguest_pump(&s), 0);
	assert_true(vsock_pending(s.v));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(drain_to_eof(fd[i], 0), put[i]);
		close(fd[i]);
	}
	assert_false(vsock_pending(s.v));
	assert_int_equal(dev()->free.n, 2);
}

static void client_leaves_its_tail(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	pour_all(&c);
	while (vguest_recv(&s, &p))
		;
	close(fd);
	vguest_pump(&s);
	while (vguest_recv(&s, &p) && p.h.op == VSOCK_OP_CREDIT_UPDATE)
		;
	assert_int_equal(p.h.op, VSOCK_OP_RST);
	assert_int_equal(dev()->free.n, 1);

	fd = vguest_open(&s, &c);
	pour_all(&c);
	vguest_shutdown(&s, &c, VSOCK_SHUT_BOTH);
	close(fd);
	vguest_pump(&s);
	assert_int_equal(dev()->free.n, 1);
	assert_false(vsock_pending(s.v));
}

/* The socket has room again, but what is kept goes first. */
static void nothing_overtakes(void **state)
{
	struct vsock_hdr h;
	struct vconn c;
	uint32_t put, got = 0;
	uint8_t buf[1024], next;
	bool eof;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	put = pour_all(&c);
	for (; got < 150 << 10; got += sizeof(buf))
		assert_int_equal(recv(fd, buf, sizeof(buf), 0), sizeof(buf));
	h = vguest_hdr(&c, VSOCK_OP_RW);
	h.len = 1;
	next = byte_at(put);
	vguest_queue(&s, &h, &next, 1, 1);
	mmio_kick(s.v);		/* before the loop sees the room */
	assert_int_equal(drain(fd, got, &eof), put + 1);
	close(fd);
}

/* It reads what it has, and wants no more. */
static void client_stops_with_a_tail(void **state)
{
	struct vconn c;
	char c1;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	pour_all(&c);
	shutdown(fd, SHUT_RD);
	vguest_pump(&s);
	while (recv(fd, &c1, 1, MSG_DONTWAIT) == 1)
		vguest_pump(&s);
	assert_false(vsock_pending(s.v));
	while (vguest_recv(&s, &p) && p.h.op == VSOCK_OP_CREDIT_UPDATE)
		;
	assert_int_equal(p.h.op, VSOCK_OP_SHUTDOWN);
	assert_int_equal(p.h.flags, VSOCK_SHUT_RCV);
	close(fd);
}

/* One byte more than the credit: the connection ends, what was inside the
 * credit arrives. */
static void past_the_credit(void **state)
{
	struct vconn c;
	uint32_t put, left;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	put = pour_all(&c);
	while ((left = VSOCK_BUF_ALLOC - (put - conn_of(&c)->forwarded)) > 0)
		put = pour(&c, put, MIN(left, PACKET));
	assert_int_equal(buf_len(&conn_of(&c)->out), VSOCK_BUF_ALLOC);
	while (vguest_recv(&s, &p))
		assert_int_equal(p.h.op, VSOCK_OP_CREDIT_UPDATE);
	pour(&c, put, 1);
	expect_op(VSOCK_OP_RST);
	pour(&c, put, 1); /* and is not told again */
	expect_quiet();
	assert_int_equal(drain_to_eof(fd, 0), put);
	close(fd);
}

static void counters_wrap(void **state)
{
	struct vconn c;
	uint32_t put = 0, got = 0;
	struct conn *conn;
	bool eof;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	conn = conn_of(&c);
	conn->received = conn->forwarded = conn->told = 0u - 100000;
	for (int i = 0; i < 20; i++) {
		put = pour(&c, put, 10000);
		got = drain(fd, got, &eof);
		assert_int_equal(got, put);
		assert_int_equal(conn->forwarded, 0u - 100000 + put);
	}
	while (vguest_recv(&s, &p))
		assert_int_equal(p.h.op, VSOCK_OP_CREDIT_UPDATE);
	close(fd);
}

/* Many packets, one doorbell, in any cut of their chains. */
static void many_at_once(void **state)
{
	struct vconn c[2];
	char want[2][256] = { "", "" };
	int fd[2];

	(void)state;
	vguest_ready(&s);
	for (int i = 0; i < 2; i++)
		fd[i] = vguest_open(&s, &c[i]);
	for (unsigned i = 0; i < VGUEST_TX; i++) {
		unsigned who = i / 3 % 2;
		struct vsock_hdr h = vguest_hdr(&c[who], VSOCK_OP_RW);
		char text[16];

		snprintf(text, sizeof(text), "%u;", i * i * i);
		h.len = (uint32_t)strlen(text);
		vguest_queue(&s, &h, text, h.len, 1 + i % 3);
		strcat(want[who], text);
	}
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	assert_int_equal(vguest_pump(&s), 1);
	for (int i = 0; i < 2; i++) {
		expect_text(fd[i], want[i]);
		close(fd[i]);
	}
}

/* A guest that always has one more packet does not keep the loop. */
static void a_turn_is_bounded(void **state)
{
	uint8_t *raw;
	struct vsock_hdr h;
	char got[256];
	struct vconn c;
	gpa_t at;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	at = guest_alloc(&s.g, VSOCK_HDR + 1, 1);
	raw = guest_at(&s.g, at, VSOCK_HDR + 1);
	h = vguest_hdr(&c, VSOCK_OP_RW);
	h.len = 1;
	pkt_encode(raw, &h);
	raw[VSOCK_HDR] = '!';
	while (ring_used(&s.tx, NULL, NULL))
		;
	for (unsigned i = 0; i < s.tx.size; i++)
		ring_add(&s.tx, &SEG_OUT(at, VSOCK_HDR + 1), 1);
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	assert_int_equal(vguest_pump(&s), 2);
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), s.tx.size);
	close(fd);
}

static void largest_packet(void **state)
{
	struct vconn c;
	bool eof;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	assert_int_equal(pour(&c, 0, VGUEST_TX_BYTES), VGUEST_TX_BYTES);
	assert_int_equal(drain(fd, 0, &eof), VGUEST_TX_BYTES);
	close(fd);
}

/* Bytes behind the length of the header are not the stream's. */
static void short_length(void **state)
{
	struct vsock_hdr h;
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	h = vguest_hdr(&c, VSOCK_OP_RW);
	h.len = 3;
	vguest_queue(&s, &h, "yes, not this", 13, 3);
	h.len = 0;
	vguest_queue(&s, &h, "nor this", 8, 1);
	h.len = 4;
	vguest_queue(&s, &h, " and", 4, 1);
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	vguest_pump(&s);
	expect_text(fd, "yes and");
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(slow_reader_gets_all),
		T(credit_comes_back),
		T(tail_after_half_close),
		T(tail_after_close),
		T(tail_after_reset),
		T(client_leaves_its_tail),
		T(client_stops_with_a_tail),
		T(nothing_overtakes),
		T(past_the_credit),
		T(counters_wrap),
		T(many_at_once),
		T(a_turn_is_bounded),
		T(largest_packet),
		T(short_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
