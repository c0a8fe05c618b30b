/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio/view.h"

#include "tests/guest/guest.h"
#include "tests/guest/toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define INTERRUPT_STATUS 0x060
#define CONFIG		 0x100

static struct bench bench;
static uint32_t page[MMIO_SIZE / 4];

static int fresh(void **state)
{
	memset(page, 0, sizeof(page));
	memset(&bench, 0, sizeof(bench));
	guest_init(&bench.g);
	toy_init(&bench.toy, &bench.g.mem);
	bench.v = &bench.toy.virtio;
	view_open(bench.v, page);
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

/* Every word of the page is what a read of the register gives. */
static void same(struct bench *b)
{
	for (uint32_t off = 0; off < MMIO_SIZE; off += 4)
		assert_int_equal(page[off / 4], guest_read32(b->v, off));
}

static void go_live(struct bench *b, struct ring *r)
{
	assert_true(guest_start(b->v, TOY_FEATURE));
	same(b);
	ring_init(r, &b->g, b->v, 0, 8);
	same(b);
	guest_go(b->v);
	assert_true(virtio_live(b->v));
	same(b);
}

static void follows_a_driver(void **state)
{
	struct bench *b = *state;
	struct ring r;

	same(b);
	assert_int_equal(page[0], 0x74726976);
	go_live(b, &r);
	assert_int_equal(page[0x070 / 4], b->v->status);
	guest_reset(b->v);
	assert_int_equal(page[0x070 / 4], 0);
	same(b);
}

static void follows_the_selectors(void **state)
{
	struct bench *b = *state;

	guest_write32(b->v, 0x014, 1);
	assert_int_equal(page[0x010 / 4], (uint32_t)(b->v->offered >> 32));
	guest_write32(b->v, 0x014, 0);
	assert_int_equal(page[0x010 / 4], (uint32_t)b->v->offered);
	guest_write32(b->v, 0x030, 1);
	assert_int_equal(page[0x034 / 4], TOY_QUEUE_MAX);
	guest_write32(b->v, 0x030, 9);
	assert_int_equal(page[0x034 / 4], 0);
	same(b);
}

static void follows_the_configuration(void **state)
{
	const uint8_t bytes[] = { 1, 2, 3 };
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	mmio_write(b->v, CONFIG + 5, bytes, 1);
	mmio_write(b->v, CONFIG + 10, bytes + 1, 2);
	same(b);
	assert_memory_equal((uint8_t *)page + CONFIG, b->toy.config,
			    sizeof(b->toy.config));
	/* The device's own change. */
	b->toy.config[0] = 77;
	virtio_config_changed(b->v);
	assert_int_equal(((uint8_t *)page)[CONFIG], 77);
	same(b);
}

static void says_that_buffers_were_used(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	assert_int_equal(page[INTERRUPT_STATUS / 4], VIRTIO_IRQ_USED);
	guest_write32(b->v, MMIO_INTERRUPT_ACK, VIRTIO_IRQ_USED);
	assert_int_equal(page[INTERRUPT_STATUS / 4], VIRTIO_IRQ_USED);
}

static void says_that_the_configuration_changed_once(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	virtio_config_changed(b->v);
	assert_int_equal(page[INTERRUPT_STATUS / 4],
			 VIRTIO_IRQ_USED | VIRTIO_IRQ_CONFIG);
	guest_write32(b->v, MMIO_INTERRUPT_ACK,
		      VIRTIO_IRQ_USED | VIRTIO_IRQ_CONFIG);
	assert_int_equal(page[INTERRUPT_STATUS / 4], VIRTIO_IRQ_USED);
}

static void shows_what_is_broken(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	virtio_broken(b->v, "a test");
	assert_true(page[0x070 / 4] & VIRTIO_S_NEEDS_RESET);
	same(b);
	guest_reset(b->v);
	assert_true(guest_start(b->v, 0));
	/* Also before the driver can be told. */
	virtio_broken(b->v, "a test");
	assert_true(page[0x070 / 4] & VIRTIO_S_NEEDS_RESET);
	same(b);
}

/* What the page says when the interrupt comes. */
static uint32_t raised, said;

static void raise_it(void *own)
{
	(void)own;
	raised++;
	said = page[INTERRUPT_STATUS / 4];
}

static void is_right_before_the_interrupt(void **state)
{
	struct bench *b = *state;
	struct ring r;

	go_live(b, &r);
	guest_irqs(b->v);
	raised = 0;
	b->v->raise = raise_it;
	b->v->raise_own = b;
	virtio_config_changed(b->v);
	assert_int_equal(raised, 1);
	assert_true(said & VIRTIO_IRQ_CONFIG);
	/* The eventfd is not rung as well. */
	assert_int_equal(guest_irqs(b->v), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, fresh, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(follows_a_driver),
		T(follows_the_selectors),
		T(follows_the_configuration),
		T(says_that_buffers_were_used),
		T(says_that_the_configuration_changed_once),
		T(shows_what_is_broken),
		T(is_right_before_the_interrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
