/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/guest.h"
#include "tests/guest/toy.h"

#include <pthread.h>
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

static int end(void **state)
{
	bench_end(*state);
	return 0;
}

/* The chain at head 0 must be refused and the device be marked. */
static void refused(struct bench *b)
{
	ring_avail(&b->r, 0);
	assert_null(queue_pop(b->q));
	assert_true(b->v->broken);
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(guest_read32(b->v, 0x060), VIRTIO_IRQ_CONFIG);
	/* reads as empty from here on, and nothing is told to the guest */
	assert_null(queue_pop(b->q));
	assert_false(queue_has_work(b->q));
	assert_false(queue_want_kick(b->q));
	assert_int_equal(ring_used_idx(&b->r), 0);
}

/* ---- what a hostile driver does ----------------------------------------- */

static void refuses_loop(void **state)
{
	struct bench *b = *state;

	ring_desc(&b->r, 0, b->buf.v, 16, RING_NEXT, 1);
	ring_desc(&b->r, 1, b->buf.v, 16, RING_NEXT, 0);
	refused(b);
}

static void refuses_self_loop(void **state)
{
	struct bench *b = *state;

	ring_desc(&b->r, 0, b->buf.v, 16, RING_NEXT, 0);
	refused(b);
}

static void refuses_next_out_of_range(void **state)
{
	struct bench *b = *state;

	ring_desc(&b->r, 0, b->buf.v, 16, RING_NEXT, 8);
	refused(b);
}

static void refuses_head_out_of_range(void **state)
{
	struct bench *b = *state;

	ring_avail(&b->r, 8);
	assert_null(queue_pop(b->q));
	assert_true(b->v->broken);
}

static void refuses_zero_length(void **state)
{
	struct bench *b = *state;

	ring_desc(&b->r, 0, b->buf.v, 0, 0, 0);
	refused(b);
}

static void refuses_read_after_write(void **state)
{
	struct bench *b = *state;

	ring_desc(&b->r, 0, b->buf.v, 16, RING_NEXT | RING_WRITE, 1);
	ring_desc(&b->r, 1, b->buf.v, 16, 0, 0);
	refused(b);
}

static void refuses_ranges_outside(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t len;
	} bad[] = {
		{ GUEST_LOW_SIZE, 1 },
		{ GUEST_LOW_SIZE - 8, 16 },    /* into the gap */
		{ GUEST_HIGH_BASE - 8, 16 },   /* out of the gap */
		{ 0xd0000000, 4 },	       /* device registers */
		{ GUEST_HIGH_BASE + GUEST_HIGH_SIZE - 1, 2 },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX - 7, 64 },	       /* wraps to low memory */
		{ 0, UINT32_MAX },
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < 8; i++) {
		ring_desc(&b->r, 0, bad[i].at, bad[i].len, RING_WRITE, 0);
		refused(b);
		bench_end(b);
		bench_begin(b, 0);
	}
}

static void refuses_long_chain(void **state)
{
	struct bench *b = *state;
	gpa_t t = guest_alloc(&b->g, 16 * 16, 16);

	/* direct segments, then a table that makes them too many */
	for (unsigned i = 0; i < TOY_SEGMENTS; i++)
		ring_entry(&b->g, t, i, b->buf.v, 1,
			   i + 1 < TOY_SEGMENTS ? RING_NEXT : 0,
			   (uint16_t)(i + 1));
	ring_desc(&b->r, 0, b->buf.v, 1, RING_NEXT, 1);
	ring_desc(&b->r, 1, t.v, 16 * TOY_SEGMENTS, RING_INDIRECT, 0);
	refused(b);
}

static void refuses_bad_indirect(void **state)
{
	static const struct {
		uint64_t at;	/* 0: a good one */
		uint32_t len;
		uint16_t flags;
	} bad[] = {
		{ 0, 0, RING_INDIRECT },
		{ 0, 17, RING_INDIRECT },
		{ 0, 8, RING_INDIRECT },
		{ 0, 16 * (TOY_SEGMENTS + 1), RING_INDIRECT },
		{ 0, 0xfffffff0, RING_INDIRECT },
		{ 0, 16, RING_INDIRECT | RING_NEXT },
		{ GUEST_LOW_SIZE - 16, 32, RING_INDIRECT },
		{ UINT64_MAX - 15, 16, RING_INDIRECT },
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < 8; i++) {
		gpa_t t = guest_alloc(&b->g, 16 * 16, 16);

		ring_entry(&b->g, t, 0, b->buf.v, 4, 0, 0);
		ring_desc(&b->r, 0, bad[i].at ? bad[i].at : t.v, bad[i].len,
			  bad[i].flags, 1);
		ring_desc(&b->r, 1, b->buf.v, 4, 0, 0);
		refused(b);
		bench_end(b);
		bench_begin(b, VIRTIO_F_INDIRECT_DESC);
	}
}

static void refuses_nested_indirect(void **state)
{
	struct bench *b = *state;
	gpa_t t = guest_alloc(&b->g, 64, 16);

	ring_entry(&b->g, t, 0, t.v, 16, RING_INDIRECT, 0);
	ring_desc(&b->r, 0, t.v, 16, RING_INDIRECT, 0);
	refused(b);
}

static void refuses_loop_in_indirect(void **state)
{
	struct bench *b = *state;
	gpa_t t = guest_alloc(&b->g, 64, 16);

	ring_entry(&b->g, t, 0, b->buf.v, 4, RING_NEXT, 1);
	ring_entry(&b->g, t, 1, b->buf.v, 4, RING_NEXT, 0);
	ring_desc(&b->r, 0, t.v, 32, RING_INDIRECT, 0);
	refused(b);
}

static void refuses_next_behind_indirect_table(void **state)
{
	struct bench *b = *state;
	gpa_t t = guest_alloc(&b->g, 64, 16);

	/* inside the ring's size, but behind this table's end */
	ring_entry(&b->g, t, 0, b->buf.v, 4, RING_NEXT, 1);
	ring_entry(&b->g, t, 1, b->buf.v, 4, 0, 0);
	ring_desc(&b->r, 0, t.v, 16, RING_INDIRECT, 0);
	refused(b);
}

static void refuses_indirect_not_agreed(void **state)
{
	struct bench *b = *state;
	gpa_t t = guest_alloc(&b->g, 64, 16);

	ring_entry(&b->g, t, 0, b->buf.v, 4, 0, 0);
	ring_desc(&b->r, 0, t.v, 16, RING_INDIRECT, 0);
	refused(b);
}

static void refuses_sum_past_4g(void **state)
{
	/* needs segments that are each inside RAM: 4 MiB x 8 is far from it,
	 * so give the device a region of 1 GiB that nobody touches */
	struct bench *b = *state;
	struct mem big = { 0 };
	const uint32_t gib = 1u << 30;

	assert_int_equal(mem_add(&big, GPA(0), gib, NULL), 0);
	memcpy(big.region[0].host, b->g.mem.region[0].host, 1 << 20);
	b->v->mem = &big;
	for (uint16_t i = 0; i < 4; i++)
		ring_desc(&b->r, i, 0, gib, i < 3 ? RING_NEXT : 0,
			  (uint16_t)(i + 1));
	refused(b);
	b->v->mem = &b->g.mem;
	mem_fini(&big);
}

static void refuses_head_in_flight(void **state)
{
	struct bench *b = *state;
	struct chain *c;

	ring_desc(&b->r, 0, b->buf.v, 4, RING_WRITE, 0);
	ring_avail(&b->r, 0);
	c = queue_pop(b->q);
	assert_non_null(c);
	ring_avail(&b->r, 0);
	assert_null(queue_pop(b->q));
	assert_true(b->v->broken);
	/* completing the first is safe and stays unsaid */
	queue_push(b->q, c, 4);
	queue_notify(b->q);
	assert_int_equal(ring_used_idx(&b->r), 0);
}

static void refuses_runaway_index(void **state)
{
	struct bench *b = *state;

	ring_set_avail_idx(&b->r, 9);
	assert_null(queue_pop(b->q));
	assert_true(b->v->broken);
}

static void refuses_index_going_back(void **state)
{
	struct bench *b = *state;

	ring_set_avail_idx(&b->r, 0xffff);
	assert_false(queue_has_work(b->q));
	assert_true(b->v->broken);
}

static void same_buffer_is_bounded(void **state)
{
	/* A driver that refills at once, for ever: the index never runs
	 * away, and each pop takes one, so the device decides when to stop. */
	struct bench *b = *state;
	unsigned served = 0;
	struct chain *c;

	ring_desc(&b->r, 0, b->buf.v, 4, RING_WRITE, 0);
	ring_avail(&b->r, 0);
	while (served < 100000 && (c = queue_pop(b->q))) {
		queue_push(b->q, c, 0);
		ring_avail(&b->r, 0);
		served++;
	}
	assert_int_equal(served, 100000);
}

/* ---- a driver that changes its mind while we read ----------------------- */

struct racer {
	struct bench *b;
	gpa_t table;
	bool stop;
};

static void *flip(void *arg)
{
	struct racer *x = arg;
	struct bench *b = x->b;
	unsigned i = 0;

	while (!__atomic_load_n(&x->stop, __ATOMIC_RELAXED)) {
		ring_desc(&b->r, 0, x->table.v, i & 1 ? 32 : 0xfffffff0,
			  RING_INDIRECT, 0);
		ring_entry(&b->g, x->table, 0, i & 2 ? b->buf.v : UINT64_MAX,
			   i & 4 ? 64 : 0x7fffffff, RING_NEXT,
			   i & 8 ? 1 : 0xffff);
		ring_entry(&b->g, x->table, 1,
			   i & 16 ? b->buf.v : GUEST_LOW_SIZE - 1, 64,
			   i & 32 ? RING_WRITE : RING_NEXT, 0);
		i++;
	}
	return NULL;
}

static bool in_ram(struct bench *b, const struct iovec *iov)
{
	for (unsigned i = 0; i < b->g.mem.nregions; i++) {
		const struct mem_region *r = &b->g.mem.region[i];
		const uint8_t *p = iov->iov_base;

		if (p >= r->host && p < r->host + r->size)
			return iov->iov_len <= r->size - (size_t)(p - r->host);
	}
	return false;
}

static void survives_a_racing_driver(void **state)
{
	struct bench *b = *state;
	struct racer x = { .b = b };
	unsigned good = 0, bad = 0;
	pthread_t t;

	x.table = guest_alloc(&b->g, 64, 16);
	assert_int_equal(pthread_create(&t, NULL, flip, &x), 0);
	for (unsigned i = 0; i < 200000; i++) {
		struct chain *c;

		ring_avail(&b->r, 0);
		c = queue_pop(b->q);
		if (!c) {
			/* What a reset would do, without its cost. */
			bad++;
			b->v->broken = false;
			b->v->status &= ~VIRTIO_S_NEEDS_RESET & 0xff;
			b->q->next_avail = b->r.avail_idx;
			continue;
		}
		good++;
		for (unsigned k = 0; k < c->nout + c->nin; k++)
			assert_true(in_ram(b, &c->iov[k]));
		assert_in_range(c->nout + c->nin, 1, TOY_SEGMENTS);
		queue_push(b->q, c, 0);
	}
	__atomic_store_n(&x.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	assert_int_equal(good + bad, 200000);
}

/* ---- set-up ------------------------------------------------------------- */

static void refuses_bad_areas(void **state)
{
	struct {
		uint64_t desc, avail, used;
		uint16_t size;
	} bad[] = {
		{ 0x1008, 0x2000, 0x3000, 8 },	/* not aligned */
		{ 0x1000, 0x2001, 0x3000, 8 },
		{ 0x1000, 0x2000, 0x3002, 8 },
		{ 0x1000, 0x2000, 0x3000, 0 },	/* sizes */
		{ 0x1000, 0x2000, 0x3000, 3 },
		{ 0x1000, 0x2000, 0x3000, 32 },
		{ 0x1000, 0x2000, 0x3000, 0xffff },
		{ GUEST_LOW_SIZE - 112, 0x2000, 0x3000, 8 },
		{ 0x1000, GUEST_LOW_SIZE - 20, 0x3000, 8 },
		{ 0x1000, 0x2000, GUEST_LOW_SIZE - 68, 8 },
		{ 0xd0000000, 0x2000, 0x3000, 8 },	/* the gap */
		{ UINT64_MAX - 15, 0x2000, 0x3000, 8 }, /* wraps */
		{ 0x1000, UINT64_MAX - 1, 0x3000, 8 },
		{ 0x1000, 0x2000, UINT64_MAX - 3, 8 },
	};
	struct guest g;
	struct toy toy;
	struct ring r;

	(void)state;
	guest_init(&g);
	toy_init(&toy, &g.mem);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_true(guest_start(&toy.virtio, 0));
		r = (struct ring){
			.g = &g,
			.v = &toy.virtio,
			.size = bad[i].size,
			.desc = GPA(bad[i].desc),
			.avail = GPA(bad[i].avail),
			.used = GPA(bad[i].used),
		};
		ring_enable(&r);
		assert_false(toy.virtio.queue[0].ready);
		assert_true(guest_status(&toy.virtio) & VIRTIO_S_NEEDS_RESET);
		guest_go(&toy.virtio);
		assert_false(virtio_live(&toy.virtio));
	}
	/* the last bytes of RAM are as good as any */
	assert_true(guest_start(&toy.virtio, 0));
	r.size = 8;
	r.desc = GPA(GUEST_LOW_SIZE - 128);
	r.avail = GPA(0x2000);
	r.used = GPA(GUEST_HIGH_BASE + GUEST_HIGH_SIZE - 72);
	ring_enable(&r);
	assert_true(toy.virtio.queue[0].ready);
	toy_fini(&toy);
	guest_fini(&g);
}

#define T(fn, setup) cmocka_unit_test_setup_teardown(fn, setup, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(refuses_loop, plain),
		T(refuses_self_loop, plain),
		T(refuses_next_out_of_range, plain),
		T(refuses_head_out_of_range, plain),
		T(refuses_zero_length, plain),
		T(refuses_read_after_write, plain),
		T(refuses_ranges_outside, plain),
		T(refuses_long_chain, indirect),
		T(refuses_bad_indirect, indirect),
		T(refuses_nested_indirect, indirect),
		T(refuses_loop_in_indirect, indirect),
		T(refuses_next_behind_indirect_table, indirect),
		T(refuses_indirect_not_agreed, plain),
		T(refuses_sum_past_4g, plain),
		T(refuses_head_in_flight, plain),
		T(refuses_runaway_index, plain),
		T(refuses_index_going_back, plain),
		T(same_buffer_is_bounded, plain),
		T(survives_a_racing_driver, indirect),
		cmocka_unit_test(refuses_bad_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
