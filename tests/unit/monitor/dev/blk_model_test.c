/* SPDX-License-Identifier: Apache-2.0 */
/* The disk against a plain array of bytes: seeded random requests, several at
 * once, then everything read back; the overlay opened again, and put below
 * another one. Requests of one batch do not touch the same sectors (their order
 * would be anybody's), but they do share clusters. */
#include "tests/guest/disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Neither is a multiple of the cluster; the image ends inside a sector. */
#define SECTORS 1003u
#define SIZE	(SECTORS * 512)
#define BASE	300001u
#define BATCH	12
#define BATCHES 150

struct model {
	struct disk d;
	int base[4];
	unsigned nbase;
	int overlay;
	uint8_t bytes[SIZE];
	bool busy[SECTORS];	/* by a request of this batch */
	uint64_t seed;
	unsigned batches;
};

static struct model model;
static bool use_ring;

static uint32_t rnd(struct model *m, uint32_t below)
{
	m->seed ^= m->seed << 13;
	m->seed ^= m->seed >> 7;
	m->seed ^= m->seed << 17;
	return (uint32_t)(m->seed >> 20) % below;
}

static void open_disk(struct model *m)
{
	struct blk_conf conf = {
		.serial = "model",
		.base_fds = m->base,
		.nbase = m->nbase,
		.overlay_fd = m->overlay,
		.size_bytes = SIZE,
	};
	struct err e = { 0 };

	if (disk_open(&m->d, &conf, use_ring, &e) < 0)
		fail_msg("%s", e.msg);
}

static void begin(struct model *m, uint64_t seed)
{
	int image = file_new(0);

	memset(m, 0, sizeof(*m));
	m->seed = seed;
	for (unsigned i = 0; i < BASE; i++)
		m->bytes[i] = (uint8_t)rnd(m, 256);
	assert_int_equal(pwrite(image, m->bytes, BASE, 0), BASE);
	m->base[m->nbase++] = file_readonly(image);
	close(image);
	m->overlay = file_new(0);
	open_disk(m);
}

static void end(struct model *m)
{
	disk_close(&m->d);
	for (unsigned i = 0; i < m->nbase; i++)
		close(m->base[i]);
	close(m->overlay);
}

/* A run of sectors that no other request of this batch has. */
static bool pick(struct model *m, uint32_t max, uint32_t *sector, uint32_t *n)
{
	*sector = rnd(m, SECTORS);
	*n = 1 + rnd(m, rnd(m, 4) ? 12 : max);
	if (*n > SECTORS - *sector)
		*n = SECTORS - *sector;
	for (uint32_t i = 0; i < *n; i++)
		if (m->busy[*sector + i])
			return false;
	memset(m->busy + *sector, 1, *n);
	return true;
}

static void put_range(struct model *m, uint32_t type, uint32_t s, uint32_t n)
{
	unsigned slot = disk_put(&m->d, type, 0, 16);
	uint8_t *p = disk_data(&m->d, slot);
	uint64_t sector = s;
	uint64_t from = s * 512ull, to = from + n * 512ull;

	memset(p, 0, 16);
	memcpy(p, &sector, 8);
	memcpy(p + 8, &n, 4);
	if (type == DISK_DISCARD) {
		from = (from + 4095) / 4096 * 4096;
		if (to != SIZE)
			to = to / 4096 * 4096;
	}
	if (from < to)
		memset(m->bytes + from, 0, to - from);
}

struct want {
	unsigned slot;
	uint32_t sector, n;
	bool read;
};

static struct want put_any(struct model *m)
{
	struct want w = { 0 };

	if (rnd(m, 20) == 0) {
		w.slot = disk_put(&m->d, DISK_FLUSH, 0, 0);
		return w;
	}
	while (!pick(m, 300, &w.sector, &w.n))
		;
	w.slot = m->d.used;
	switch (rnd(m, 8)) {
	case 0:
		put_range(m, DISK_WRITE_ZEROES, w.sector, w.n);
		break;
	case 1:
		put_range(m, DISK_DISCARD, w.sector, w.n);
		break;
	case 2:
	case 3:
	case 4:
		w.read = true;
		disk_put(&m->d, DISK_IN, w.sector, w.n * 512);
		break;
	default: {
		uint8_t *p = m->bytes + w.sector * 512;

		for (uint32_t i = 0; i < w.n * 512; i++)
			p[i] = (uint8_t)rnd(m, 256);
		disk_put(&m->d, DISK_OUT, w.sector, w.n * 512);
		memcpy(disk_data(&m->d, w.slot), p, w.n * 512);
	}
	}
	return w;
}

static void batch(struct model *m)
{
	struct want w[BATCH];
	unsigned n = 1 + rnd(m, BATCH);

	memset(m->busy, 0, sizeof(m->busy));
	for (unsigned i = 0; i < n; i++)
		w[i] = put_any(m);
	assert_true(disk_run(&m->d));
	m->batches++;
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(disk_status(&m->d, w[i].slot), 0);
		if (w[i].read)
			assert_memory_equal(disk_data(&m->d, w[i].slot),
					    m->bytes + w[i].sector * 512,
					    w[i].n * 512);
	}
}

static void whole(struct model *m)
{
	static uint8_t got[SIZE];

	for (uint32_t s = 0; s < SECTORS; s += 400) {
		uint32_t n = SECTORS - s < 400 ? SECTORS - s : 400;

		assert_int_equal(disk_read(&m->d, s, got + s * 512, n * 512),
				 0);
	}
	assert_memory_equal(got, m->bytes, SIZE);
}

static void batches_match(uint64_t seed, uint64_t features)
{
	struct model *m = &model;

	begin(m, seed);
	disk_start(&m->d, m->d.v->offered & ~features);
	for (unsigned i = 0; i < BATCHES; i++)
		batch(m);
	whole(m);
	end(m);
}

static void matches(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++)
		batches_match(seed * 0x9e3779b97f4a7c15, 0);
}

static void matches_without_ring_features(void **state)
{
	(void)state;
	batches_match(77, VIRTIO_F_EVENT_IDX);
	batches_match(78, VIRTIO_F_INDIRECT_DESC);
	batches_match(79, VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
}

static void overlay_is_opened_again(void **state)
{
	struct model *m = &model;

	(void)state;
	begin(m, 4711);
	for (unsigned round = 0; round < 8; round++) {
		for (unsigned i = 0; i < 10; i++)
			batch(m);
		disk_close(&m->d);
		open_disk(m);
		whole(m);
	}
	end(m);
}

static void overlay_becomes_a_layer(void **state)
{
	struct model *m = &model;

	(void)state;
	begin(m, 815);
	while (m->nbase < 4) {
		for (unsigned i = 0; i < 10; i++)
			batch(m);
		disk_close(&m->d);
		m->base[m->nbase++] = file_readonly(m->overlay);
		close(m->overlay);
		m->overlay = file_new(0);
		open_disk(m);
		whole(m);
	}
	for (unsigned i = 0; i < 30; i++)
		batch(m);
	whole(m);
	/* the layers are all there is to it: nothing was written below */
	disk_close(&m->d);
	open_disk(m);
	whole(m);
	end(m);
}

/* What a machine that dies leaves behind: everything up to the last flush. */
static void flush_is_enough(void **state)
{
	struct model *m = &model;
	struct disk after;
	int overlay;

	(void)state;
	begin(m, 99);
	for (unsigned i = 0; i < 20; i++)
		batch(m);
	assert_int_equal(disk_flush(&m->d), 0);
	/* the first one is left as it is and never saves again */
	overlay = m->overlay;
	after = m->d;
	open_disk(m);
	whole(m);
	disk_close(&m->d);
	m->d = after;
	m->overlay = overlay;
	end(m);
}

static void flush_before_any_write(void **state)
{
	struct model *m = &model;

	(void)state;
	begin(m, 5);
	assert_int_equal(disk_flush(&m->d), 0);
	disk_close(&m->d);
	open_disk(m);
	whole(m);
	end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(matches_without_ring_features),
		cmocka_unit_test(overlay_is_opened_again),
		cmocka_unit_test(overlay_becomes_a_layer),
		cmocka_unit_test(flush_is_enough),
		cmocka_unit_test(flush_before_any_write),
	};
	int bad;

	bad = cmocka_run_group_tests_name("plain", tests, NULL, NULL);
	use_ring = true;
	return bad + cmocka_run_group_tests_name("io_uring", tests, NULL, NULL);
}
