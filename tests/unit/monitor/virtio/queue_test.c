/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/guest.h"
#include "tests/guest/toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct bench bench;

static int plain(void **state)
{
	bench_begin(&bench, 0);
	*state = &bench;
	return 0;
}

static int indirect(void **state)
{
	bench_begin(&bench, VIRTIO_F_INDIRECT_DESC);
	*state = &bench;
	return 0;
}

static int event_idx(void **state)
{
	bench_begin(&bench, VIRTIO_F_EVENT_IDX);
	*state = &bench;
	return 0;
}

static int end(void **state)
{
	bench_end(*state);
	return 0;
}

/* ---- what a good driver does ------------------------------------------- */

static void pops_and_pushes(void **state)
{
	struct bench *b = *state;
	struct seg segs[] = {
		SEG_OUT(b->buf, 16),
		SEG_OUT(GPA(b->buf.v + 4096), 100),
		SEG_IN(GPA(GUEST_HIGH_BASE), 512),
	};
	uint32_t id, len;
	struct chain *c;
	uint16_t head;

	assert_null(queue_pop(b->q));
	head = ring_add(&b->r, segs, 3);
	assert_true(queue_has_work(b->q));
	c = queue_pop(b->q);
	assert_non_null(c);
	assert_int_equal(c->nout, 2);
	assert_int_equal(c->nin, 1);
	assert_int_equal(c->out_bytes, 116);
	assert_int_equal(c->in_bytes, 512);
	assert_ptr_equal(c->iov[0].iov_base, guest_at(&b->g, b->buf, 1));
	assert_ptr_equal(c->iov[2].iov_base,
			 guest_at(&b->g, GPA(GUEST_HIGH_BASE), 1));
	assert_null(queue_pop(b->q));
	assert_false(ring_used(&b->r, &id, &len));
	queue_push(b->q, c, 99);
	assert_true(ring_used(&b->r, &id, &len));
	assert_int_equal(id, head);
	assert_int_equal(len, 99);
	assert_false(b->v->broken);
}

static void goes_round_many_times(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);
	uint32_t id;

	/* past the wrap of the 16-bit indexes, out of order in pairs */
	for (unsigned i = 0; i < 70000; i += 2) {
		uint16_t h0 = ring_add(&b->r, &s, 1);
		uint16_t h1 = ring_add(&b->r, &s, 1);
		struct chain *c0 = queue_pop(b->q), *c1 = queue_pop(b->q);

		assert_non_null(c1);
		assert_null(queue_pop(b->q));
		queue_push(b->q, c1, 4);
		queue_push(b->q, c0, 4);
		assert_true(ring_used(&b->r, &id, NULL));
		assert_int_equal(id, h1);
		assert_true(ring_used(&b->r, &id, NULL));
		assert_int_equal(id, h0);
	}
}

static void unpops(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);
	struct chain *c;

	ring_add(&b->r, &s, 1);
	c = queue_pop(b->q);
	queue_unpop(b->q, c);
	assert_true(queue_has_work(b->q));
	assert_ptr_equal(queue_pop(b->q), c);
	assert_false(b->v->broken);
}

static void takes_a_full_queue(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);
	struct chain *c[8];

	for (unsigned i = 0; i < 8; i++)
		ring_add(&b->r, &s, 1);
	for (unsigned i = 0; i < 8; i++) {
		c[i] = queue_pop(b->q);
		assert_non_null(c[i]);
	}
	assert_null(queue_pop(b->q));
	assert_false(b->v->broken);
	for (unsigned i = 0; i < 8; i++)
		queue_push(b->q, c[i], 0);
	assert_int_equal(ring_used_idx(&b->r), 8);
}

static void walks_indirect_tables(void **state)
{
	struct bench *b = *state;
	struct seg segs[TOY_SEGMENTS];
	struct chain *c;
	gpa_t t = guest_alloc(&b->g, 64, 16);

	b->r.indirect = true;
	for (unsigned i = 0; i < TOY_SEGMENTS; i++)
		segs[i] = SEG_IN(GPA(b->buf.v + 100 * i), i + 1);
	ring_add(&b->r, segs, TOY_SEGMENTS);
	c = queue_pop(b->q);
	assert_non_null(c);
	assert_int_equal(c->nin, TOY_SEGMENTS);
	assert_int_equal(c->in_bytes, 36);
	queue_push(b->q, c, 0);

	/* plain segments first, then a table (virtio 1.2, 2.7.5.3.2), in no
	 * order, its own WRITE flag ignored */
	ring_entry(&b->g, t, 0, b->buf.v, 8, RING_NEXT, 2);
	ring_entry(&b->g, t, 2, b->buf.v, 16, RING_WRITE, 0);
	ring_desc(&b->r, 4, b->buf.v, 4, RING_NEXT, 5);
	ring_desc(&b->r, 5, t.v, 48, RING_INDIRECT | RING_WRITE, 0);
	ring_avail(&b->r, 4);
	c = queue_pop(b->q);
	assert_non_null(c);
	assert_int_equal(c->nout, 2);
	assert_int_equal(c->out_bytes, 12);
	assert_int_equal(c->in_bytes, 16);
}

/* ---- notifications ------------------------------------------------------ */

static void serve_one(struct bench *b)
{
	struct chain *c = queue_pop(b->q);

	assert_non_null(c);
	queue_push(b->q, c, 0);
	queue_notify(b->q);
}

static void interrupts_unless_told_not_to(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);

	queue_notify(b->q);
	assert_int_equal(guest_irqs(b->v), 0);
	ring_add(&b->r, &s, 1);
	serve_one(b);
	assert_int_equal(guest_read32(b->v, 0x060), VIRTIO_IRQ_USED);
	assert_int_equal(guest_irqs(b->v), 1);
	queue_notify(b->q); /* nothing new */
	assert_int_equal(guest_irqs(b->v), 0);
	ring_set_avail_flags(&b->r, 1);
	ring_add(&b->r, &s, 1);
	serve_one(b);
	assert_int_equal(guest_irqs(b->v), 0);
}

static void asks_for_kicks_by_flag(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);

	queue_no_kick(b->q);
	assert_int_equal(ring_used_flags(&b->r), 1);
	assert_false(queue_want_kick(b->q));
	assert_int_equal(ring_used_flags(&b->r), 0);
	ring_add(&b->r, &s, 1);
	assert_true(queue_want_kick(b->q));
}

static void interrupts_by_event(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);

	ring_set_used_event(&b->r, 0);
	ring_add(&b->r, &s, 1);
	serve_one(b);
	assert_int_equal(guest_irqs(b->v), 1);
	/* wants to hear when used.idx passes 3 */
	ring_set_used_event(&b->r, 3);
	for (unsigned i = 0; i < 2; i++) {
		ring_add(&b->r, &s, 1);
		serve_one(b);
		assert_int_equal(guest_irqs(b->v), 0);
	}
	ring_add(&b->r, &s, 1);
	serve_one(b);
	assert_int_equal(guest_irqs(b->v), 1);
	/* NO_INTERRUPT means nothing with EVENT_IDX */
	ring_set_avail_flags(&b->r, 1);
	ring_set_used_event(&b->r, 4);
	ring_add(&b->r, &s, 1);
	serve_one(b);
	assert_int_equal(guest_irqs(b->v), 1);
}

static void batch_crossing_the_event_rings_once(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);
	struct chain *c;

	ring_add(&b->r, &s, 1);
	serve_one(b);
	guest_irqs(b->v);
	ring_set_used_event(&b->r, 2);
	for (unsigned i = 0; i < 4; i++)
		ring_add(&b->r, &s, 1);
	while ((c = queue_pop(b->q)))
		queue_push(b->q, c, 0);
	queue_notify(b->q);
	queue_notify(b->q);
	assert_int_equal(guest_irqs(b->v), 1);
}

static void asks_for_kicks_by_event(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(b->buf, 4);

	ring_add(&b->r, &s, 1);
	serve_one(b);
	assert_false(queue_want_kick(b->q));
	assert_int_equal(ring_avail_event(&b->r), 1);
	queue_no_kick(b->q);
	assert_int_equal(ring_used_flags(&b->r), 0);
}

#define T(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pops_and_pushes, plain),
		T(goes_round_many_times, plain),
		T(unpops, plain),
		T(takes_a_full_queue, plain),
		T(walks_indirect_tables, indirect),
		T(interrupts_unless_told_not_to, plain),
		T(asks_for_kicks_by_flag, plain),
		T(interrupts_by_event, event_idx),
		T(batch_crossing_the_event_rings_once, event_idx),
		T(asks_for_kicks_by_event, event_idx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
