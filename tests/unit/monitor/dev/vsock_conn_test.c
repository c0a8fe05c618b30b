/* SPDX-License-Identifier: Apache-2.0 */
/* How connections end: each side half, whole, or without a word. */
#include "tests/unit/monitor/dev/vsock_rig.h"

/* ---- the end of a stream ---- */

static void client_half_closes(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	say(fd, "stdin");
	shutdown(fd, SHUT_WR);
	vguest_pump(&s);
	expect_bytes("stdin");
	expect_op(VSOCK_OP_SHUTDOWN);
	assert_int_equal(p.h.flags, VSOCK_SHUT_SEND);
	vguest_send(&s, &c, VSOCK_OP_RW, "still here", 10);
	expect_text(fd, "still here");
	vguest_shutdown(&s, &c, VSOCK_SHUT_SEND);
	expect_eof(fd);
	expect_op(VSOCK_OP_RST);	/* both are done */
	assert_int_equal(dev()->free.n, 1);
	close(fd);
}

static void guest_half_closes(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	vguest_send(&s, &c, VSOCK_OP_RW, "last", 4);
	vguest_shutdown(&s, &c, VSOCK_SHUT_SEND);
	expect_text(fd, "last");
	expect_eof(fd);
	say(fd, "and yet");
	expect_bytes("and yet");
	close(fd);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	expect_quiet();
}

static void guest_stops_reading(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	vguest_shutdown(&s, &c, VSOCK_SHUT_RCV);
	assert_int_equal(send(fd, "x", 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	vguest_send(&s, &c, VSOCK_OP_RW, "out", 3);
	expect_text(fd, "out");
	expect_quiet();
	vguest_shutdown(&s, &c, VSOCK_SHUT_SEND);
	expect_eof(fd);
	expect_op(VSOCK_OP_RST);
	close(fd);
}

static void client_stops_reading(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	shutdown(fd, SHUT_RD);
	vguest_pump(&s);
	vguest_send(&s, &c, VSOCK_OP_RW, "nobody", 6);
	expect_op(VSOCK_OP_SHUTDOWN);
	assert_int_equal(p.h.flags, VSOCK_SHUT_RCV);
	assert_int_equal(p.h.fwd_cnt, 6);
	say(fd, "stdin");
	expect_bytes("stdin");
	shutdown(fd, SHUT_WR);
	vguest_pump(&s);
	expect_op(VSOCK_OP_RST);
	close(fd);
}

static void guest_closes(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	vguest_send(&s, &c, VSOCK_OP_RW, "bye", 3);
	/* Unread input must not turn the client's end of file into a reset. */
	assert_int_equal(write(fd, "unread", 6), 6);
	vguest_shutdown(&s, &c, VSOCK_SHUT_BOTH);
	expect_text(fd, "bye");
	expect_eof(fd);
	while (vguest_recv(&s, &p) && p.h.op == VSOCK_OP_RW)
		;
	assert_int_equal(p.h.op, VSOCK_OP_RST);
	expect_quiet();
	close(fd);
}

static void guest_resets(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	vguest_send(&s, &c, VSOCK_OP_RW, "bye", 3);
	vguest_send(&s, &c, VSOCK_OP_RST, NULL, 0);
	expect_text(fd, "bye");
	expect_eof(fd);
	expect_quiet();		/* a reset is not answered */
	assert_int_equal(dev()->free.n, 1);
	close(fd);
}

/* What a client wrote before it left still arrives. */
static void client_writes_and_leaves(void **state)
{
	struct vconn c;
	int fd;

	(void)state;
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	assert_int_equal(write(fd, "parting", 7), 7);
	close(fd);
	vguest_pump(&s);
	expect_bytes("parting");
	expect_op(VSOCK_OP_RST);
	expect_quiet();
}

/* The client leaves at each step of a connection's life. */
static void client_leaves_at_any_moment(void **state)
{
	static const char line[] = "CONNECT 77\n";

	(void)state;
	for (size_t n = 0; n < sizeof(line); n++) {
		int fd = vguest_client(&s);

		assert_int_equal(write(fd, line, n), n);
		vguest_pump(&s);
		close(fd);
		vguest_pump(&s);
	}
	assert_int_equal(dev()->free.n, dev()->top);
	vguest_ready(&s);
	expect_quiet();

	/* asked, not answered: the guest is told, its answer is too late */
	for (int i = 0; i < 2; i++) {
		struct vconn c = { .guest_port = 77, .buf_alloc = 1000 };
		int fd = vguest_client(&s);

		say(fd, line);
		expect_op(VSOCK_OP_REQUEST);
		c.host_port = p.h.src_port;
		close(fd);
		vguest_pump(&s);
		expect_op(VSOCK_OP_RST);
		vguest_send(&s, &c, VSOCK_OP_RESPONSE, NULL, 0);
		expect_op(VSOCK_OP_RST);
		expect_quiet();
	}
	assert_int_equal(dev()->free.n, dev()->top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(client_half_closes),
		T(guest_half_closes),
		T(guest_stops_reading),
		T(client_stops_reading),
		T(guest_closes),
		T(guest_resets),
		T(client_writes_and_leaves),
		T(client_leaves_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
