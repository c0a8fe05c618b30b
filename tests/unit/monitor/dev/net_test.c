/* SPDX-License-Identifier: Apache-2.0 */
/* A socket that keeps the bounds of messages stands for the tap. */
#include "dev/net.h"

#include "base/auto.h"
#include "tests/guest/guest.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define HDR 12
#define ETH 14
#define MRG (1ull << 15)
#define CONFIG 0x100
#define LINK_UP 1
#define FRAME_MAX (65535 + ETH + 4)

static const uint8_t our_mac[6] = { 2, 0, 0, 0, 0, 7 };

struct bench {
	struct guest g;
	struct loop loop;
	struct virtio *v;
	struct ring rx, tx;
	int peer;
};

static struct bench bench;

static void set_up(bool stream, struct rate_conf tx_rate, uint64_t features)
{
	struct bench *b = &bench;
	struct dev_conf conf = { .type = DEV_NET };
	struct err e = { 0 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX,
				    (stream ? SOCK_STREAM : SOCK_SEQPACKET) |
					    SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, fds),
			 0);
	guest_init(&b->g);
	assert_int_equal(loop_init(&b->loop, NULL, &e), 0);
	conf.net = (struct net_conf){ .name = "net0",
				      .fd = fds[0],
				      .stream = stream,
				      .mtu = 1400,
				      .tx = tx_rate };
	memcpy(conf.net.mac, our_mac, sizeof(our_mac));
	b->peer = fds[1];
	b->v = net_create(&conf, &b->g.mem, &b->loop, &e);
	assert_non_null(b->v);
	log_init("test", LOG_ERR);
	assert_true(guest_start(b->v, features));
	ring_init(&b->rx, &b->g, b->v, 0, 64);
	ring_init(&b->tx, &b->g, b->v, 1, 64);
	guest_go(b->v);
}

static int plain(void **state)
{
	set_up(false, (struct rate_conf){ 0 }, MRG);
	*state = &bench;
	return 0;
}

static int whole_buffers(void **state)
{
	set_up(false, (struct rate_conf){ 0 }, 0);
	*state = &bench;
	return 0;
}

static int stream(void **state)
{
	set_up(true, (struct rate_conf){ 0 }, MRG);
	*state = &bench;
	return 0;
}

static int limited(void **state)
{
	set_up(false, (struct rate_conf){ .ops = 4 }, MRG);
	*state = &bench;
	return 0;
}

static int end(void **state)
{
	struct bench *b = *state;

	net_destroy(b->v);
	loop_fini(&b->loop);
	guest_fini(&b->g);
	if (b->peer >= 0)
		close(b->peer);
	return 0;
}

/* All that is ready, and nothing that is not. */
static void turn(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++) {
		loop_once(&b->loop, 0);
		mmio_kick(b->v);
	}
}

static struct dev_stats stats(struct bench *b)
{
	struct dev_stats s = { 0 };

	net_stats(b->v, &s);
	return s;
}

/* An Ethernet frame: to, from, type, and numbers that tell where they are. */
static void make_frame(uint8_t *at, size_t len, const uint8_t *from)
{
	memset(at, 0xff, 6);
	memcpy(at + 6, from, 6);
	for (size_t i = 12; i < len; i++)
		at[i] = (uint8_t)(i * 7 + i / 251);
}

/* In guest memory, behind an empty header. */
static gpa_t frame_out(struct bench *b, size_t len, const uint8_t *from)
{
	gpa_t at = guest_alloc(&b->g, HDR + len, 16);

	make_frame((uint8_t *)guest_at(&b->g, at, HDR + len) + HDR, len, from);
	return at;
}

static gpa_t plus(gpa_t at, uint64_t n)
{
	return GPA(at.v + n);
}

static void send_frame(struct bench *b, size_t len, const uint8_t *from)
{
	struct seg s = SEG_OUT(frame_out(b, len, from), (uint32_t)(HDR + len));

	ring_add(&b->tx, &s, 1);
	ring_kick(&b->tx);
}

/* ---- to the host ---- */

static void a_frame_goes_out_as_it_is(void **state)
{
	struct bench *b = *state;
	gpa_t at = frame_out(b, 700, our_mac);
	uint8_t *raw = guest_at(&b->g, at, HDR + 700), got[1000];
	/* the header ends inside the second, the Ethernet one in the third */
	struct seg segs[] = { SEG_OUT(at, 5), SEG_OUT(plus(at, 5), 10),
			      SEG_OUT(plus(at, 15), 20),
			      SEG_OUT(plus(at, 35), HDR + 700 - 35) };

	raw[0] = 1; /* NEEDS_CSUM */
	raw[6] = 34;
	ring_add(&b->tx, segs, 4);
	ring_kick(&b->tx);
	assert_true(ring_used(&b->tx, NULL, NULL));
	assert_int_equal(read(b->peer, got, sizeof(got)), HDR + 700);
	assert_memory_equal(got, raw, HDR + 700);
	assert_int_equal(stats(b).net_tx_bytes, 700);
}

static void frames_of_others_are_dropped(void **state)
{
	struct bench *b = *state;
	const uint8_t other[6] = { 2, 0, 0, 0, 0, 8 };
	uint8_t got[100];

	send_frame(b, 60, other);
	send_frame(b, ETH - 1, our_mac);
	assert_int_equal(ring_used_idx(&b->tx), 2);
	assert_int_equal(read(b->peer, got, sizeof(got)), -1);
	assert_int_equal(stats(b).net_dropped, 2);
	assert_int_equal(stats(b).net_tx_bytes, 0);
	send_frame(b, ETH, our_mac);
	assert_int_equal(read(b->peer, got, sizeof(got)), HDR + ETH);
}

static void a_frame_has_an_end(void **state)
{
	struct bench *b = *state;
	static uint8_t got[HDR + FRAME_MAX + 1];

	send_frame(b, FRAME_MAX + 1, our_mac);
	assert_int_equal(stats(b).net_dropped, 1);
	send_frame(b, FRAME_MAX, our_mac);
	assert_int_equal(read(b->peer, got, sizeof(got)), HDR + FRAME_MAX);
	assert_int_equal(ring_used_idx(&b->tx), 2);
}

static void a_frame_cannot_be_written_to(void **state)
{
	struct bench *b = *state;
	struct seg segs[] = { SEG_OUT(frame_out(b, 60, our_mac), 72),
			      SEG_IN(GPA(GUEST_HIGH_BASE), 60) };

	ring_add(&b->tx, segs, 2);
	ring_kick(&b->tx);
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
}

/* What cannot go now goes later, in order, each once. */
static void a_full_wire_is_waited_for(void **state)
{
	struct bench *b = *state;
	unsigned sent = 0, got = 0, round = 0;
	uint8_t raw[HDR + 1000];

	for (; sent < 40; sent++) {
		gpa_t at = frame_out(b, 1000, our_mac);
		struct seg s = SEG_OUT(at, HDR + 1000);

		((uint8_t *)guest_at(&b->g, at, HDR + 1000))[HDR + 20] =
			(uint8_t)sent;
		ring_add(&b->tx, &s, 1);
	}
	ring_kick(&b->tx);
	while (got < sent && round++ < 100) {
		while (read(b->peer, raw, sizeof(raw)) > 0)
			assert_int_equal(raw[HDR + 20], got++);
		turn(b);
	}
	assert_int_equal(got, sent);
	assert_int_equal(ring_used_idx(&b->tx), sent);
}

static void a_rate_holds_frames_back(void **state)
{
	struct bench *b = *state;

	for (unsigned i = 0; i < 6; i++)
		send_frame(b, 60, our_mac);
	assert_int_equal(ring_used_idx(&b->tx), 4);
	while (ring_used_idx(&b->tx) < 6)
		loop_once(&b->loop, 1000);
	assert_int_equal(stats(b).net_dropped, 0);
}

/* ---- from the host ---- */

static gpa_t offer(struct bench *b, uint32_t len)
{
	gpa_t at = guest_alloc(&b->g, len, 16);
	struct seg s = SEG_IN(at, len);

	ring_add(&b->rx, &s, 1);
	return at;
}

static void arrive(struct bench *b, size_t len)
{
	static uint8_t raw[HDR + FRAME_MAX];

	memset(raw, 0, HDR);
	make_frame(raw + HDR, len, our_mac);
	assert_int_equal(write(b->peer, raw, HDR + len), HDR + len);
}

static unsigned buffers(struct bench *b, gpa_t at)
{
	const uint8_t *h = guest_at(&b->g, at, HDR);

	return h[10] | (unsigned)h[11] << 8;
}

static void a_frame_comes_in(void **state)
{
	struct bench *b = *state;
	gpa_t at = offer(b, 2048);
	uint8_t want[900];
	uint32_t len;

	ring_kick(&b->rx);
	arrive(b, 900);
	turn(b);
	assert_true(ring_used(&b->rx, NULL, &len));
	assert_int_equal(len, HDR + 900);
	assert_int_equal(buffers(b, at), 1);
	make_frame(want, sizeof(want), our_mac);
	assert_memory_equal(guest_at(&b->g, plus(at, HDR), 900), want, 900);
	assert_int_equal(guest_irqs(b->v), 1);
	assert_int_equal(stats(b).net_rx_bytes, 900);
}

static void a_large_frame_takes_several_buffers(void **state)
{
	struct bench *b = *state;
	static uint8_t want[FRAME_MAX], got[HDR + FRAME_MAX + 8192];
	gpa_t at[20];
	uint32_t len;
	size_t n = 0;

	for (unsigned i = 0; i < 20; i++)
		at[i] = offer(b, 4096);
	ring_kick(&b->rx);
	arrive(b, FRAME_MAX);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 17);
	assert_int_equal(buffers(b, at[0]), 17);
	for (unsigned i = 0; ring_used(&b->rx, NULL, &len); i++) {
		memcpy(got + n, guest_at(&b->g, at[i], len), len);
		n += len;
	}
	assert_int_equal(n, HDR + FRAME_MAX);
	make_frame(want, sizeof(want), our_mac);
	assert_memory_equal(got + HDR, want, FRAME_MAX);
	/* The others are still there to be used. */
	arrive(b, 60);
	turn(b);
	assert_true(ring_used(&b->rx, NULL, &len));
	assert_int_equal(len, HDR + 60);
	assert_int_equal(buffers(b, at[17]), 1);
}

/* The guest is short of buffers: what was read waits for more, what was not
 * stays where it is, and nothing is lost or changes places. */
static void a_frame_waits_for_buffers(void **state)
{
	struct bench *b = *state;
	static uint8_t want[9000], got[HDR + 9000 + 2048];
	gpa_t at[6];
	uint32_t len;
	size_t n = 0;

	for (unsigned i = 0; i < 3; i++)
		at[i] = offer(b, 2048);
	ring_kick(&b->rx);
	arrive(b, 9000);
	arrive(b, 100);
	for (unsigned i = 3; i < 5; i++) {
		turn(b);
		assert_int_equal(ring_used_idx(&b->rx), 0);
		at[i] = offer(b, 2048);
		ring_kick(&b->rx);
	}
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 5);
	assert_int_equal(buffers(b, at[0]), 5);
	for (unsigned i = 0; ring_used(&b->rx, NULL, &len); i++) {
		memcpy(got + n, guest_at(&b->g, at[i], len), len);
		n += len;
	}
	assert_int_equal(n, HDR + 9000);
	make_frame(want, sizeof(want), our_mac);
	assert_memory_equal(got + HDR, want, sizeof(want));
	/* The one behind it has not moved. */
	at[5] = offer(b, 2048);
	ring_kick(&b->rx);
	turn(b);
	assert_true(ring_used(&b->rx, NULL, &len));
	assert_int_equal(len, HDR + 100);
	assert_int_equal(stats(b).net_dropped, 0);
	assert_int_equal(stats(b).net_rx_bytes, 9100);
}

/* A whole ring of the guest's would not do: it will never be able to. */
static void a_frame_larger_than_the_ring(void **state)
{
	struct bench *b = *state;
	uint32_t len;

	for (unsigned i = 0; i < 64; i++)
		offer(b, 100);
	ring_kick(&b->rx);
	arrive(b, 9000);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 0);
	assert_int_equal(stats(b).net_dropped, 1);
	arrive(b, 150);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 2);
	assert_true(ring_used(&b->rx, NULL, &len));
	assert_int_equal(len, 100);
}

/* A driver that starts anew has never heard of the frame that waited. */
static void a_frame_does_not_wait_across_a_reset(void **state)
{
	struct bench *b = *state;
	gpa_t at;
	uint32_t len;

	offer(b, 2048);
	ring_kick(&b->rx);
	arrive(b, 9000);
	turn(b);
	guest_reset(b->v);
	assert_true(guest_start(b->v, MRG));
	ring_init(&b->rx, &b->g, b->v, 0, 64);
	ring_init(&b->tx, &b->g, b->v, 1, 64);
	guest_go(b->v);
	at = offer(b, 2048);
	ring_kick(&b->rx);
	arrive(b, 60);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 1);
	assert_true(ring_used(&b->rx, NULL, &len));
	assert_int_equal(len, HDR + 60);
	assert_int_equal(buffers(b, at), 1);
}

static void without_buffers_nothing_is_read(void **state)
{
	struct bench *b = *state;

	ring_kick(&b->rx);
	arrive(b, 60);
	arrive(b, 70);
	turn(b);
	offer(b, 2048);
	ring_kick(&b->rx);
	assert_int_equal(ring_used_idx(&b->rx), 1);
	assert_int_equal(stats(b).net_dropped, 0);
	offer(b, 2048);
	ring_kick(&b->rx);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 2);
}

static void without_merging_one_buffer_is_all(void **state)
{
	struct bench *b = *state;
	gpa_t at = offer(b, 2048);

	offer(b, 2048);
	ring_kick(&b->rx);
	arrive(b, 3000);
	arrive(b, 100);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 1);
	assert_int_equal(buffers(b, at), 1);
	assert_int_equal(stats(b).net_dropped, 1);
}

static void a_header_may_lie_across_segments(void **state)
{
	struct bench *b = *state;
	gpa_t at = guest_alloc(&b->g, 2048, 16);
	struct seg segs[] = { SEG_IN(at, 11), SEG_IN(plus(at, 11), 1),
			      SEG_IN(plus(at, 12), 2000) };
	uint8_t want[500];

	ring_add(&b->rx, segs, 3);
	ring_kick(&b->rx);
	arrive(b, 500);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 1);
	assert_int_equal(buffers(b, at), 1);
	make_frame(want, sizeof(want), our_mac);
	assert_memory_equal(guest_at(&b->g, plus(at, HDR), 500), want, 500);
}

static void a_buffer_for_no_frame_is_refused(void **state)
{
	struct bench *b = *state;

	offer(b, HDR + ETH - 1);
	ring_kick(&b->rx);
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
}

/* ---- the device ---- */

static uint16_t link_status(struct bench *b)
{
	uint16_t s;

	mmio_read(b->v, CONFIG + 6, &s, sizeof(s));
	return s;
}

static void config_says_who_it_is(void **state)
{
	struct bench *b = *state;
	uint8_t mac[6];
	uint16_t mtu;

	for (unsigned i = 0; i < 6; i++)
		mmio_read(b->v, CONFIG + i, &mac[i], 1);
	assert_memory_equal(mac, our_mac, 6);
	assert_int_equal(link_status(b), LINK_UP);
	mmio_read(b->v, CONFIG + 10, &mtu, sizeof(mtu));
	assert_int_equal(mtu, 1400);
}

static void works_again_after_reset(void **state)
{
	struct bench *b = *state;

	a_buffer_for_no_frame_is_refused(state);
	guest_reset(b->v);
	assert_true(guest_start(b->v, MRG));
	ring_init(&b->rx, &b->g, b->v, 0, 64);
	ring_init(&b->tx, &b->g, b->v, 1, 64);
	guest_go(b->v);
	guest_irqs(b->v);
	a_frame_comes_in(state);
}

/* ---- a stream ---- */

static void put_length(uint8_t *at, uint32_t len)
{
	len = htonl(len);
	memcpy(at, &len, sizeof(len));
}

static void a_stream_carries_lengths(void **state)
{
	struct bench *b = *state;
	uint8_t got[200], want[60];
	uint32_t len;

	send_frame(b, 60, our_mac);
	assert_int_equal(read(b->peer, got, sizeof(got)), 4 + 60);
	memcpy(&len, got, sizeof(len));
	assert_int_equal(ntohl(len), 60);
	make_frame(want, sizeof(want), our_mac);
	assert_memory_equal(got + 4, want, 60);
}

/* However the bytes arrive. */
static void a_stream_has_no_bounds(void **state)
{
	struct bench *b = *state;
	uint8_t raw[2 * (4 + 100)], want[100];
	gpa_t at[2] = { offer(b, 2048), offer(b, 2048) };

	ring_kick(&b->rx);
	for (unsigned i = 0; i < 2; i++) {
		put_length(raw + 104 * i, 100);
		make_frame(raw + 104 * i + 4, 100, our_mac);
	}
	for (unsigned i = 0; i < sizeof(raw); i++) {
		assert_int_equal(write(b->peer, raw + i, 1), 1);
		turn(b);
		assert_int_equal(ring_used_idx(&b->rx), (i + 1) / 104);
	}
	assert_int_equal(write(b->peer, raw, sizeof(raw)), sizeof(raw));
	turn(b);
	make_frame(want, sizeof(want), our_mac);
	for (unsigned i = 0; i < 2; i++)
		assert_memory_equal(guest_at(&b->g, plus(at[i], HDR), 100),
				    want, 100);
	/* The two that came at once wait for buffers, then come one by one. */
	offer(b, 2048);
	ring_kick(&b->rx);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 3);
	offer(b, 2048);
	ring_kick(&b->rx);
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 4);
}

static void a_stream_waits_for_buffers(void **state)
{
	struct bench *b = *state;
	static uint8_t raw[2 * (4 + 3000)];
	uint32_t len;

	for (unsigned i = 0; i < 2; i++) {
		put_length(raw + i * 3004, 3000);
		make_frame(raw + i * 3004 + 4, 3000, our_mac);
	}
	assert_int_equal(write(b->peer, raw, sizeof(raw)), sizeof(raw));
	for (unsigned i = 0; i < 4; i++) {
		turn(b);
		assert_int_equal(ring_used_idx(&b->rx), i & ~1u);
		offer(b, 2048);
		ring_kick(&b->rx);
	}
	turn(b);
	assert_int_equal(ring_used_idx(&b->rx), 4);
	assert_true(ring_used(&b->rx, NULL, &len));
	assert_int_equal(len, 2048);
	assert_true(ring_used(&b->rx, NULL, &len));
	assert_int_equal(len, HDR + 3000 - 2048);
	assert_int_equal(stats(b).net_dropped, 0);
}

static void a_stream_takes_parts(void **state)
{
	struct bench *b = *state;
	static uint8_t got[8 * (4 + 60000)], want[60000];
	size_t n = 0;
	ssize_t r;

	make_frame(want, sizeof(want), our_mac);
	for (unsigned i = 0; i < 8; i++)
		send_frame(b, sizeof(want), our_mac);
	for (unsigned i = 0; i < 1000 && n < sizeof(got); i++) {
		r = read(b->peer, got + n, MIN(sizeof(got) - n, (size_t)7000));
		n += r > 0 ? (size_t)r : 0;
		turn(b);
	}
	assert_int_equal(n, sizeof(got));
	for (unsigned i = 0; i < 8; i++)
		assert_memory_equal(got + i * (4 + sizeof(want)) + 4, want,
				    sizeof(want));
	assert_int_equal(ring_used_idx(&b->tx), 8);
}

static void is_down(struct bench *b)
{
	assert_int_equal(link_status(b), 0);
	assert_false(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
	/* What is sent now goes nowhere. */
	send_frame(b, 60, our_mac);
	assert_int_equal(ring_used_idx(&b->tx), 1);
	turn(b);
}

static void a_stream_that_ends_takes_the_link_down(void **state)
{
	struct bench *b = *state;

	offer(b, 2048);
	ring_kick(&b->rx);
	close(take_fd(&b->peer));
	turn(b);
	is_down(b);
}

static void a_stream_that_ends_unread(void **state)
{
	struct bench *b = *state;

	ring_kick(&b->rx);
	close(take_fd(&b->peer));
	turn(b);
	is_down(b);
}

static void a_stream_of_nonsense_takes_the_link_down(void **state)
{
	struct bench *b = *state;
	uint8_t raw[100];

	offer(b, 2048);
	ring_kick(&b->rx);
	memset(raw, 0x7f, sizeof(raw));
	assert_int_equal(write(b->peer, raw, sizeof(raw)), sizeof(raw));
	turn(b);
	is_down(b);
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_frame_goes_out_as_it_is, plain),
		TEST(frames_of_others_are_dropped, plain),
		TEST(a_frame_has_an_end, plain),
		TEST(a_frame_cannot_be_written_to, plain),
		TEST(a_full_wire_is_waited_for, plain),
		TEST(a_rate_holds_frames_back, limited),
		TEST(a_frame_comes_in, plain),
		TEST(a_large_frame_takes_several_buffers, plain),
		TEST(a_frame_waits_for_buffers, plain),
		TEST(a_frame_larger_than_the_ring, plain),
		TEST(a_frame_does_not_wait_across_a_reset, plain),
		TEST(without_buffers_nothing_is_read, plain),
		TEST(without_merging_one_buffer_is_all, whole_buffers),
		TEST(a_header_may_lie_across_segments, plain),
		TEST(a_buffer_for_no_frame_is_refused, plain),
		TEST(config_says_who_it_is, plain),
		TEST(works_again_after_reset, plain),
		TEST(a_stream_carries_lengths, stream),
		TEST(a_stream_has_no_bounds, stream),
		TEST(a_stream_waits_for_buffers, stream),
		TEST(a_stream_takes_parts, stream),
		TEST(a_stream_that_ends_takes_the_link_down, stream),
		TEST(a_stream_that_ends_unread, stream),
		TEST(a_stream_of_nonsense_takes_the_link_down, stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
