/* SPDX-License-Identifier: Apache-2.0 */
/* A disk with a rate, under a clock that the test moves. */
#include "dev/blk_priv.h"

#include "base/auto.h"
#include "tests/guest/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BYTES  (1u << 20)
#define SECOND 1000000u

static uint64_t clock_us;
static uint8_t block[65536];

static uint64_t fake_now(void)
{
	return clock_us;
}

static struct blk *blk_of(struct disk *d)
{
	return container_of(d->v, struct blk, virtio);
}

static void open_disk(struct disk *d, int fd, uint64_t bytes, uint64_t ops,
		      bool loop)
{
	struct rate_conf rate = { .bytes = bytes, .ops = ops };
	struct blk_conf conf = { .serial = "slow",
				 .overlay_fd = fd,
				 .size_bytes = BYTES,
				 .rate = rate };
	struct err e = { 0 };

	assert_int_equal(disk_open(d, &conf, loop, &e), 0);
	clock_us = SECOND;
	rate_init(&blk_of(d)->rate, &rate, fake_now);
}

/* How many requests have been answered. */
static unsigned answered(struct disk *d)
{
	unsigned n = 0;

	mmio_kick(d->v);
	while (ring_used(&d->r, NULL, NULL))
		n++;
	return n;
}

static void requests_wait_for_bytes(void **state)
{
	int fd = file_new(0);
	struct disk d;

	(void)state;
	open_disk(&d, fd, 8192, 0, false);
	for (unsigned i = 0; i < 5; i++)
		disk_put(&d, DISK_OUT, i * 8, 4096);
	guest_write32(d.v, MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(answered(&d), 2);
	assert_int_equal(answered(&d), 0);
	clock_us += 122; /* a byte takes longer */
	assert_int_equal(answered(&d), 0);
	clock_us += 1;
	assert_int_equal(answered(&d), 1);
	assert_int_equal(answered(&d), 0);
	clock_us += SECOND / 2;
	assert_int_equal(answered(&d), 1);
	clock_us += SECOND;
	assert_int_equal(answered(&d), 1);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(disk_status(&d, i), 0);
	disk_close(&d);
	close(fd);
}

static void reads_and_writes_share(void **state)
{
	int fd = file_new(0);
	struct disk d;

	(void)state;
	open_disk(&d, fd, 8192, 0, false);
	disk_put(&d, DISK_OUT, 0, 4096);
	disk_put(&d, DISK_IN, 0, 4096);
	disk_put(&d, DISK_IN, 0, 4096);
	disk_put(&d, DISK_OUT, 0, 4096);
	guest_write32(d.v, MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(answered(&d), 2);
	clock_us += SECOND;
	assert_int_equal(answered(&d), 2);
	disk_close(&d);
	close(fd);
}

static void operations_are_counted(void **state)
{
	int fd = file_new(0);
	struct disk d;

	(void)state;
	open_disk(&d, fd, 0, 3, false);
	for (unsigned i = 0; i < 4; i++)
		disk_put(&d, DISK_IN, 0, 512);
	disk_put(&d, DISK_FLUSH, 0, 0);
	guest_write32(d.v, MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(answered(&d), 3);
	clock_us += SECOND / 3 + 1;
	assert_int_equal(answered(&d), 1);
	clock_us += SECOND / 3 + 1;
	assert_int_equal(answered(&d), 1);
	disk_close(&d);
	close(fd);
}

static void one_large_request_passes(void **state)
{
	int fd = file_new(0);
	struct disk d;

	(void)state;
	open_disk(&d, fd, 512, 0, false);
	disk_put(&d, DISK_OUT, 0, 65536);
	disk_put(&d, DISK_OUT, 0, 512);
	guest_write32(d.v, MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(answered(&d), 1);
	clock_us += 127ull * SECOND;
	assert_int_equal(answered(&d), 0);
	clock_us += SECOND;
	assert_int_equal(answered(&d), 1);
	disk_close(&d);
	close(fd);
}

/* A driver cannot win by starting again. */
static void a_reset_does_not_fill_the_bucket(void **state)
{
	int fd = file_new(0);
	struct disk d;

	(void)state;
	open_disk(&d, fd, 4096, 0, false);
	for (unsigned i = 0; i < 3; i++)
		disk_put(&d, DISK_OUT, 0, 4096);
	guest_write32(d.v, MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(answered(&d), 1);
	disk_start(&d, d.v->offered);
	disk_put(&d, DISK_OUT, 0, 4096);
	guest_write32(d.v, MMIO_QUEUE_NOTIFY, 0);
	assert_int_equal(answered(&d), 0);
	clock_us += SECOND;
	assert_int_equal(answered(&d), 1);
	disk_close(&d);
	close(fd);
}

/* The timer wakes the queue: nobody kicks. */
static void the_loop_goes_on_by_itself(void **state)
{
	int fd = file_new(0);
	struct disk d;
	unsigned n = 0;

	(void)state;
	open_disk(&d, fd, 1 << 20, 0, true);
	for (unsigned i = 0; i < 2; i++)
		disk_put(&d, DISK_OUT, 0, 4096);
	rate_take(&blk_of(&d)->rate, 1 << 20, 0);
	ring_kick(&d.r);
	assert_int_equal(ring_used_idx(&d.r), 0);
	clock_us += SECOND;
	while (n < 2) {
		assert_int_equal(loop_once(&d.loop, 10000), 0);
		while (ring_used(&d.r, NULL, NULL))
			n++;
	}
	disk_close(&d);
	close(fd);
}

static void bytes_are_counted(void **state)
{
	struct dev_stats s = { 0 };
	int fd = file_new(0);
	struct disk d;

	(void)state;
	open_disk(&d, fd, 0, 0, false);
	assert_int_equal(disk_write(&d, 0, block, 65536), 0);
	assert_int_equal(disk_read(&d, 0, block, 4096), 0);
	assert_int_equal(disk_read(&d, 8, block, 512), 0);
	/* past the end: refused and not counted */
	assert_int_not_equal(disk_read(&d, BYTES / 512, block, 512), 0);
	assert_int_not_equal(disk_write(&d, BYTES / 512, block, 512), 0);
	blk_stats(d.v, &s);
	assert_int_equal(s.disk_write_bytes, 65536);
	assert_int_equal(s.disk_read_bytes, 4096 + 512);
	disk_close(&d);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_wait_for_bytes),
		cmocka_unit_test(reads_and_writes_share),
		cmocka_unit_test(operations_are_counted),
		cmocka_unit_test(one_large_request_passes),
		cmocka_unit_test(a_reset_does_not_fill_the_bucket),
		cmocka_unit_test(the_loop_goes_on_by_itself),
		cmocka_unit_test(bytes_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
