/* SPDX-License-Identifier: Apache-2.0 */
/* Random chains to a disk with an image and an overlay. Afterwards the
 * image must be as it was; for every other input a good driver must also find a
 * disk that answers, with the same content once the overlay has been opened
 * again. */
#include "tests/fuzz/bytes.h"
#include "tests/guest/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE  (96u * 1024 + 512)
#define IMAGE 40000u
#define TABLE 0x8000u
#define RINGS 0x500000u	/* behind what disk_open() takes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int image = -1, base, overlay;
static uint8_t image_bytes[IMAGE];

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void set_up(void)
{
	char path[64];

	log_init("fuzz", LOG_ERR);
	image = memfd_create("image", 0);
	overlay = memfd_create("overlay", 0);
	for (unsigned i = 0; i < IMAGE; i++)
		image_bytes[i] = (uint8_t)(i * 31 + (i >> 8) + 1);
	need(pwrite(image, image_bytes, IMAGE, 0) == IMAGE);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", image);
	base = file_readonly(image);
}

static void start(struct disk *d)
{
	struct blk_conf conf = { .serial = "fuzz",
				 .base_fds = &base,
				 .nbase = 1,
				 .overlay_fd = overlay,
				 .size_bytes = SIZE };
	struct err e = { 0 };

	need(disk_open(d, &conf, false, &e) == 0);
}

static void restart(struct disk *d, uint64_t features)
{
	d->g.next = RINGS;
	disk_start(d, features);
}

static uint64_t pick_sector(struct bytes *b)
{
	uint8_t how = bytes_u8(b);

	if (how < 240)
		return how % (SIZE / 512 + 2);
	return bytes_num(b, 8);
}

static uint32_t pick_type(struct bytes *b)
{
	static const uint8_t types[] = { 0, 1, 1, 1, 4, 8, 11, 13 };
	uint8_t how = bytes_u8(b);

	return how < 248 ? types[how % 8] : bytes_u32(b);
}

static struct seg pick_seg(struct bytes *b)
{
	uint8_t how = bytes_u8(b);
	uint32_t len = how & 2 ? 512u * (bytes_u8(b) % 40) + 1 : bytes_u16(b);
	uint64_t at = 0x10000u + 256u * (how >> 2);

	if (how == 0xff)
		at = bytes_num(b, 8);
	return (struct seg){ GPA(at), len, how & 1 };
}

/* A header and what follows it, as the input likes. */
static void put_chain(struct disk *d, struct bytes *b)
{
	uint8_t shape = bytes_u8(b);
	uint32_t type = pick_type(b);
	uint64_t sector = pick_sector(b);
	uint8_t *h = guest_at(&d->g, GPA(TABLE + (shape & 7) * 16), 16);
	struct seg segs[10];
	unsigned n = 0;

	memcpy(h, &type, 4);
	memcpy(h + 8, &sector, 8);
	segs[n++] = SEG_OUT(GPA(TABLE + (shape & 7) * 16), 16);
	for (unsigned i = 0; i < (shape >> 3) % 8u; i++)
		segs[n++] = pick_seg(b);
	if (shape & 0x40)
		segs[n++] = SEG_IN(GPA(TABLE + 0x100), 1);
	ring_add(&d->r, segs, n);
}

static void step(struct disk *d, struct bytes *b)
{
	uint8_t op = bytes_u8(b);
	uint64_t at, val;

	switch (op % 8) {
	case 0:
		ring_kick(&d->r);
		break;
	case 1: /* data, ranges of a discard among them */
		at = 0x10000u + 16u * bytes_u8(b);
		val = bytes_num(b, 8);
		memcpy(guest_at(&d->g, GPA(at), 8), &val, 8);
		break;
	case 2: {
		uint32_t range[4] = { (uint32_t)pick_sector(b), 0, bytes_u8(b),
				      op >> 7 };

		at = 0x10000u + 256u * (op >> 2);
		memcpy(guest_at(&d->g, GPA(at), 16), range, 16);
		break;
	}
	case 3:
		if (op >> 3 == 0)
			restart(d, d->v->offered & bytes_u32(b));
		break;
	default:
		put_chain(d, b);
		break;
	}
}

static void read_all(struct disk *d, uint8_t *dst)
{
	restart(d, d->v->offered);
	need(disk_read(d, 0, dst, SIZE) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t before[SIZE], after[SIZE], now[IMAGE];
	struct bytes b = { data, size };
	bool again = bytes_u8(&b) & 1;
	struct disk d;

	if (image < 0)
		set_up();
	need(ftruncate(overlay, 0) == 0);
	start(&d);
	for (unsigned i = 0; i < 200 && bytes_more(&b); i++)
		step(&d, &b);
	ring_kick(&d.r);
	if (again)
		read_all(&d, before);
	disk_close(&d);
	if (again) {
		start(&d);
		read_all(&d, after);
		disk_close(&d);
		need(memcmp(before, after, SIZE) == 0);
	}
	need(pread(image, now, IMAGE, 0) == IMAGE);
	need(memcmp(now, image_bytes, IMAGE) == 0);
	return 0;
}
