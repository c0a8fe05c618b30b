/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/guest.h"
#include "tests/guest/toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define ACK VIRTIO_S_ACKNOWLEDGE
#define DRIVER VIRTIO_S_DRIVER
#define FEATURES_OK VIRTIO_S_FEATURES_OK
#define DRIVER_OK VIRTIO_S_DRIVER_OK
#define ALL_OK (ACK | DRIVER | FEATURES_OK | DRIVER_OK)

static struct bench bench;

static int fresh(void **state)
{
	memset(&bench, 0, sizeof(bench));
	guest_init(&bench.g);
	toy_init(&bench.toy, &bench.g.mem);
	bench.v = &bench.toy.virtio;
	*state = &bench;
	return 0;
}

static int end(void **state)
{
	(void)state;
	toy_fini(&bench.toy);
	guest_fini(&bench.g);
	return 0;
}

static uint32_t rd(struct bench *b, uint32_t off)
{
	return guest_read32(b->v, off);
}

static void wr(struct bench *b, uint32_t off, uint32_t val)
{
	guest_write32(b->v, off, val);
}

static void go_live(struct bench *b, struct ring *r)
{
	assert_true(guest_start(b->v, 0));
	ring_init(r, &b->g, b->v, 0, 8);
	guest_go(b->v);
	assert_true(virtio_live(b->v));
}

static void says_what_it_is(void **state)
{
	struct bench *b = *state;

	assert_int_equal(rd(b, 0x000), 0x74726976);
	assert_int_equal(rd(b, 0x004), 2);
	assert_int_equal(rd(b, 0x008), 42);
	assert_int_equal(rd(b, 0x00c), 0x4c414956);
	assert_int_equal(rd(b, 0x034), TOY_QUEUE_MAX);
	assert_int_equal(rd(b, 0x070), 0);
	/* no shared memory regions */
	assert_int_equal(rd(b, 0x0b0), UINT32_MAX);
	assert_int_equal(rd(b, 0x0b4), UINT32_MAX);
	assert_int_equal(rd(b, 0x0b8), UINT32_MAX);
	assert_int_equal(rd(b, 0x0bc), UINT32_MAX);
	assert_int_equal(rd(b, 0x0c0), 0); /* RING_RESET is not offered */
}

static void shows_features_through_a_window(void **state)
{
	struct bench *b = *state;

	assert_int_equal(rd(b, 0x010), TOY_FEATURE | VIRTIO_F_INDIRECT_DESC |
					       VIRTIO_F_EVENT_IDX);
	wr(b, 0x014, 1);
	assert_int_equal(rd(b, 0x010), 1);
	wr(b, 0x014, 2);
	assert_int_equal(rd(b, 0x010), 0);
	wr(b, 0x014, UINT32_MAX);
	assert_int_equal(rd(b, 0x010), 0);
}

static void refuses_features_it_did_not_offer(void **state)
{
	struct bench *b = *state;

	assert_false(guest_start(b->v, 1ull << 63));
	assert_int_equal(guest_status(b->v), ACK | DRIVER);
	assert_false(guest_start(b->v, 1));
	assert_true(guest_start(b->v, TOY_FEATURE));
}

static void refuses_legacy_drivers(void **state)
{
	struct bench *b = *state;

	wr(b, 0x070, ACK);
	wr(b, 0x070, ACK | DRIVER);
	wr(b, 0x024, 0);
	wr(b, 0x020, TOY_FEATURE);
	wr(b, 0x070, ACK | DRIVER | FEATURES_OK);
	assert_int_equal(guest_status(b->v), ACK | DRIVER);
}

static void features_freeze(void **state)
{
	struct bench *b = *state;

	wr(b, 0x024, 1); /* before DRIVER: not taken */
	wr(b, 0x020, 1);
	assert_int_equal(b->v->features, 0);
	assert_true(guest_start(b->v, TOY_FEATURE));
	wr(b, 0x024, 0);
	wr(b, 0x020, UINT32_MAX);
	wr(b, 0x024, 1);
	wr(b, 0x020, 0);
	wr(b, 0x024, 7);
	wr(b, 0x020, UINT32_MAX);
	assert_int_equal(b->v->features, TOY_FEATURE | VIRTIO_F_VERSION_1);
	guest_go(b->v);
	wr(b, 0x024, 0);
	wr(b, 0x020, UINT32_MAX);
	assert_int_equal(b->v->features, TOY_FEATURE | VIRTIO_F_VERSION_1);
}

static void status_comes_in_order(void **state)
{
	struct bench *b = *state;

	wr(b, 0x070, DRIVER);
	assert_int_equal(guest_status(b->v), 0);
	wr(b, 0x070, DRIVER_OK);
	assert_int_equal(guest_status(b->v), 0);
	wr(b, 0x070, ALL_OK); /* no features yet: no FEATURES_OK */
	assert_int_equal(guest_status(b->v), ACK | DRIVER);
	wr(b, 0x070, ACK | DRIVER | DRIVER_OK);
	assert_int_equal(guest_status(b->v), ACK | DRIVER);
	assert_int_equal(b->toy.readies, 0);
}

static void status_bits_do_not_go_away(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	assert_int_equal(guest_status(b->v), ALL_OK);
	wr(b, 0x070, ACK);
	wr(b, 0x070, ACK | DRIVER | FEATURES_OK);
	wr(b, 0x070, DRIVER_OK);
	wr(b, 0x070, 0x30); /* bits that are nobody's */
	wr(b, 0x070, ALL_OK | 0x30 | 0xffffff00);
	assert_int_equal(guest_status(b->v), ALL_OK);
	assert_int_equal(b->toy.readies, 1);
	assert_int_equal(b->toy.resets, 0);
}

static void driver_cannot_set_needs_reset(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	wr(b, 0x070, ALL_OK | VIRTIO_S_NEEDS_RESET);
	assert_int_equal(guest_status(b->v), ALL_OK);
	assert_true(virtio_live(b->v));
}

static void failed_driver_does_not_go_live(void **state)
{
	struct bench *b = *state;

	assert_true(guest_start(b->v, 0));
	wr(b, 0x070, guest_status(b->v) | VIRTIO_S_FAILED);
	guest_go(b->v);
	assert_false(virtio_live(b->v));
	assert_true(guest_start(b->v, 0));
	guest_go(b->v);
	assert_true(virtio_live(b->v));
}

static void goes_live_without_queues(void **state)
{
	struct bench *b = *state;

	assert_true(guest_start(b->v, 0));
	guest_go(b->v);
	assert_true(virtio_live(b->v));
	assert_null(queue_pop(&b->v->queue[0]));
	assert_null(queue_pop(&b->v->queue[1]));
	assert_false(b->v->broken);
	queue_notify(&b->v->queue[0]);
	assert_false(queue_want_kick(&b->v->queue[0]));
	queue_no_kick(&b->v->queue[0]);
}

static void queue_needs_features_first(void **state)
{
	struct bench *b = *state;
	struct ring r;

	ring_init(&r, &b->g, b->v, 0, 8);
	assert_false(b->v->queue[0].ready);
	assert_int_equal(rd(b, 0x044), 0);
}

/* Every register of a queue, in every state that must not change it. */
static void rewrite_queue(struct bench *b)
{
	static const uint32_t regs[] = { 0x038, 0x080, 0x084, 0x090,
					 0x094, 0x0a0, 0x0a4 };
	static const uint32_t vals[] = { 0,	 1,	     16,
					 0xffff, 0xfffffff0, UINT32_MAX };

	for (unsigned i = 0; i < 7; i++)
		for (unsigned k = 0; k < 6; k++)
			wr(b, regs[i], vals[k]);
	wr(b, 0x044, 1);
	wr(b, 0x044, 2);
	wr(b, 0x044, UINT32_MAX);
}

static void queue_registers_freeze(void **state)
{
	struct bench *b = *state;
	struct queue before;
	struct ring r;

	assert_true(guest_start(b->v, 0));
	ring_init(&r, &b->g, b->v, 0, 8);
	before = b->v->queue[0];
	assert_true(before.ready);
	rewrite_queue(b);
	assert_memory_equal(&before, &b->v->queue[0], sizeof(before));
	guest_go(b->v);
	rewrite_queue(b);
	assert_memory_equal(&before, &b->v->queue[0], sizeof(before));
	virtio_broken(b->v, "for the test");
	rewrite_queue(b);
	assert_memory_equal(&before, &b->v->queue[0], sizeof(before));
	/* a queue that was left out stays out once the device is live */
	guest_reset(b->v);
	go_live(b, &r);
	ring_init(&r, &b->g, b->v, 1, 8);
	assert_false(b->v->queue[1].ready);
	assert_int_equal(b->v->queue[1].desc.v, 0);
}

static void queue_can_be_taken_back_before_live(void **state)
{
	struct bench *b = *state;
	struct ring r;

	assert_true(guest_start(b->v, 0));
	ring_init(&r, &b->g, b->v, 0, 8);
	assert_int_equal(rd(b, 0x044), 1);
	wr(b, 0x044, 0);
	assert_int_equal(rd(b, 0x044), 0);
	r.size = 4;
	ring_enable(&r);
	assert_int_equal(rd(b, 0x044), 1);
	assert_int_equal(b->v->queue[0].size, 4);
}

static void stopping_a_live_queue_breaks(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	wr(b, 0x044, 0);
	assert_true(b->v->broken);
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
	assert_false(virtio_live(b->v));
	/* only a reset helps */
	wr(b, 0x070, ALL_OK);
	assert_false(virtio_live(b->v));
	guest_reset(b->v);
	assert_int_equal(b->toy.resets, 1);
	go_live(b, &r);
}

static void queue_select_out_of_range(void **state)
{
	static const uint32_t sel[] = { 2, 7, 8, 65536, UINT32_MAX };
	struct bench *b = *state;

	assert_true(guest_start(b->v, 0));
	for (unsigned i = 0; i < 5; i++) {
		wr(b, 0x030, sel[i]);
		assert_int_equal(rd(b, 0x034), 0);
		assert_int_equal(rd(b, 0x044), 0);
		rewrite_queue(b);
		assert_int_equal(rd(b, 0x044), 0);
	}
	assert_false(b->v->broken);
}

static void reset_clears_everything(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	wr(b, 0x014, 1);
	wr(b, 0x030, 1);
	virtio_broken(b->v, "for the test");
	guest_reset(b->v);
	assert_int_equal(guest_status(b->v), 0);
	assert_int_equal(rd(b, 0x060), 0);
	assert_int_equal(rd(b, 0x044), 0);
	assert_int_equal(b->v->features, 0);
	assert_int_equal(b->v->queue[0].desc.v, 0);
	assert_false(b->v->broken);
	assert_int_equal(b->toy.resets, 1);
	guest_reset(b->v); /* nothing was running: nothing to stop */
	assert_int_equal(b->toy.resets, 1);
	go_live(b, &r);
	assert_int_equal(b->toy.readies, 2);
}

static void interrupt_status_is_acknowledged(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	virtio_config_changed(b->v);
	virtio_interrupt(b->v, VIRTIO_IRQ_USED);
	assert_int_equal(rd(b, 0x060), 3);
	wr(b, 0x064, 1);
	assert_int_equal(rd(b, 0x060), 2);
	wr(b, 0x064, UINT32_MAX);
	assert_int_equal(rd(b, 0x060), 0);
	wr(b, 0x060, 3); /* read-only */
	assert_int_equal(rd(b, 0x060), 0);
}

static void generation_moves_with_the_configuration(void **state)
{
	struct bench *b = *state;
	uint32_t was = rd(b, 0x0fc);

	virtio_config_changed(b->v);
	assert_int_not_equal(rd(b, 0x0fc), was);
	wr(b, 0x0fc, was);
	assert_int_not_equal(rd(b, 0x0fc), was);
}

static void kicks_only_when_live(void **state)
{
	struct bench *b = *state;
	struct ring r;

	wr(b, MMIO_QUEUE_NOTIFY, 0);
	mmio_kick(b->v);
	assert_int_equal(b->toy.kicks, 0);
	go_live(b, &r);
	mmio_kick(b->v); /* once for what may have been missed */
	assert_int_equal(b->toy.kicks, 1);
	ring_kick(&r);
	assert_int_equal(b->toy.kicks, 2);
	virtio_broken(b->v, "for the test");
	ring_kick(&r);
	assert_int_equal(b->toy.kicks, 2);
}

static void notify_out_of_range_rings_nothing(void **state)
{
	struct bench *b = *state;
	struct ring r;
	uint64_t n;

	go_live(b, &r);
	mmio_kick(b->v);
	wr(b, MMIO_QUEUE_NOTIFY, 2);
	wr(b, MMIO_QUEUE_NOTIFY, UINT32_MAX);
	assert_int_equal(read(b->v->kick_fd, &n, sizeof(n)), -1);
	wr(b, MMIO_QUEUE_NOTIFY, 1);
	assert_int_equal(read(b->v->kick_fd, &n, sizeof(n)), sizeof(n));
}

static void broken_is_told_once(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	guest_irqs(b->v);
	virtio_broken(b->v, "for the test");
	virtio_broken(b->v, "for the test");
	assert_int_equal(rd(b, 0x060), VIRTIO_IRQ_CONFIG);
	assert_int_equal(guest_irqs(b->v), 1);
}

static void config_stays_inside(void **state)
{
	struct bench *b = *state;
	uint8_t buf[8];

	for (uint32_t off = 0xf0; off < 0x130; off++)
		for (uint32_t len = 1; len <= 8; len++) {
			if (off < 0x100 && len == 4 && off % 4 == 0)
				continue;
			memset(buf, 0x55, sizeof(buf));
			mmio_read(b->v, off, buf, len);
			for (uint32_t i = 0; i < len; i++) {
				uint32_t at = off + i - 0x100;
				bool in = off >= 0x100 && at < 12;

				assert_int_equal(buf[i], in ? 0xa0 + at : 0);
			}
		}
	memset(buf, 0x55, sizeof(buf));
	mmio_read(b->v, MMIO_SIZE - 1, buf, 8);
	mmio_read(b->v, UINT32_MAX, buf, 8);
	assert_int_equal(buf[0], 0);
}

static void config_writes_stay_inside(void **state)
{
	struct bench *b = *state;
	uint8_t buf[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	mmio_write(b->v, 0x100, buf, 4); /* nobody drives yet */
	assert_int_equal(b->toy.config[0], 0xa0);
	assert_true(guest_start(b->v, 0));
	mmio_write(b->v, 0x0fe, buf, 4);
	mmio_write(b->v, 0x10a, buf, 4);
	mmio_write(b->v, 0x10c, buf, 1);
	mmio_write(b->v, UINT32_MAX - 3, buf, 8);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(b->toy.config[i], 0xa0 + i);
	mmio_write(b->v, 0x104, buf, 8);
	assert_memory_equal(b->toy.config + 4, buf, 8);
	mmio_write(b->v, 0x101, buf, 2);
	assert_int_equal(b->toy.config[2], 2);
}

static void odd_accesses_do_nothing(void **state)
{
	struct bench *b = *state;
	uint8_t buf[8], zero[8] = { 0 };
	struct ring r;

	go_live(b, &r);
	for (uint32_t off = 0; off < 0xfc; off++)
		for (uint32_t len = 1; len <= 8; len++) {
			if (len == 4 && off % 4 == 0)
				continue;
			memset(buf, 0xff, sizeof(buf));
			mmio_read(b->v, off, buf, len);
			assert_memory_equal(buf, zero, len);
			mmio_write(b->v, off, buf, len);
		}
	assert_int_equal(guest_status(b->v), ALL_OK);
	assert_true(virtio_live(b->v));
	assert_int_equal(b->v->queue[0].size, 8);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fresh, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(says_what_it_is),
		T(shows_features_through_a_window),
		T(refuses_features_it_did_not_offer),
		T(refuses_legacy_drivers),
		T(features_freeze),
		T(status_comes_in_order),
		T(status_bits_do_not_go_away),
		T(driver_cannot_set_needs_reset),
		T(failed_driver_does_not_go_live),
		T(goes_live_without_queues),
		T(queue_needs_features_first),
		T(queue_registers_freeze),
		T(queue_can_be_taken_back_before_live),
		T(stopping_a_live_queue_breaks),
		T(queue_select_out_of_range),
		T(reset_clears_everything),
		T(interrupt_status_is_acknowledged),
		T(generation_moves_with_the_configuration),
		T(kicks_only_when_live),
		T(notify_out_of_range_rings_nothing),
		T(broken_is_told_once),
		T(config_stays_inside),
		T(config_writes_stay_inside),
		T(odd_accesses_do_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
