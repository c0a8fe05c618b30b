/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/rng.h"

#include "tests/guest/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct bench {
	struct guest g;
	struct virtio *v;
	struct ring r;
};

static struct bench bench;

static int begin(void **state)
{
	struct err e = { 0 };

	guest_init(&bench.g);
	bench.v = rng_create(NULL, &bench.g.mem, NULL, &e);
	if (!bench.v || !guest_start(bench.v, 0))
		return -1;
	ring_init(&bench.r, &bench.g, bench.v, 0, 8);
	guest_go(bench.v);
	*state = &bench;
	return 0;
}

static int end(void **state)
{
	(void)state;
	rng_destroy(bench.v);
	guest_fini(&bench.g);
	return 0;
}

static unsigned zeroes(const uint8_t *p, size_t len)
{
	unsigned n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == 0;
	return n;
}

static void fills_every_segment(void **state)
{
	struct bench *b = *state;
	gpa_t a = guest_alloc(&b->g, 4096, 4096);
	gpa_t c = guest_alloc(&b->g, 4096, 4096);
	struct seg segs[] = { SEG_IN(a, 1000), SEG_IN(c, 500) };
	uint32_t id, len;
	uint16_t head = ring_add(&b->r, segs, 2);

	ring_kick(&b->r);
	assert_true(ring_used(&b->r, &id, &len));
	assert_int_equal(id, head);
	assert_int_equal(len, 1500);
	assert_in_range(zeroes(guest_at(&b->g, a, 1000), 1000), 0, 40);
	assert_in_range(zeroes(guest_at(&b->g, c, 500), 500), 0, 30);
	/* and not a byte more */
	assert_int_equal(zeroes(guest_at(&b->g, GPA(a.v + 1000), 3096), 3096),
			 3096);
	assert_int_equal(guest_irqs(b->v), 1);
}

static void one_buffer_gets_64k(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(GPA(GUEST_HIGH_BASE), 2 << 20);
	uint32_t len;

	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_true(ring_used(&b->r, NULL, &len));
	assert_int_equal(len, RNG_CHAIN_MAX);
	assert_int_equal(zeroes(guest_at(&b->g,
					 GPA(GUEST_HIGH_BASE + RNG_CHAIN_MAX),
					 1 << 20),
				1 << 20),
			 1 << 20);
}

static void one_doorbell_is_bounded(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(GPA(GUEST_HIGH_BASE), 1 << 20);

	for (unsigned i = 0; i < 7; i++)
		ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_int_equal(ring_used_idx(&b->r), RNG_TURN_MAX / RNG_CHAIN_MAX);
	/* it rang its own bell for the rest */
	mmio_kick(b->v);
	assert_int_equal(ring_used_idx(&b->r), 7);
}

static void refuses_a_buffer_it_cannot_write(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_OUT(GPA(GUEST_HIGH_BASE), 64);

	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(ring_used_idx(&b->r), 0);
}

static void works_again_after_reset(void **state)
{
	struct bench *b = *state;

	refuses_a_buffer_it_cannot_write(state);
	assert_int_equal(guest_irqs(b->v), 1);
	assert_true(guest_start(b->v, VIRTIO_F_EVENT_IDX));
	ring_init(&b->r, &b->g, b->v, 0, 8);
	guest_go(b->v);
	fills_every_segment(state);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(fills_every_segment),	    T(one_buffer_gets_64k),
		T(one_doorbell_is_bounded), T(refuses_a_buffer_it_cannot_write),
		T(works_again_after_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
