/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes and packets to the guest: credit, RX buffers, turns. */
#include "tests/unit/monitor/dev/vsock_rig.h"

#include <fcntl.h>
#include <stdlib.h>

/* As much of a pattern as the socket takes; returns the new position. */
static uint32_t fill(int fd, uint32_t at, uint32_t most)
{
	uint8_t chunk[4096];

	while (most > 0) {
		size_t n = MIN(most, sizeof(chunk));
		ssize_t put;

		for (size_t i = 0; i < n; i++)
			chunk[i] = (uint8_t)((at + i) * 7 >> 3);
		put = send(fd, chunk, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put <= 0)
			break;
		at += (uint32_t)put;
		most -= (uint32_t)put;
	}
	return at;
}

/* Checks one packet of the pattern. */
static uint32_t check(uint32_t at)
{
	assert_int_equal(p.h.op, VSOCK_OP_RW);
	for (uint32_t i = 0; i < p.h.len; i++)
		assert_int_equal(p.data[i], (uint8_t)((at + i) * 7 >> 3));
	return at + p.h.len;
}

/* All packets that are there; those that carry no bytes are counted by op. */
static uint32_t drain(uint32_t at, unsigned ops[VSOCK_NOPS])
{
	while (vguest_recv(&s, &p)) {
		ops[p.h.op]++;
		if (p.h.op == VSOCK_OP_RW)
			at = check(at);
	}
	return at;
}

static struct conn *conn_of(const struct vconn *c)
{
	return conn_find(dev(), c->host_port, c->guest_port);
}

static void bulk(void **state)
{
	unsigned ops[VSOCK_NOPS] = { 0 };
	uint32_t sent = 0, got = 0, total = 3u << 20;
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	while (got < total) {
		sent = fill(fd, sent, total - sent);
		vguest_pump(&s);
		got = drain(got, ops);
		c.fwd_cnt = got;
		vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	}
	assert_int_equal(got, total);
	close(fd);
}

/* What waits in the socket goes in one turn of the loop, in few reads: full
 * buffers show that none was read for itself. */
static void drained_in_one_turn(void **state)
{
	unsigned ops[VSOCK_NOPS] = { 0 };
	uint32_t sent;
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	expect_quiet();
	guest_irqs(s.v);
	sent = fill(fd, 0, 40 * VGUEST_RX_BYTES);
	assert_int_equal(sent, 40 * VGUEST_RX_BYTES);
	assert_int_equal(vguest_pump(&s), 1);
	assert_int_equal(guest_irqs(s.v), 1);
	assert_int_equal(drain(0, ops), sent);
	assert_int_equal(ops[VSOCK_OP_RW], 40);
	close(fd);
}

static void credit_ends(void **state)
{
	unsigned ops[VSOCK_NOPS] = { 0 };
	uint32_t sent, got;
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	c.buf_alloc = 1000;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	sent = fill(fd, 0, 5000);
	vguest_pump(&s);
	got = drain(0, ops);
	assert_int_equal(got, 1000);
	assert_int_equal(ops[VSOCK_OP_CREDIT_REQUEST], 1);
	vguest_pump(&s);
	assert_int_equal(vguest_pump(&s), 0);

	/* An answer that gives nothing must not start a conversation. */
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	expect_quiet();
	c.fwd_cnt = 400;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	got = drain(got, ops);
	assert_int_equal(got, 1400);
	assert_int_equal(ops[VSOCK_OP_CREDIT_REQUEST], 2);
	c.fwd_cnt = got;
	c.buf_alloc = 100000;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	assert_int_equal(drain(got, ops), sent);
	assert_int_equal(ops[VSOCK_OP_CREDIT_REQUEST], 2);
	close(fd);
}

/* A guest that lies has no credit, or gets more than it can take: its loss. */
static void credit_lies(void **state)
{
	static const struct {
		uint32_t alloc, fwd, moved;
	} lies[] = {
		{ 1000, 5000, 0 },	   /* read what was never sent */
		{ 1000, 0x80000000, 0 },
		{ 0, 0, 0 },
		{ 0, UINT32_MAX, 0 },
		{ UINT32_MAX, 0, 3000 },
		{ UINT32_MAX, UINT32_MAX, 3000 },
		{ 0x80000000, 0x80000001, 1 },
		{ 1000, UINT32_MAX, 999 }, /* as if one were still held */
	};

	(void)state;
	vguest_ready(&s);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		unsigned ops[VSOCK_NOPS] = { 0 };
		struct vconn c;
		int fd = vguest_open(&s, &c);

		c.buf_alloc = lies[i].alloc;
		c.fwd_cnt = lies[i].fwd;
		vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
		assert_int_equal(fill(fd, 0, 3000), 3000);
		vguest_pump(&s);
		assert_int_equal(drain(0, ops), lies[i].moved);
		close(fd);
		vguest_pump(&s);
		vguest_send(&s, &c, VSOCK_OP_RST, NULL, 0);
		drain(lies[i].moved, ops);
	}
	assert_int_equal(dev()->free.n, dev()->top);
}

static void counters_wrap(void **state)
{
	unsigned ops[VSOCK_NOPS] = { 0 };
	struct vconn c;
	struct conn *conn;
	uint32_t at = 0;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	conn = conn_of(&c);
	conn->sent = 0xfffff000;
	c.fwd_cnt = 0xfffff000;
	c.buf_alloc = 8192;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	assert_int_equal(fill(fd, 0, 20000), 20000);
	while (at < 20000) {
		uint32_t was = at;

		vguest_pump(&s);
		at = drain(at, ops);
		assert_in_range(at - was, 1, 8192);
		c.fwd_cnt += at - was;
		vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	}
	assert_int_equal(at, 20000);
	close(fd);
}

/* Without RX buffers nothing moves, nothing spins and nothing is lost. */
static void starved(void **state)
{
	unsigned ops[VSOCK_NOPS] = { 0 };
	uint32_t sent, got = 0;
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	s.keep_rx = true;
	sent = fill(fd, 0, VGUEST_RX * VGUEST_RX_BYTES / 2);
	vguest_pump(&s);
	sent = fill(fd, sent, VGUEST_RX * VGUEST_RX_BYTES);
	c.buf_alloc = 1u << 30;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	got = drain(got, ops);
	assert_true(got < sent);
	assert_int_equal(s.rx_posted, 0);
	assert_int_equal(conn_of(&c)->client.events, 0);
	close(fd);		/* a hang-up cannot be masked */
	vguest_pump(&s);
	assert_int_equal(vguest_pump(&s), 0);
	vguest_post(&s, 1);
	vguest_pump(&s);
	got = drain(got, ops);
	s.keep_rx = false;
	vguest_post(&s, VGUEST_RX);
	vguest_pump(&s);
	while (!ops[VSOCK_OP_RST]) {
		got = drain(got, ops);
		vguest_pump(&s);
	}
	assert_int_equal(got, sent);
	assert_int_equal(ops[VSOCK_OP_RST], 1);
	assert_int_equal(dev()->free.n, 1);
}

/* The same, without credit. */
static void hung_up_without_credit(void **state)
{
	unsigned ops[VSOCK_NOPS] = { 0 };
	struct vconn c;
	uint32_t got;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	c.buf_alloc = 10;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	fill(fd, 0, 30);
	vguest_pump(&s);
	close(fd);
	vguest_pump(&s);
	got = drain(0, ops);
	assert_int_equal(got, 10);
	assert_int_equal(ops[VSOCK_OP_RST], 0);
	c.fwd_cnt = 10;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	c.fwd_cnt = 20;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	c.fwd_cnt = 30;
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	assert_int_equal(drain(got, ops), 30);
	assert_int_equal(ops[VSOCK_OP_RST], 1);
}

/* Clients come and go while the guest takes no packet: nothing piles up. */
static void nothing_grows_without_buffers(void **state)
{
	(void)state;
	vguest_ready(&s);
	guest_reset(s.v);
	vguest_pump(&s);
	vguest_start(&s, 0);
	dev()->agent_ready = true;
	for (int i = 0; i < 3000; i++) {
		int fd = vguest_client(&s);

		say(fd, "CONNECT 1\n");
		close(fd);
		vguest_pump(&s);
	}
	assert_int_equal(dev()->top, 1);
	assert_int_equal(dev()->free.n, 1);
	vguest_post(&s, 4);
	vguest_pump(&s);
	expect_quiet();
}

/* Resets for packets of no connection are owed, at most so many: then the TX
 * queue waits for RX buffers. None is lost. */
static void strays_hold_back_tx(void **state)
{
	struct vconn c = { .host_port = 5 };
	unsigned n = 0;

	(void)state;
	guest_reset(s.v);
	vguest_start(&s, VIRTIO_F_EVENT_IDX);
	while (s.tx_sent < VGUEST_TX) {
		c.guest_port = n++;
		vguest_send(&s, &c, VSOCK_OP_RW, "x", 1);
		assert_true(n <= VSOCK_MAX_STRAY + VGUEST_TX);
	}
	assert_int_equal(n, VSOCK_MAX_STRAY + VGUEST_TX);
	assert_int_equal(vguest_pump(&s), 0);
	s.keep_rx = true;
	for (unsigned i = 0; i < n; i++) {
		vguest_post(&s, 1);
		vguest_pump(&s);
		expect_op(VSOCK_OP_RST);
		assert_int_equal(p.h.src_port, 5);
		assert_int_equal(p.h.dst_port, i);
	}
	vguest_post(&s, 1);
	vguest_pump(&s);
	expect_quiet();
}

/* Bytes kept for the client, and no RX buffer left. */
static int open_with_tail(struct vconn *c)
{
	static const uint8_t data[32768];
	int fd = vguest_open(&s, c);

	for (int i = 0; i < 10 && buf_len(&conn_of(c)->out) == 0; i++)
		vguest_send(&s, c, VSOCK_OP_RW, data, sizeof(data));
	assert_true(buf_len(&conn_of(c)->out) > 0);
	s.keep_rx = true;
	while (vguest_recv(&s, &p))
		;
	while (s.rx_posted > 0) {
		say(fd, "x");
		expect_op(VSOCK_OP_RW);
	}
	return fd;
}

/* Who is told that all has ended is told nothing else. */
static void reset_comes_alone(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = open_with_tail(&c);
	shutdown(fd, SHUT_WR);
	vguest_send(&s, &c, VSOCK_OP_CREDIT_REQUEST, NULL, 0);
	vguest_shutdown(&s, &c, VSOCK_SHUT_BOTH);
	vguest_post(&s, 4);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	expect_quiet();
	close(fd);
}

/* What was owed to the guest before its reset is owed to nobody after it. */
static void reset_forgets_what_is_owed(void **state)
{
	struct vconn c, other = { .host_port = 5, .guest_port = 6 };
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = open_with_tail(&c);
	vguest_shutdown(&s, &c, VSOCK_SHUT_BOTH);
	vguest_send(&s, &other, VSOCK_OP_RW, "x", 1);
	guest_reset(s.v);
	vguest_start(&s, VIRTIO_F_EVENT_IDX);
	vguest_post(&s, 4);
	vguest_pump(&s);
	expect_quiet();
	assert_true(vsock_pending(s.v));
	close(fd);
}

static void connections_take_turns(void **state)
{
	uint32_t got[4] = { 0 };
	struct vconn c[4];
	int fd[4];

	(void)state;
	vguest_ready(&s);
	for (int i = 0; i < 4; i++)
		fd[i] = vguest_open(&s, &c[i]);
	s.keep_rx = true;
	for (int i = 0; i < 4; i++)
		assert_int_equal(fill(fd[i], 0, 160000), 160000);
	for (int round = 0; round < 2; round++) {
		vguest_pump(&s);
		while (vguest_recv(&s, &p))
			for (int i = 0; i < 4; i++)
				if (p.h.src_port == c[i].host_port)
					got[i] += p.h.len;
		vguest_post(&s, VGUEST_RX);
	}
	for (int i = 0; i < 4; i++) {
		assert_true(got[i] >= 48u << 10);
		close(fd[i]);
	}
}

/* A guest that asks again and again is owed one answer. */
static void what_is_owed_is_a_flag(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	for (int i = 0; i < VGUEST_TX - 1; i++) {
		struct vsock_hdr h = vguest_hdr(&c, VSOCK_OP_CREDIT_REQUEST);

		vguest_queue(&s, &h, NULL, 0, 1);
	}
	vguest_send(&s, &c, VSOCK_OP_CREDIT_UPDATE, NULL, 0);
	expect_op(VSOCK_OP_CREDIT_UPDATE);
	assert_int_equal(p.h.buf_alloc, VSOCK_BUF_ALLOC);
	expect_quiet();
	close(fd);
}

/* RX buffers that hold no packet end the device; clients are told. */
static void useless_buffer(void **state)
{
	struct vconn c;
	struct seg seg;
	int fd;

	(void)state;
	vguest_ready(&s);
	guest_reset(s.v);
	vguest_pump(&s);
	vguest_start(&s, 0);
	vguest_post(&s, 2);
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	seg = SEG_IN(guest_alloc(&s.g, 64, 1), VSOCK_HDR);
	while (s.rx_posted > 0) {
		s.keep_rx = true;
		say(fd, "x");
		expect_op(VSOCK_OP_RW);
	}
	ring_add(&s.rx, &seg, 1);
	say(fd, "x");
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_RX);
	vguest_pump(&s);
	assert_true(guest_status(s.v) & VIRTIO_S_NEEDS_RESET);
	expect_eof(fd);
	close(fd);
	assert_int_equal(vguest_pump(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(bulk),
		T(drained_in_one_turn),
		T(credit_ends),
		T(credit_lies),
		T(counters_wrap),
		T(starved),
		T(hung_up_without_credit),
		T(nothing_grows_without_buffers),
		T(strays_hold_back_tx),
		T(reset_comes_alone),
		T(reset_forgets_what_is_owed),
		T(connections_take_turns),
		T(what_is_owed_is_a_flag),
		T(useless_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
