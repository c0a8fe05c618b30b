/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/balloon.h"

#include "tests/guest/guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define PAGE 4096u
#define F_POISON (1ull << 4)
#define F_REPORTING (1ull << 5)
#define CONFIG 0x100
#define CONFIG_WORDS 4
#define REPORT 2u

struct bench {
	struct guest g;
	struct virtio *v;
	struct ring r;
};

static struct bench bench;

static void start(struct bench *b, unsigned queue, uint64_t features)
{
	assert_true(guest_start(b->v, features));
	ring_init(&b->r, &b->g, b->v, (uint16_t)queue, 64);
	guest_go(b->v);
}

static int begin(void **state)
{
	struct err e = { 0 };

	guest_init(&bench.g);
	bench.v = balloon_create(NULL, &bench.g.mem, NULL, &e);
	if (!bench.v)
		return -1;
	start(&bench, REPORT, F_REPORTING);
	*state = &bench;
	return 0;
}

static int end(void **state)
{
	(void)state;
	balloon_destroy(bench.v);
	guest_fini(&bench.g);
	return 0;
}

static uint64_t returned(struct bench *b)
{
	struct dev_stats s = { 0 };

	balloon_stats(b->v, &s);
	return s.returned_bytes;
}

/* n pages of guest memory with something in them. */
static gpa_t dirty(struct bench *b, unsigned n)
{
	gpa_t at = guest_alloc(&b->g, n * PAGE, PAGE);

	memset(guest_at(&b->g, at, n * PAGE), 0x5a, n * PAGE);
	return at;
}

static unsigned resident(struct bench *b, gpa_t at, unsigned n)
{
	unsigned char vec[64];
	unsigned sum = 0;

	assert_true(n <= sizeof(vec));
	assert_int_equal(mincore(guest_at(&b->g, at, n * PAGE), n * PAGE, vec),
			 0);
	for (unsigned i = 0; i < n; i++)
		sum += vec[i] & 1;
	return sum;
}

static bool all(struct bench *b, gpa_t at, size_t len, uint8_t want)
{
	const uint8_t *p = guest_at(&b->g, at, len);

	for (size_t i = 0; i < len; i++)
		if (p[i] != want)
			return false;
	return true;
}

static void put_pfn(struct bench *b, gpa_t list, unsigned i, uint64_t pfn)
{
	uint32_t le = (uint32_t)pfn;

	memcpy(guest_at(&b->g, GPA(list.v + 4ull * i), 4), &le, 4);
}

static uint32_t config_word(struct bench *b, unsigned i)
{
	return guest_read32(b->v, CONFIG + 4 * i);
}

static void broken(struct bench *b)
{
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(returned(b), 0);
}

/* ---- reporting ---- */

static void reported_pages_go_back(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 8), keep = dirty(b, 1), c = dirty(b, 4);
	struct seg segs[] = { SEG_IN(a, 8 * PAGE), SEG_IN(c, 4 * PAGE) };
	uint32_t id, len;
	uint16_t head = ring_add(&b->r, segs, 2);

	assert_int_equal(resident(b, a, 8), 8);
	ring_kick(&b->r);
	assert_true(ring_used(&b->r, &id, &len));
	assert_int_equal(id, head);
	assert_int_equal(len, 0);
	assert_int_equal(returned(b), 12 * PAGE);
	assert_int_equal(resident(b, a, 8), 0);
	assert_int_equal(resident(b, c, 4), 0);
	assert_true(all(b, a, 8 * PAGE, 0));
	assert_true(all(b, keep, PAGE, 0x5a));
	assert_int_equal(guest_irqs(b->v), 1);
}

static void both_numbers_of_the_queue_do(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 2);
	struct seg s = SEG_IN(a, 2 * PAGE);

	start(b, 4, F_REPORTING);
	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_true(ring_used(&b->r, NULL, NULL));
	assert_int_equal(returned(b), 2 * PAGE);
}

static void only_whole_pages_go(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 4);
	struct seg s = SEG_IN(GPA(a.v + 100), 3 * PAGE);

	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_int_equal(returned(b), 2 * PAGE);
	assert_true(all(b, a, PAGE, 0x5a));
	assert_true(all(b, GPA(a.v + PAGE), 2 * PAGE, 0));
	assert_true(all(b, GPA(a.v + 3 * PAGE), PAGE, 0x5a));
}

static void less_than_a_page_stays(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 2);
	struct seg s = SEG_IN(GPA(a.v + 1), PAGE);

	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_true(ring_used(&b->r, NULL, NULL));
	assert_int_equal(returned(b), 0);
	assert_true(all(b, a, 2 * PAGE, 0x5a));
}

static void readable_reports_are_refused(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 2);
	struct seg segs[] = { SEG_OUT(a, PAGE), SEG_IN(GPA(a.v + PAGE), PAGE) };

	ring_add(&b->r, segs, 2);
	ring_kick(&b->r);
	broken(b);
	assert_true(all(b, a, 2 * PAGE, 0x5a));
}

static void memory_outside_is_refused(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(GPA(GUEST_LOW_SIZE), PAGE);

	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	broken(b);
}

/* The last page of a region, and not the one behind it. */
static void the_edge_of_memory_goes(void **state)
{
	struct bench *b = *state;
	struct seg s = SEG_IN(GPA(GUEST_LOW_SIZE - PAGE), PAGE);

	memset(guest_at(&b->g, s.at, PAGE), 1, PAGE);
	ring_add(&b->r, &s, 1);
	s.len = PAGE + 1;
	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_int_equal(returned(b), PAGE);
	assert_true(guest_status(b->v) & VIRTIO_S_NEEDS_RESET);
}

static void a_turn_is_bounded(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 1);
	struct seg s = SEG_IN(a, PAGE);

	for (unsigned i = 0; i < BALLOON_TURN + 3; i++)
		ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_int_equal(ring_used_idx(&b->r), BALLOON_TURN);
	mmio_kick(b->v); /* it rang its own bell */
	assert_int_equal(ring_used_idx(&b->r), BALLOON_TURN + 3);
}

/* ---- poison ---- */

static void report_with_poison(struct bench *b, uint32_t poison)
{
	gpa_t a = dirty(b, 1);
	struct seg s = SEG_IN(a, PAGE);

	start(b, REPORT, F_REPORTING | F_POISON);
	guest_write32(b->v, CONFIG + 12, poison);
	assert_int_equal(config_word(b, 3), poison);
	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_true(ring_used(&b->r, NULL, NULL));
	assert_true(all(b, a, PAGE, poison ? 0x5a : 0));
}

static void zero_poison_is_what_pages_become(void **state)
{
	report_with_poison(*state, 0);
	assert_int_equal(returned(*state), PAGE);
}

static void other_poison_keeps_the_pages(void **state)
{
	report_with_poison(*state, 0xaaaaaaaa);
	assert_int_equal(returned(*state), 0);
}

/* ---- inflating and deflating ---- */

static void inflated_pages_go_back(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 4), list = guest_alloc(&b->g, 64, 4);
	struct seg segs[] = { SEG_OUT(list, 6), SEG_OUT(GPA(list.v + 6), 6) };

	start(b, 0, F_REPORTING);
	put_pfn(b, list, 0, a.v / PAGE);
	put_pfn(b, list, 1, a.v / PAGE + 1);
	put_pfn(b, list, 2, a.v / PAGE + 3);
	ring_add(&b->r, segs, 2);
	ring_kick(&b->r);
	assert_true(ring_used(&b->r, NULL, NULL));
	assert_int_equal(returned(b), 3 * PAGE);
	assert_true(all(b, a, 2 * PAGE, 0));
	assert_true(all(b, GPA(a.v + 2 * PAGE), PAGE, 0x5a));
	assert_true(all(b, GPA(a.v + 3 * PAGE), PAGE, 0));
}

static void deflating_takes_nothing(void **state)
{
	struct bench *b = *state;
	gpa_t a = dirty(b, 1), list = guest_alloc(&b->g, 64, 4);
	struct seg s = SEG_OUT(list, 4);

	start(b, 1, F_REPORTING);
	put_pfn(b, list, 0, a.v / PAGE);
	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	assert_true(ring_used(&b->r, NULL, NULL));
	assert_int_equal(returned(b), 0);
	assert_true(all(b, a, PAGE, 0x5a));
}

static void a_page_outside_is_refused(void **state)
{
	static const uint32_t bad[] = { GUEST_LOW_SIZE / PAGE, UINT32_MAX };
	struct bench *b = *state;
	gpa_t list = guest_alloc(&b->g, 64, 4);
	struct seg s = SEG_OUT(list, 4);

	for (unsigned i = 0; i < 2; i++) {
		start(b, 0, F_REPORTING);
		put_pfn(b, list, 0, bad[i]);
		ring_add(&b->r, &s, 1);
		ring_kick(&b->r);
		broken(b);
	}
}

static void refuse_list(struct bench *b, struct seg s, unsigned queue)
{
	start(b, queue, F_REPORTING);
	ring_add(&b->r, &s, 1);
	ring_kick(&b->r);
	broken(b);
}

static void bad_lists_are_refused(void **state)
{
	struct bench *b = *state;
	gpa_t list = guest_alloc(&b->g, 8 * BALLOON_PFNS_MAX, 4);

	for (unsigned q = 0; q < 2; q++) {
		refuse_list(b, SEG_IN(list, 4), q);
		refuse_list(b, SEG_OUT(list, 5), q);
		refuse_list(b, SEG_OUT(list, 4 * BALLOON_PFNS_MAX + 4), q);
	}
}

/* ---- configuration ---- */

static void the_host_asks_for_nothing(void **state)
{
	struct bench *b = *state;

	assert_int_equal(guest_read32(b->v, 0x008), 5);
	for (unsigned i = 0; i < CONFIG_WORDS; i++)
		guest_write32(b->v, CONFIG + 4 * i, 77);
	assert_int_equal(config_word(b, 0), 0);
	assert_int_equal(config_word(b, 1), 77);
	assert_int_equal(config_word(b, 2), 0);
	guest_reset(b->v);
	assert_int_equal(config_word(b, 1), 0);
	assert_int_equal(b->v->offered & 0xff, F_POISON | F_REPORTING);
}

static void works_again_after_reset(void **state)
{
	struct bench *b = *state;

	readable_reports_are_refused(state);
	start(b, REPORT, F_REPORTING);
	guest_irqs(b->v);
	reported_pages_go_back(state);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reported_pages_go_back),
		T(both_numbers_of_the_queue_do),
		T(only_whole_pages_go),
		T(less_than_a_page_stays),
		T(readable_reports_are_refused),
		T(memory_outside_is_refused),
		T(the_edge_of_memory_goes),
		T(a_turn_is_bounded),
		T(zero_poison_is_what_pages_become),
		T(other_poison_keeps_the_pages),
		T(inflated_pages_go_back),
		T(deflating_takes_nothing),
		T(a_page_outside_is_refused),
		T(bad_lists_are_refused),
		T(the_host_asks_for_nothing),
		T(works_again_after_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
