/* SPDX-License-Identifier: Apache-2.0 */
/* The back end of a user-mode network: frames behind their lengths. */
#include "tests/unit/monitor/dev/net_rig.h"

#include <arpa/inet.h>

static int stream(void **state)
{
	set_up(true, (struct rate_conf){ 0 }, MRG);
	*state = &bench;
	return 0;
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
