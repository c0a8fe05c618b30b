/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/disk.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define OK 0
#define IOERR 1
#define UNSUPP 2

#define SIZE (1u << 20)
#define BASE (700000u) /* the image ends inside a sector */

/* An image of BASE bytes below, an overlay above, a disk of SIZE bytes. */
struct stack {
	struct disk d;
	int image, base, overlay;
	uint8_t *bytes; /* what the disk holds */
};

static struct stack stack;
static bool use_ring;

static void stack_files(struct stack *s)
{
	s->image = file_new(0);
	s->base = file_readonly(s->image);
	s->overlay = file_new(0);
	s->bytes = calloc(1, SIZE);
	assert_non_null(s->bytes);
	for (unsigned i = 0; i < BASE; i++)
		s->bytes[i] = (uint8_t)(i * 7 + i / 512 + 1);
	assert_int_equal(pwrite(s->image, s->bytes, BASE, 0), BASE);
}

static int stack_open(struct stack *s, bool writable)
{
	struct blk_conf conf = {
		.serial = "root",
		.base_fds = &s->base,
		.nbase = 1,
		.overlay_fd = writable ? s->overlay : -1,
		.size_bytes = SIZE,
	};
	struct err e = { 0 };
	int r = disk_open(&s->d, &conf, use_ring, &e);

	if (r < 0)
		fprintf(stderr, "%s\n", e.msg);
	return r;
}

static int begin(void **state)
{
	stack_files(&stack);
	*state = &stack;
	return stack_open(&stack, true);
}

static int begin_readonly(void **state)
{
	stack_files(&stack);
	*state = &stack;
	return stack_open(&stack, false);
}

static int end(void **state)
{
	struct stack *s = *state;

	disk_close(&s->d);
	close(s->image);
	close(s->base);
	close(s->overlay);
	free(s->bytes);
	return 0;
}

/* The whole disk is what the model says. */
static void same(struct stack *s)
{
	static uint8_t got[DISK_BYTES];

	for (unsigned at = 0; at < SIZE; at += DISK_BYTES) {
		assert_int_equal(disk_read(&s->d, at / 512, got, DISK_BYTES),
				 OK);
		assert_memory_equal(got, s->bytes + at, DISK_BYTES);
	}
}

static void image_untouched(struct stack *s)
{
	static uint8_t got[BASE];
	struct stat st;

	assert_int_equal(pread(s->image, got, BASE, 0), BASE);
	assert_int_equal(fstat(s->image, &st), 0);
	assert_int_equal(st.st_size, BASE);
	for (unsigned i = 0; i < BASE; i++)
		assert_int_equal(got[i], (uint8_t)(i * 7 + i / 512 + 1));
}

static void put(struct stack *s, unsigned sector, uint8_t fill, unsigned len)
{
	memset(s->bytes + sector * 512, fill, len);
	assert_int_equal(
		disk_write(&s->d, sector, s->bytes + sector * 512, len), OK);
}

/* ---- good drivers -------------------------------------------------------- */

static void reads_image_then_zeroes(void **state)
{
	same(*state);
}

static void writes_land_in_the_overlay(void **state)
{
	struct stack *s = *state;

	put(s, 8, 0x11, 4096);	  /* one cluster */
	put(s, 17, 0x22, 512);	  /* a part of one */
	put(s, 30, 0x33, 8192);	  /* both ends ragged */
	put(s, 18, 0x44, 512);	  /* a part of one that is there */
	put(s, 1366, 0x55, 1024); /* over the end of the image */
	put(s, 2040, 0x66, 4096); /* the last cluster */
	put(s, 1024, 0x77, 65536);
	same(s);
	image_untouched(s);
}

static void says_what_it_is(void **state)
{
	struct stack *s = *state;
	struct virtio *v = s->d.v;
	uint64_t capacity;

	mmio_read(v, 0x100, &capacity, 8);
	assert_int_equal(capacity, SIZE / 512);
	assert_int_equal(guest_read32(v, 0x100 + 12), 128); /* seg_max */
	assert_int_equal(guest_read32(v, 0x100 + 20), 512); /* blk_size */
	assert_int_equal(guest_read32(v, 0x100 + 24) & 0xff, 3);
	assert_true(v->offered & (1 << 9));  /* FLUSH */
	assert_false(v->offered & (1 << 5)); /* RO */
}

static void tells_its_serial(void **state)
{
	struct stack *s = *state;
	unsigned a = disk_put(&s->d, DISK_GET_ID, 0, 20);
	unsigned b = disk_put(&s->d, DISK_GET_ID, 0, 2);

	memset(disk_data(&s->d, a), 0xff, 32);
	memset(disk_data(&s->d, b), 0xff, 32);
	assert_true(disk_run(&s->d));
	assert_int_equal(disk_status(&s->d, a), OK);
	assert_memory_equal(disk_data(&s->d, a),
			    "root\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff", 21);
	assert_int_equal(disk_status(&s->d, b), OK);
	assert_memory_equal(disk_data(&s->d, b), "ro\xff", 3);
}

static void zeroes_are_written(void **state)
{
	struct stack *s = *state;

	put(s, 64, 0x11, 65536);
	memset(s->bytes + 70 * 512, 0, 30 * 512);
	assert_int_equal(disk_range(&s->d, DISK_WRITE_ZEROES, 70, 30, 0), OK);
	memset(s->bytes + 3 * 512, 0, 512); /* inside one of the image's */
	assert_int_equal(disk_range(&s->d, DISK_WRITE_ZEROES, 3, 1, 1), OK);
	memset(s->bytes + 301 * 512, 0, 50 * 512);
	assert_int_equal(disk_range(&s->d, DISK_WRITE_ZEROES, 301, 50, 1), OK);
	assert_int_equal(disk_range(&s->d, DISK_WRITE_ZEROES, 301, 0, 0), OK);
	same(s);
	put(s, 75, 0x12, 512); /* into the hole */
	same(s);
	image_untouched(s);
}

static void discard_gives_room_back(void **state)
{
	struct stack *s = *state;
	struct stat full, less;

	put(s, 0, 0x11, DISK_BYTES);
	assert_int_equal(disk_flush(&s->d), OK);
	assert_int_equal(fstat(s->overlay, &full), 0);
	memset(s->bytes, 0, DISK_BYTES);
	assert_int_equal(
		disk_range(&s->d, DISK_DISCARD, 0, DISK_BYTES / 512, 0), OK);
	assert_int_equal(fstat(s->overlay, &less), 0);
	assert_true(less.st_blocks < full.st_blocks);
	/* what the image has there does not come back; parts are left alone */
	assert_int_equal(disk_range(&s->d, DISK_DISCARD, 1025, 6, 0), OK);
	same(s);
}

static void framing_does_not_matter(void **state)
{
	struct stack *s = *state;
	struct guest *g = &s->d.g;
	gpa_t at = guest_alloc(g, 8192, 16);
	uint32_t head[4] = { DISK_OUT, 0, 9, 0 };
	uint8_t *p = guest_at(g, at, 8192);
	/* header in three pieces, the last with the first of the data */
	struct seg out[] = { SEG_OUT(at, 3), SEG_OUT(GPA(at.v + 3), 9),
			     SEG_OUT(GPA(at.v + 12), 104),
			     SEG_OUT(GPA(at.v + 116), 412),
			     SEG_IN(GPA(at.v + 4096), 1) };
	/* status behind the data in one segment */
	struct seg in[] = { SEG_OUT(at, 16), SEG_IN(GPA(at.v + 1024), 100),
			    SEG_IN(GPA(at.v + 1124), 413) };
	uint32_t len;

	memcpy(p, head, 16);
	memset(p + 16, 0x5a, 512);
	memset(s->bytes + 9 * 512, 0x5a, 512);
	p[4096] = DISK_UNSEEN;
	ring_add(&s->d.r, out, 5);
	s->d.used = 1;
	assert_true(disk_run(&s->d));
	assert_int_equal(p[4096], OK);
	head[0] = DISK_IN;
	memcpy(p, head, 16);
	ring_add(&s->d.r, in, 3);
	ring_kick(&s->d.r);
	while (!ring_used(&s->d.r, NULL, &len))
		loop_once(&s->d.loop, 1000);
	assert_int_equal(len, 513);
	assert_memory_equal(p + 1024, s->bytes + 9 * 512, 512);
	assert_int_equal(p[1024 + 512], OK);
	same(s);
}

/* ---- hostile drivers ----------------------------------------------------- */

static void refuses_ranges_outside(void **state)
{
	static const struct {
		uint64_t sector;
		uint32_t len;
	} bad[] = {
		{ SIZE / 512, 512 },
		{ SIZE / 512 - 1, 1024 },
		{ UINT64_MAX, 512 },
		{ UINT64_MAX / 512, 1024 },
		{ UINT64_MAX / 512 + 1, 512 },
		{ 1ull << 55, 512 },
		{ 0, 511 },
		{ 0, 513 },
		{ 1ull << 63, 4096 },
	};
	struct stack *s = *state;
	static uint8_t buf[4096];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(disk_read(&s->d, bad[i].sector, buf,
					   bad[i].len),
				 IOERR);
		assert_int_equal(disk_write(&s->d, bad[i].sector, buf,
					    bad[i].len),
				 IOERR);
	}
	assert_int_equal(disk_read(&s->d, SIZE / 512, buf, 0), OK);
	same(s);
}

static void refuses_bad_ranges_of_zeroes(void **state)
{
	struct stack *s = *state;
	unsigned slot;

	for (unsigned t = DISK_DISCARD; t <= DISK_WRITE_ZEROES; t += 2) {
		assert_int_equal(disk_range(&s->d, t, SIZE / 512, 1, 0), IOERR);
		assert_int_equal(disk_range(&s->d, t, UINT64_MAX, 8, 0), IOERR);
		assert_int_equal(disk_range(&s->d, t, 0, UINT32_MAX, 0), IOERR);
		assert_int_equal(disk_range(&s->d, t, 1ull << 55, 8, 0), IOERR);
		assert_int_equal(disk_range(&s->d, t, 0, 8, 2), UNSUPP);
		slot = disk_put(&s->d, t, 0, 17);
		assert_true(disk_run(&s->d));
		assert_int_equal(disk_status(&s->d, slot), IOERR);
		slot = disk_put(&s->d, t, 0, 0);
		assert_true(disk_run(&s->d));
		assert_int_equal(disk_status(&s->d, slot), IOERR);
		slot = disk_put(&s->d, t, 0, 16 * 9);
		memset(disk_data(&s->d, slot), 0, 16 * 9);
		assert_true(disk_run(&s->d));
		assert_int_equal(disk_status(&s->d, slot), IOERR);
	}
	assert_int_equal(disk_range(&s->d, DISK_DISCARD, 0, 8, 1), UNSUPP);
	same(s);
}

static void unknown_requests_are_told(void **state)
{
	static const uint32_t types[] = { 2,  3,  5,  7,  9,	     12,
					  14, 16, 24, 26, UINT32_MAX };
	struct stack *s = *state;

	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++) {
		unsigned slot = disk_put(&s->d, types[i], 0, 512);

		assert_true(disk_run(&s->d));
		assert_int_equal(disk_status(&s->d, slot), UNSUPP);
	}
	same(s);
}

static void needs_header_and_status(void **state)
{
	struct stack *s = *state;
	gpa_t at = guest_alloc(&s->d.g, 4096, 16);
	struct seg no_status = SEG_OUT(at, 528);
	struct seg no_header = SEG_IN(at, 513);
	struct seg short_header[] = { SEG_OUT(at, 15), SEG_IN(at, 513) };

	for (unsigned i = 0; i < 3; i++) {
		ring_add(&s->d.r,
			 i == 0	  ? &no_status
			 : i == 1 ? &no_header
				  : short_header,
			 i == 2 ? 2 : 1);
		ring_kick(&s->d.r);
		assert_true(s->d.v->broken);
		assert_int_equal(ring_used_idx(&s->d.r), 0);
		disk_start(&s->d, s->d.v->offered);
	}
	same(s);
}

static void readonly_is_kept_here(void **state)
{
	struct stack *s = *state;
	uint8_t buf[512] = { 1 };

	assert_true(s->d.v->offered & (1 << 5));
	assert_false(s->d.v->offered & (1 << 9 | 1 << 13 | 1 << 14));
	assert_int_equal(disk_write(&s->d, 0, buf, 512), IOERR);
	assert_int_equal(disk_range(&s->d, DISK_WRITE_ZEROES, 0, 8, 0), IOERR);
	assert_int_equal(disk_range(&s->d, DISK_DISCARD, 0, 8, 0), IOERR);
	assert_int_equal(disk_flush(&s->d), OK);
	same(s);
	image_untouched(s);
}

struct racer {
	struct disk *d;
	bool stop;
};

/* Changes the header and the range of slot 0 while the disk looks at them. */
static void *flip(void *arg)
{
	static const uint8_t types[] = { 0, 1, 4, 8, 11, 13, 99, 1 };
	struct racer *x = arg;
	uint8_t *h = guest_at(&x->d->g, x->d->head[0], 16);
	uint8_t *range = disk_data(x->d, 0);

	for (unsigned i = 0; !__atomic_load_n(&x->stop, __ATOMIC_RELAXED);
	     i++) {
		h[0] = types[i % 8];
		h[8 + i % 8] ^= 0x81;
		range[i % 16] ^= 0x41;
	}
	return NULL;
}

static void survives_a_racing_driver(void **state)
{
	struct stack *s = *state;
	struct racer x = { .d = &s->d };
	pthread_t t;

	assert_int_equal(pthread_create(&t, NULL, flip, &x), 0);
	for (unsigned i = 0; i < 5000; i++) {
		unsigned slot = disk_put(&s->d, i % 2 ? DISK_IN : DISK_OUT,
					 i % 2000, i % 3 ? 16 : 4096);

		assert_true(disk_run(&s->d));
		assert_in_range(disk_status(&s->d, slot), OK, UNSUPP);
	}
	__atomic_store_n(&x.stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	assert_true(virtio_live(s->d.v));
	image_untouched(s);
}

/* ---- hosts that fail ----------------------------------------------------- */

static void shrunken_image_reads_as_zeroes(void **state)
{
	struct stack *s = *state;

	assert_int_equal(ftruncate(s->image, 10000), 0);
	memset(s->bytes + 10000, 0, SIZE - 10000);
	same(s);
	put(s, 19, 0x11, 512); /* copies up over the end */
	same(s);
}

static void set_file_limit(rlim_t max)
{
	struct rlimit rl;

	getrlimit(RLIMIT_FSIZE, &rl);
	rl.rlim_cur = max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &rl), 0);
}

static void full_overlay_is_an_io_error(void **state)
{
	static uint8_t buf[65536];
	struct stack *s = *state;
	/* data begins at 1 MiB: room for the first 100000 bytes of the disk */
	const rlim_t limit = (1 << 20) + 100000;

	signal(SIGXFSZ, SIG_IGN);
	set_file_limit(limit);
	memset(buf, 0x77, sizeof(buf));
	/* whole clusters, some of which fit; a part of one that does not */
	assert_int_equal(disk_write(&s->d, 128, buf, 65536), IOERR);
	assert_int_equal(disk_write(&s->d, 401, buf, 512), IOERR);
	assert_int_equal(disk_range(&s->d, DISK_WRITE_ZEROES, 401, 1, 0),
			 IOERR);
	/* nothing was taken over, and what fits still does */
	put(s, 0, 0x22, 4096);
	same(s);
	set_file_limit(RLIM_INFINITY);
	put(s, 128, 0x33, 65536);
	put(s, 401, 0x44, 512);
	same(s);
}

static void reset_while_requests_are_out(void **state)
{
	struct stack *s = *state;

	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 12; i++) {
			unsigned slot = disk_put(&s->d,
						 i % 4 == 3 ? DISK_FLUSH
						 : i % 2    ? DISK_IN
							    : DISK_OUT,
						 256 * (i / 2),
						 i % 4 == 3 ? 0 : 65536);

			if (i % 2 == 0)
				memset(disk_data(&s->d, slot), (int)(i + 1),
				       65536);
		}
		ring_kick(&s->d.r);
		guest_reset(s->d.v);
		/* the memory is the guest's again */
		for (unsigned i = 0; i < 12; i++)
			memset(disk_data(&s->d, i), 0x99, 65536);
		disk_start(&s->d, s->d.v->offered);
		for (unsigned i = 0; i < 12; i++)
			assert_int_equal(*(uint8_t *)disk_data(&s->d, i), 0x99);
		s->d.g.next -= 4096; /* the rings of this round */
	}
	for (unsigned i = 0; i < 12; i += 2)
		put(s, 256 * (i / 2), 0x10, 65536);
	assert_int_equal(disk_flush(&s->d), OK);
	same(s);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_image_then_zeroes),
		T(writes_land_in_the_overlay),
		T(says_what_it_is),
		T(tells_its_serial),
		T(zeroes_are_written),
		T(discard_gives_room_back),
		T(framing_does_not_matter),
		T(refuses_ranges_outside),
		T(refuses_bad_ranges_of_zeroes),
		T(unknown_requests_are_told),
		T(needs_header_and_status),
		T(survives_a_racing_driver),
		cmocka_unit_test_setup_teardown(readonly_is_kept_here,
						begin_readonly, end),
		T(shrunken_image_reads_as_zeroes),
		T(full_overlay_is_an_io_error),
		T(reset_while_requests_are_out),
	};
	int bad;

	bad = cmocka_run_group_tests_name("plain", tests, NULL, NULL);
	use_ring = true;
	return bad + cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
}
