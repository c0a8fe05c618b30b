/* SPDX-License-Identifier: Apache-2.0 */
/* Packets no honest guest would send, field by field. */
#include "tests/unit/monitor/dev/vsock_rig.h"

static struct vconn c;
static int fd;

static int setup_open(void **state)
{
	setup(state);
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	return 0;
}

static int teardown_open(void **state)
{
	close(fd);
	return teardown(state);
}

/* Sends h with text behind it. */
static void put(const struct vsock_hdr *h, const char *text)
{
	vguest_queue(&s, h, text, strlen(text), 2);
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	vguest_pump(&s);
}

static struct vsock_hdr data_hdr(uint32_t len)
{
	struct vsock_hdr h = vguest_hdr(&c, VSOCK_OP_RW);

	h.len = len;
	return h;
}

static void expect_alive(void)
{
	expect_quiet();
	vguest_send(&s, &c, VSOCK_OP_RW, "alive", 5);
	expect_text(fd, "alive");
	assert_false(guest_status(s.v) & VIRTIO_S_NEEDS_RESET);
}

static void expect_ended(void)
{
	expect_op(VSOCK_OP_RST);
	assert_int_equal(p.h.src_port, c.host_port);
	assert_int_equal(p.h.dst_port, c.guest_port);
	assert_true(p.h.dst_cid == VGUEST_CID);
	expect_quiet();
	expect_eof(fd);
	assert_int_equal(dev()->free.n, 1);
}

static void expect_broken(void)
{
	assert_true(guest_status(s.v) & VIRTIO_S_NEEDS_RESET);
	expect_eof(fd);
	assert_int_equal(dev()->free.n, 1);
	assert_int_equal(vguest_pump(&s), 0);
}

static void wrong_cids(void **state)
{
	static const uint64_t cids[] = { 0,	     1,
					 4,	     UINT32_MAX,
					 UINT64_MAX, VGUEST_CID | 1ull << 32 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cids); i++) {
		struct vsock_hdr h = data_hdr(4);

		h.src_cid = cids[i];
		put(&h, "evil");
		h = data_hdr(4);
		h.dst_cid = cids[i];
		put(&h, "evil");
	}
	expect_nothing(fd);
	expect_alive();
}

static void wrong_ports(void **state)
{
	struct vsock_hdr h = data_hdr(1);

	(void)state;
	h.src_port++;
	put(&h, "x");
	expect_op(VSOCK_OP_RST);
	assert_int_equal(p.h.dst_port, h.src_port);
	h = data_hdr(1);
	h.dst_port += VSOCK_MAX_CONNS; /* the slot, another use of it */
	put(&h, "x");
	expect_op(VSOCK_OP_RST);
	assert_int_equal(p.h.src_port, h.dst_port);
	h = data_hdr(1);
	h.dst_port++; /* a slot never used */
	put(&h, "x");
	expect_op(VSOCK_OP_RST);
	h.op = VSOCK_OP_RST; /* a reset is not answered */
	h.len = 0;
	put(&h, "");
	expect_alive();
}

static void unknown_type(void **state)
{
	static const uint16_t types[] = { 0, 2, 3, 0x100, 0xffff };
	struct vsock_hdr h = data_hdr(1);

	(void)state;
	h.dst_port++;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		h.type = types[i];
		put(&h, "x");
		expect_op(VSOCK_OP_RST);
		assert_int_equal(p.h.type, types[i]);
	}
	h = data_hdr(1);
	h.type = 2;
	put(&h, "x");
	expect_ended();
}

/* "Ready" is asked for with a stream, or it is not asked for. */
static void ready_of_another_type(void **state)
{
	struct vsock_hdr h = vguest_hdr(&c, VSOCK_OP_REQUEST);

	(void)state;
	dev()->agent_ready = false;
	h.dst_port = VSOCK_READY_PORT;
	h.type = 2;
	put(&h, "");
	expect_op(VSOCK_OP_RST);
	assert_false(dev()->agent_ready);
	h.type = 1;
	h.op = VSOCK_OP_RESPONSE;
	put(&h, "");
	expect_op(VSOCK_OP_RST);
	assert_false(dev()->agent_ready);
}

static void op_that_is_not_expected(void **state)
{
	static const uint16_t ops[] = { 0,
					VSOCK_OP_REQUEST,
					VSOCK_OP_RESPONSE,
					8,
					9,
					255,
					256 + VSOCK_OP_RW,
					0xffff };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct vsock_hdr h = data_hdr(0);

		h.op = ops[i];
		put(&h, "");
		expect_ended();
		close(fd);
		fd = vguest_open(&s, &c);
	}
	expect_alive();
}

/* Before its RESPONSE a guest may answer with that or a reset. */
static void op_before_the_response(void **state)
{
	static const uint16_t ops[] = {
		0,	     VSOCK_OP_REQUEST,	     VSOCK_OP_SHUTDOWN,
		VSOCK_OP_RW, VSOCK_OP_CREDIT_UPDATE, VSOCK_OP_CREDIT_REQUEST,
		77
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		struct vsock_hdr h;

		close(fd);
		vguest_pump(&s);
		expect_op(VSOCK_OP_RST);
		fd = vguest_client(&s);
		say(fd, "CONNECT 1024\n");
		expect_op(VSOCK_OP_REQUEST);
		c.host_port = p.h.src_port;
		h = vguest_hdr(&c, ops[i]);
		put(&h, "");
		expect_ended();
		close(fd);
		fd = vguest_open(&s, &c);
	}
}

/* A request still on its way to the guest cannot have been answered. */
static void response_to_no_request(void **state)
{
	struct vsock_hdr h;
	int late = vguest_client(&s);

	(void)state;
	s.keep_rx = true;
	while (s.rx_posted > 0) {
		say(fd, "x");
		expect_op(VSOCK_OP_RW);
	}
	say(late, "CONNECT 1024\n");
	h = vguest_hdr(&c, VSOCK_OP_RESPONSE);
	h.dst_port = c.host_port + 1;
	put(&h, "");
	assert_int_equal(dev()->conns[1].host_port, h.dst_port);
	assert_int_equal(dev()->conns[1].state, CONN_ASKED);
	expect_nothing(late);
	close(late);
}

static void data_after_shutdown(void **state)
{
	struct vsock_hdr h = data_hdr(1);

	(void)state;
	vguest_shutdown(&s, &c, VSOCK_SHUT_SEND);
	put(&h, "x");
	expect_ended();
}

static void shutdown_flags(void **state)
{
	(void)state;
	vguest_shutdown(&s, &c, 0);
	vguest_shutdown(&s, &c, ~VSOCK_SHUT_BOTH);
	expect_nothing(fd);
	expect_alive();
	vguest_shutdown(&s, &c, UINT32_MAX);
	expect_ended();
}

static void length_lies(void **state)
{
	static const uint32_t lens[] = { 6,
					 100,
					 65536,
					 0x7fffffff,
					 UINT32_MAX,
					 UINT32_MAX - VSOCK_HDR + 1,
					 UINT32_MAX - VSOCK_HDR + 6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct vsock_hdr h = data_hdr(lens[i]);

		put(&h, "12345");
		expect_broken();
		teardown_open(state);
		setup_open(state);
	}
	/* control packets too: their length is checked like any other's */
	struct vsock_hdr h = vguest_hdr(&c, VSOCK_OP_CREDIT_UPDATE);

	h.len = 1;
	put(&h, "");
	expect_broken();
}

static void no_whole_header(void **state)
{
	gpa_t at = guest_alloc(&s.g, 64, 1);
	struct seg seg = SEG_OUT(at, VSOCK_HDR - 1);

	(void)state;
	ring_add(&s.tx, &seg, 1);
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	vguest_pump(&s);
	expect_broken();
}

static void nothing_to_read(void **state)
{
	struct seg seg = SEG_IN(guest_alloc(&s.g, 64, 1), 64);

	(void)state;
	ring_add(&s.tx, &seg, 1);
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	vguest_pump(&s);
	expect_broken();
}

static void readable_rx_buffer(void **state)
{
	gpa_t at = guest_alloc(&s.g, 8192, 1);
	struct seg seg[2] = { SEG_OUT(at, 4096),
			      SEG_IN(GPA(at.v + 4096), 4096) };

	(void)state;
	s.keep_rx = true;
	while (s.rx_posted > 0) {
		say(fd, "x");
		expect_op(VSOCK_OP_RW);
	}
	ring_add(&s.rx, seg, 2);
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_RX);
	say(fd, "x");
	expect_broken();
}

/* A batch that ends in nonsense: what came before it is delivered. */
static void good_then_bad(void **state)
{
	struct vsock_hdr h = data_hdr(4);

	(void)state;
	vguest_queue(&s, &h, "good", 4, 2);
	h.len = 99;
	vguest_queue(&s, &h, "bad", 3, 2);
	guest_write32(s.v, MMIO_QUEUE_NOTIFY, VSOCK_TX);
	vguest_pump(&s);
	expect_text(fd, "good");
	expect_broken();
}

static void broken_then_reset(void **state)
{
	struct vsock_hdr h = data_hdr(99);

	(void)state;
	put(&h, "bad");
	expect_broken();
	close(fd);
	guest_reset(s.v);
	vguest_pump(&s);
	vguest_start(&s, VIRTIO_F_EVENT_IDX);
	vguest_post(&s, 8);
	vguest_ready(&s);
	fd = vguest_open(&s, &c);
	expect_alive();
}

static void slices(void **state)
{
	char a[] = "abc", b[] = "defgh", flat[9] = "";
	struct iovec in[3] = { { a, 3 }, { NULL, 0 }, { b, 5 } }, out[3];

	(void)state;
	assert_int_equal(pkt_slice(in, 3, 0, 8, out, 3), 2);
	assert_int_equal(pkt_slice(in, 3, 3, 1, out, 3), 1);
	assert_ptr_equal(out[0].iov_base, b);
	assert_int_equal(out[0].iov_len, 1);
	assert_int_equal(pkt_slice(in, 3, 2, 99, out, 3), 2);
	assert_ptr_equal(out[0].iov_base, a + 2);
	assert_int_equal(out[1].iov_len, 5);
	assert_int_equal(pkt_slice(in, 3, 2, 99, out, 1), 1);
	assert_int_equal(pkt_slice(in, 3, 8, 1, out, 3), 0);
	assert_int_equal(pkt_slice(in, 3, 0, 0, out, 3), 0);

	in[1] = (struct iovec){ a, 0 };
	assert_int_equal(pkt_get(in, 3, flat, 6), 6);
	assert_string_equal(flat, "abcdef");
	assert_int_equal(pkt_get(in, 3, flat, 9), 8);
	assert_int_equal(pkt_put(in, 3, "ABCD", 4), 4);
	assert_string_equal(a, "ABC");
	assert_string_equal(b, "Defgh");
}

#define O(f) cmocka_unit_test_setup_teardown(f, setup_open, teardown_open)

int main(void)
{
	const struct CMUnitTest tests[] = {
		O(wrong_cids),
		O(wrong_ports),
		O(unknown_type),
		O(ready_of_another_type),
		O(op_that_is_not_expected),
		O(op_before_the_response),
		O(response_to_no_request),
		O(data_after_shutdown),
		O(shutdown_flags),
		O(length_lies),
		O(no_whole_header),
		O(nothing_to_read),
		O(readable_rx_buffer),
		O(good_then_bad),
		O(broken_then_reset),
		cmocka_unit_test(slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
