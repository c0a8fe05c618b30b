/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/monitor/dev/net_rig.h"

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

static int limited(void **state)
{
	set_up(false, (struct rate_conf){ .ops = 4 }, MRG);
	*state = &bench;
	return 0;
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
