/* SPDX-License-Identifier: Apache-2.0 */
/* How connections begin, who has to wait, and how many there may be. */
#include "proto/ports.h"
#include "tests/unit/monitor/dev/vsock_rig.h"

#include <assert.h>
#include <sys/resource.h>

static_assert(VIAL_READY_PORT == VSOCK_READY_PORT, "one number, two layers");
static_assert(VIAL_HOST_CID == VSOCK_HOST_CID, "one number, two layers");

/* ---- wire ---- */

static void header_layout(void **state)
{
	static const char text[VSOCK_HDR + 1] =
		"\x01\0\0\0\0\0\0\x81" /* src_cid */
		"\x02\0\0\0\0\0\0\x82" /* dst_cid */
		"\x03\0\0\x83"	       /* src_port */
		"\x04\0\0\x84"	       /* dst_port */
		"\x05\0\0\x85"	       /* len */
		"\x06\x86"	       /* type */
		"\x07\x87"	       /* op */
		"\x08\0\0\x88"	       /* flags */
		"\x09\0\0\x89"	       /* buf_alloc */
		"\x0a\0\0\x8a";	       /* fwd_cnt */
	const uint8_t *raw = (const uint8_t *)text;
	uint8_t back[VSOCK_HDR];
	struct vsock_hdr h;

	(void)state;
	pkt_decode(&h, raw);
	assert_true(h.src_cid == 0x8100000000000001);
	assert_true(h.dst_cid == 0x8200000000000002);
	assert_int_equal(h.src_port, 0x83000003);
	assert_int_equal(h.dst_port, 0x84000004);
	assert_int_equal(h.len, 0x85000005);
	assert_int_equal(h.type, 0x8606);
	assert_int_equal(h.op, 0x8707);
	assert_int_equal(h.flags, 0x88000008);
	assert_int_equal(h.buf_alloc, 0x89000009);
	assert_int_equal(h.fwd_cnt, 0x8a00000a);
	pkt_encode(back, &h);
	assert_memory_equal(back, raw, sizeof(back));
}

static void config_has_the_cid(void **state)
{
	uint64_t cid = 0;

	(void)state;
	mmio_read(s.v, 0x100, &cid, 8);
	assert_true(cid == VGUEST_CID);
	mmio_read(s.v, 0x104, &cid, 8);
	assert_true(cid == 0);
}

/* ---- the handshake ---- */

static void handshake(void **state)
{
	struct vconn c;
	char ok[32];
	int fd = vguest_client(&s);

	(void)state;
	vguest_ready(&s);
	say(fd, "CONNECT 1024\n");
	expect_op(VSOCK_OP_REQUEST);
	assert_int_equal(p.used, VSOCK_HDR);
	assert_true(p.h.src_cid == 2 && p.h.dst_cid == VGUEST_CID);
	assert_int_equal(p.h.type, 1);
	assert_int_equal(p.h.dst_port, 1024);
	assert_int_equal(p.h.buf_alloc, VSOCK_BUF_ALLOC);
	assert_int_equal(p.h.fwd_cnt, 0);
	expect_nothing(fd);

	c = (struct vconn){ p.h.src_port, 1024, 65536, 0 };
	vguest_send(&s, &c, VSOCK_OP_RESPONSE, NULL, 0);
	snprintf(ok, sizeof(ok), "OK %u\n", c.host_port);
	expect_text(fd, ok);

	say(fd, "to guest");
	expect_bytes("to guest");
	vguest_send(&s, &c, VSOCK_OP_RW, "to client", 9);
	expect_text(fd, "to client");
	expect_quiet();
	close(fd);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	assert_int_equal(dev()->free.n, 1);
}

static void pipelined(void **state)
{
	struct vconn c = { .guest_port = 9, .buf_alloc = 65536 };
	int fd = vguest_client(&s);

	(void)state;
	vguest_ready(&s);
	say(fd, "CONNECT 9\nfirst\nsecond");
	expect_op(VSOCK_OP_REQUEST);
	expect_quiet();
	c.host_port = p.h.src_port;
	vguest_send(&s, &c, VSOCK_OP_RESPONSE, NULL, 0);
	expect_bytes("first\nsecond");
	close(fd);
}

/* The end of the client's stream is part of what it may pipeline. */
static void pipelined_with_end(void **state)
{
	struct vconn c = { .guest_port = 9, .buf_alloc = 65536 };
	int fd = vguest_client(&s);

	(void)state;
	vguest_ready(&s);
	assert_int_equal(write(fd, "CONNECT 9\nall", 13), 13);
	shutdown(fd, SHUT_WR);
	vguest_pump(&s);
	expect_op(VSOCK_OP_REQUEST);
	c.host_port = p.h.src_port;
	vguest_send(&s, &c, VSOCK_OP_RESPONSE, NULL, 0);
	expect_bytes("all");
	expect_op(VSOCK_OP_SHUTDOWN);
	assert_int_equal(p.h.flags, VSOCK_SHUT_SEND);
	expect_quiet();
	close(fd);
}

static void line_in_pieces(void **state)
{
	int fd = vguest_client(&s);

	(void)state;
	vguest_ready(&s);
	say(fd, "CON");
	say(fd, "NECT 42949");
	expect_quiet();
	say(fd, "67294");
	say(fd, "\n");
	expect_op(VSOCK_OP_REQUEST);
	assert_true(p.h.dst_port == 4294967294);
	close(fd);
}

static void bad_lines(void **state)
{
	static const char *const bad[] = {
		"\n",
		"CONNECT\n",
		"CONNECT \n",
		"CONNECT 0\n",
		"CONNECT -1\n",
		"CONNECT 4294967295\n",
		"CONNECT 42949672960\n",
		"CONNECT 1024 \n",
		"CONNECT  1024\n",
		"connect 1024\n",
		"CONNECT 0x10\n",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT 10241024102410241024102410241024",
	};

	(void)state;
	vguest_ready(&s);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		int fd = vguest_client(&s);

		say(fd, bad[i]);
		expect_eof(fd);
		close(fd);
	}
	expect_quiet();
	assert_int_equal(dev()->lines.n, 0);
}

static void refused(void **state)
{
	struct vconn c = { .guest_port = 1024 };
	int fd = vguest_client(&s);

	(void)state;
	vguest_ready(&s);
	say(fd, "CONNECT 1024\nsomething nobody will read");
	expect_op(VSOCK_OP_REQUEST);
	c.host_port = p.h.src_port;
	vguest_send(&s, &c, VSOCK_OP_RST, NULL, 0);
	expect_eof(fd);
	expect_quiet();
	assert_int_equal(dev()->free.n, 1);
	close(fd);
}

static void host_ports_are_not_reused(void **state)
{
	struct vconn c[3];
	int fd[3];

	(void)state;
	vguest_ready(&s);
	for (int i = 0; i < 2; i++)
		fd[i] = vguest_open(&s, &c[i]);
	assert_true(c[0].host_port != c[1].host_port);
	close(fd[1]);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	fd[2] = vguest_open(&s, &c[2]);
	assert_true(c[2].host_port != c[0].host_port);
	assert_true(c[2].host_port != c[1].host_port);
	/* The same slot, but a late packet for its last user finds nobody. */
	assert_int_equal(c[2].host_port % VSOCK_MAX_CONNS,
			 c[1].host_port % VSOCK_MAX_CONNS);
	vguest_send(&s, &c[1], VSOCK_OP_RW, "late", 4);
	expect_op(VSOCK_OP_RST);
	expect_nothing(fd[2]);
	close(fd[0]);
	close(fd[2]);
}

/* At the end of the numbers they begin again, without VMADDR_PORT_ANY. */
static void host_ports_go_round(void **state)
{
	struct vconn c;
	uint32_t last = 0;

	(void)state;
	vguest_ready(&s);
	for (int i = 0; i < 4; i++) {
		int fd = vguest_open(&s, &c);

		assert_true(c.host_port >= VSOCK_MAX_CONNS);
		assert_true(c.host_port < UINT32_MAX - VSOCK_MAX_CONNS);
		assert_true(c.host_port != last);
		last = c.host_port;
		close(fd);
		vguest_pump(&s);
		expect_op(VSOCK_OP_RST);
		if (i == 1)
			dev()->conns[0].host_port = 0u - 3 * VSOCK_MAX_CONNS;
	}
	assert_int_equal(last, VSOCK_MAX_CONNS);
}

/* ---- ready ---- */

static void held_until_ready(void **state)
{
	int fd[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		char line[32];

		fd[i] = vguest_client(&s);
		snprintf(line, sizeof(line), "CONNECT %d\ndata", 100 + i);
		say(fd[i], line);
	}
	expect_quiet();
	assert_int_equal(dev()->held.n, 3);
	close(fd[1]);
	vguest_pump(&s);
	assert_int_equal(dev()->held.n, 2);

	vguest_ready(&s);
	expect_op(VSOCK_OP_REQUEST);
	assert_int_equal(p.h.dst_port, 100);
	expect_op(VSOCK_OP_REQUEST);
	assert_int_equal(p.h.dst_port, 102);
	expect_quiet();
	close(fd[0]);
	close(fd[2]);
}

/* More than one turn of the loop serves; the last is not forgotten. */
static void many_held(void **state)
{
	int fd[VSOCK_MAX_HELD];

	(void)state;
	for (int i = 0; i < VSOCK_MAX_HELD; i++) {
		fd[i] = vguest_client(&s);
		say(fd[i], "CONNECT 1\n");
	}
	s.keep_rx = true;
	vguest_ready(&s);
	for (int i = 1; i < VGUEST_RX; i++)
		expect_op(VSOCK_OP_REQUEST);
	vguest_post(&s, VGUEST_RX);
	vguest_pump(&s);
	for (int i = VGUEST_RX; i <= VSOCK_MAX_HELD; i++) {
		expect_op(VSOCK_OP_REQUEST);
		vguest_post(&s, 1);
		vguest_pump(&s);
	}
	expect_quiet();
	for (int i = 0; i < VSOCK_MAX_HELD; i++)
		close(fd[i]);
}

static void held_are_bounded(void **state)
{
	int fd[VSOCK_MAX_HELD + 1];

	(void)state;
	for (int i = 0; i <= VSOCK_MAX_HELD; i++) {
		fd[i] = vguest_client(&s);
		say(fd[i], "CONNECT 1\n");
	}
	assert_int_equal(dev()->held.n, VSOCK_MAX_HELD);
	expect_eof(fd[VSOCK_MAX_HELD]);
	expect_nothing(fd[0]);
	for (int i = 0; i <= VSOCK_MAX_HELD; i++)
		close(fd[i]);
	vguest_pump(&s);
	assert_int_equal(dev()->held.n, 0);
}

static void guest_may_not_connect(void **state)
{
	static const uint32_t ports[] = { 1, 22, 1022, 1024, 1025, 0xffffffff };
	int fd = vguest_client(&s);

	(void)state;
	say(fd, "CONNECT 1024\n");
	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		struct vconn c = { ports[i], 33, 65536, 0 };

		vguest_send(&s, &c, VSOCK_OP_REQUEST, NULL, 0);
		expect_op(VSOCK_OP_RST);
		assert_int_equal(p.h.src_port, ports[i]);
		assert_int_equal(p.h.dst_port, 33);
	}
	/* None of it said that the agent is there. */
	expect_quiet();
	assert_int_equal(dev()->held.n, 1);
	close(fd);
}

/* Until its device is up, a guest that boots knows of no client. */
static void reset_keeps_those_who_wait(void **state)
{
	int fd = vguest_client(&s), mute = vguest_client(&s);

	(void)state;
	say(fd, "CONNECT 1024\n");
	guest_reset(s.v);
	vguest_pump(&s);
	vguest_start(&s, 0);
	vguest_post(&s, 4);
	vguest_ready(&s);
	expect_op(VSOCK_OP_REQUEST);
	say(mute, "CONNECT 7\n");
	expect_op(VSOCK_OP_REQUEST);
	close(fd);
	close(mute);
}

static void reset_closes_and_forgets(void **state)
{
	struct vconn c[8];
	int fd[8];

	(void)state;
	vguest_ready(&s);
	for (int i = 0; i < 8; i++)
		fd[i] = vguest_open(&s, &c[i]);
	fd[7] = (close(fd[7]), vguest_client(&s));
	say(fd[7], "CONNECT 5\n");
	guest_reset(s.v);
	for (int i = 0; i < 8; i++) {
		expect_eof(fd[i]);
		close(fd[i]);
	}
	vguest_pump(&s);
	vguest_start(&s, VIRTIO_F_EVENT_IDX);
	vguest_post(&s, 8);
	fd[0] = vguest_client(&s);
	say(fd[0], "CONNECT 5\n");
	expect_quiet(); /* not ready any more */
	vguest_ready(&s);
	expect_op(VSOCK_OP_REQUEST);
	close(fd[0]);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	assert_int_equal(dev()->free.n, dev()->top);
}

/* ---- bounds ---- */

static void silent_clients_make_room(void **state)
{
	int fd[VSOCK_MAX_LINES + 3];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = vguest_client(&s);
		say(fd[i], "CONN");
	}
	assert_int_equal(dev()->lines.n, VSOCK_MAX_LINES);
	expect_eof(fd[0]);
	expect_eof(fd[2]);
	expect_nothing(fd[3]);
	vguest_ready(&s);
	say(fd[3], "ECT 5\n");
	expect_op(VSOCK_OP_REQUEST);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
}

static void clients_are_bounded(void **state)
{
	static int fd[VSOCK_MAX_CONNS + 1];
	struct rlimit old, lim = { 8192, 8192 };
	struct vconn c;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	lim.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	vguest_ready(&s);
	for (int i = 0; i < VSOCK_MAX_CONNS; i++)
		fd[i] = vguest_open(&s, &c);
	fd[VSOCK_MAX_CONNS] = vguest_client(&s);
	vguest_pump(&s);
	expect_eof(fd[VSOCK_MAX_CONNS]);
	close(fd[VSOCK_MAX_CONNS]);
	/* and one that leaves makes room */
	close(fd[500]);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	fd[500] = vguest_open(&s, &c);
	for (int i = 0; i < VSOCK_MAX_CONNS; i++)
		close(fd[i]);
	setrlimit(RLIMIT_NOFILE, &old);
}

static void no_descriptors_left(void **state)
{
	struct rlimit old, lim;
	struct vconn c;
	int fd[2];

	(void)state;
	vguest_ready(&s);
	fd[0] = vguest_open(&s, &c);
	fd[1] = vguest_client(&s);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	lim = old;
	lim.rlim_cur = (rlim_t)fd[1] + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &lim), 0);
	say(fd[1], "CONNECT 5\n"); /* pump() would find a busy loop */
	expect_quiet();
	assert_true(dev()->deafened);
	setrlimit(RLIMIT_NOFILE, &old);
	close(fd[0]);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	expect_op(VSOCK_OP_REQUEST);
	close(fd[1]);
}

static void a_thousand_clients_leave_nothing(void **state)
{
	unsigned before = count_fds();
	struct vconn c;

	(void)state;
	vguest_ready(&s);
	for (int i = 0; i < 1000; i++) {
		int fd = vguest_open(&s, &c);

		say(fd, "ping");
		expect_bytes("ping");
		if (i % 2)
			vguest_shutdown(&s, &c, VSOCK_SHUT_BOTH);
		close(fd);
		vguest_pump(&s);
		expect_op(VSOCK_OP_RST);
		expect_quiet();
	}
	assert_int_equal(count_fds(), before);
	assert_int_equal(dev()->top, 1);
	assert_int_equal(dev()->free.n, 1);
}

static void destroyed_with_all_open(void **state)
{
	unsigned before = count_fds();
	static struct vguest t;
	struct vconn c;
	int fd[3];

	(void)state;
	vguest_init(&t, 0);
	fd[0] = vguest_client(&t);
	vguest_ready(&t);
	fd[1] = vguest_open(&t, &c);
	fd[2] = vguest_client(&t);
	assert_int_equal(write(fd[2], "CONNECT 1\n", 10), 10);
	vguest_pump(&t);
	vguest_fini(&t);
	for (int i = 0; i < 3; i++) {
		expect_eof(fd[i]);
		close(fd[i]);
	}
	assert_int_equal(count_fds(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_layout),
		T(config_has_the_cid),
		T(handshake),
		T(pipelined),
		T(pipelined_with_end),
		T(line_in_pieces),
		T(bad_lines),
		T(refused),
		T(host_ports_are_not_reused),
		T(host_ports_go_round),
		T(held_until_ready),
		T(many_held),
		T(held_are_bounded),
		T(guest_may_not_connect),
		T(reset_keeps_those_who_wait),
		T(reset_closes_and_forgets),
		T(silent_clients_make_room),
		T(clients_are_bounded),
		T(no_descriptors_left),
		T(a_thousand_clients_leave_nothing),
		cmocka_unit_test(destroyed_with_all_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
