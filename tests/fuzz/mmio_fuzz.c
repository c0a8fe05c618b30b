/* SPDX-License-Identifier: Apache-2.0 */
/* Random register accesses to a device: rng, a disk of zeroes, or a toy. The
 * first bytes become guest memory, so that rings may hold something. */
#include "dev/blk.h"
#include "dev/rng.h"
#include "tests/fuzz/bytes.h"
#include "tests/guest/guest.h"
#include "tests/guest/toy.h"
#include "virtio/view.h"

#include <stdlib.h>

#define SEED 256u	/* bytes of guest memory the input gives */
#define AREA 0x2000u
#define SEEN 0x140u	/* registers and some configuration */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest guest;
static struct toy toy;
static struct virtio *devs[3];
static uint32_t pages[3][MMIO_SIZE / 4];

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void set_up(void)
{
	struct dev_conf disk = {
		.type = DEV_BLK,
		.blk = { .serial = "zero",
			 .overlay_fd = -1,
			 .size_bytes = 1 << 20 },
	};
	struct err e;

	log_init("fuzz", LOG_ERR);
	guest_init(&guest);
	toy_init(&toy, &guest.mem);
	devs[0] = rng_create(NULL, &guest.mem, NULL, &e);
	devs[1] = blk_create(&disk, &guest.mem, NULL, &e);
	devs[2] = &toy.virtio;
	need(devs[0] && devs[1]);
	for (unsigned i = 0; i < 3; i++)
		view_open(devs[i], pages[i]);
}

/* What must hold after any access. */
static void check(struct virtio *v)
{
	uint32_t status = guest_status(v);
	bool ok = status & VIRTIO_S_DRIVER_OK;

	need(!(status & VIRTIO_S_DRIVER) || status & VIRTIO_S_ACKNOWLEDGE);
	need(!(status & VIRTIO_S_FEATURES_OK) || status & VIRTIO_S_DRIVER);
	need(!ok || status & VIRTIO_S_FEATURES_OK);
	need(!(status & VIRTIO_S_FEATURES_OK) ||
	     (!(v->features & ~v->offered) &&
	      v->features & VIRTIO_F_VERSION_1));
	need(guest_read32(v, 8) == (v->absent ? 0 : v->ops->type));
	need(!v->absent || !virtio_live(v));
	need(v->broken == !!(status & VIRTIO_S_NEEDS_RESET));
	need(virtio_live(v) == (ok && !v->broken));
	for (uint32_t off = 0; off < SEEN; off += 4)
		need(v->view[off / 4] == guest_read32(v, off));
	for (unsigned i = 0; i < v->ops->queues; i++) {
		struct queue *q = &v->queue[i];

		if (!q->ready)
			continue;
		need(q->size && q->size <= q->max);
		need(q->desc_host == mem_at(v->mem, q->desc, 16u * q->size));
		need(q->avail_host ==
		     mem_at(v->mem, q->avail, 6 + 2u * q->size));
		need(q->used_host == mem_at(v->mem, q->used, 6 + 8u * q->size));
		need(q->desc_host && q->avail_host && q->used_host);
	}
}

/* It comes when no driver has it, and goes at any time. */
static void come_or_go(struct virtio *v)
{
	if (!v->absent)
		virtio_vanish(v);
	else if (v->status == 0)
		virtio_appear(v);
}

static void step(struct virtio *v, struct bytes *b)
{
	static const uint8_t common[] = { 0x70, 0x70, 0x20, 0x24, 0x30, 0x38,
					  0x44, 0x50, 0x64, 0x80, 0x84, 0x90,
					  0x94, 0xa0, 0xa4, 0x14 };
	uint8_t op = bytes_u8(b), buf[8] = { 0 };
	uint64_t val;

	switch (op & 7) {
	case 0:
		if (op & 8)
			come_or_go(v);
		mmio_kick(v);
		break;
	case 1: /* anything */
		val = bytes_num(b, 8);
		mmio_write(v, bytes_u16(b) % MMIO_SIZE, &val, 1u + (op >> 5));
		break;
	case 2:
		mmio_read(v, bytes_u16(b) % MMIO_SIZE, buf, 1u + (op >> 5));
		break;
	case 3: /* on the way up */
		guest_write32(v, 0x70, guest_status(v) | (op >> 3));
		break;
	case 4:
		guest_write32(v, common[op >> 4], bytes_u8(b));
		break;
	case 5:
		guest_start(v, op & 8 ? v->offered : bytes_u32(b));
		break;
	default:
		guest_write32(v, common[op >> 4], bytes_u32(b));
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	struct virtio *v;
	uint8_t *area;

	if (!devs[0])
		set_up();
	v = devs[bytes_u8(&b) % 3];
	area = guest_at(&guest, GPA(0), AREA);
	memset(area, 0, AREA);
	if (b.left > SEED) {
		memcpy(area, b.at, SEED);
		b.at += SEED;
		b.left -= SEED;
	}
	guest_reset(v);
	if (v->absent)
		come_or_go(v);
	while (bytes_more(&b)) {
		step(v, &b);
		check(v);
	}
	mmio_kick(v);
	check(v);
	return 0;
}
