/* SPDX-License-Identifier: Apache-2.0 */
/* guest.h - a virtio driver in plain memory, for tests.
 *
 * Does to a device what a guest kernel does, through mmio.h and guest RAM, and
 * lets a test do what no kernel would: every word of a ring can be written.
 *
 *     struct guest g;
 *     struct ring r;
 *
 *     guest_init(&g);                           RAM: two regions, a gap
 *     v = rng_create(NULL, &g.mem, &loop, &e);
 *     guest_start(v, 0);                        up to FEATURES_OK
 *     ring_init(&r, &g, v, 0, 8);               queue 0, 8 entries, ready
 *     guest_go(v);                              DRIVER_OK
 *     buf = guest_alloc(&g, 64, 1);
 *     head = ring_add(&r, &SEG_IN(buf, 64), 1);
 *     ring_kick(&r);
 *     ring_used(&r, &id, &len);                 false: nothing came back
 *
 * Not for production code; asserts on its own misuse. */
#pragma once

#include "virtio/mmio.h"

#include <stdbool.h>
#include <stdint.h>

/* Two regions with a gap between them, as on a real machine. */
#define GUEST_LOW_BASE	0x0ull
#define GUEST_LOW_SIZE	(8ull << 20)
#define GUEST_HIGH_BASE 0x100000000ull
#define GUEST_HIGH_SIZE (4ull << 20)

/* virtio 1.2, 2.7.5 */
#define RING_NEXT     1
#define RING_WRITE    2
#define RING_INDIRECT 4

struct guest {
	struct mem mem;
	uint64_t next;	/* of guest_alloc(), in the low region */
};

void guest_init(struct guest *g);
/* The same with shared RAM. */
void guest_init_shared(struct guest *g);
void guest_fini(struct guest *g);
/* Zeroed guest memory; the address is a multiple of align. Never freed. */
gpa_t guest_alloc(struct guest *g, uint64_t size, uint64_t align);
/* Host pointer to guest memory, which must exist. */
void *guest_at(struct guest *g, gpa_t at, size_t len);

/* Registers. */
uint32_t guest_read32(struct virtio *v, uint32_t off);
void guest_write32(struct virtio *v, uint32_t off, uint32_t val);
uint32_t guest_status(struct virtio *v);

/* Reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK. VERSION_1 is added.
 * Returns false when the device refused. */
bool guest_start(struct virtio *v, uint64_t features);
/* DRIVER_OK. */
void guest_go(struct virtio *v);
/* Writes 0 to the status register. */
void guest_reset(struct virtio *v);
/* How often the device rang since the last call; acknowledges all. */
unsigned guest_irqs(struct virtio *v);

struct seg {
	gpa_t at;
	uint32_t len;
	bool in;	/* the device writes */
};
#define SEG_OUT(a, l) ((struct seg){ .at = (a), .len = (l) })
#define SEG_IN(a, l)  ((struct seg){ .at = (a), .len = (l), .in = true })

/* A queue as the driver sees it. Areas are at desc, avail, used. */
struct ring {
	struct guest *g;
	struct virtio *v;
	uint16_t index, size;
	gpa_t desc, avail, used;
	uint16_t next_desc;	/* of ring_add(), goes round */
	uint16_t avail_idx;	/* ours; ring_avail() publishes it */
	uint16_t last_used;
	bool indirect;		/* ring_add() makes indirect tables */
	gpa_t tables;		/* one for each head, made when needed */
};
#define RING_TABLE 64	/* entries of such a table */

/* Allocates the areas, tells the device, sets QueueReady. */
void ring_init(struct ring *r, struct guest *g, struct virtio *v,
	       uint16_t index, uint16_t size);
/* The same in two steps, to put areas where they do not belong. */
void ring_alloc(struct ring *r, struct guest *g, struct virtio *v,
		uint16_t index, uint16_t size);
void ring_enable(struct ring *r);

/* Raw: writes one descriptor; puts a head into avail and publishes it. */
void ring_desc(struct ring *r, uint16_t i, uint64_t at, uint32_t len,
	       uint16_t flags, uint16_t next);
void ring_avail(struct ring *r, uint16_t head);
/* One entry of a descriptor table anywhere (indirect tables). */
void ring_entry(struct guest *g, gpa_t table, unsigned i, uint64_t at,
		uint32_t len, uint16_t flags, uint16_t next);

/* Builds a chain from segments and makes it available; returns its head.
 * Descriptors are reused in a circle: keep fewer than size in flight. */
uint16_t ring_add(struct ring *r, const struct seg *segs, unsigned n);

/* Rings QueueNotify, then lets the device look, as the loop would. */
void ring_kick(struct ring *r);
/* Next used entry, or false. */
bool ring_used(struct ring *r, uint32_t *id, uint32_t *len);
/* Words of the rings. */
uint16_t ring_used_idx(struct ring *r);
uint16_t ring_used_flags(struct ring *r);
void ring_set_avail_idx(struct ring *r, uint16_t idx);
void ring_set_avail_flags(struct ring *r, uint16_t flags);
void ring_set_used_event(struct ring *r, uint16_t idx);
uint16_t ring_avail_event(struct ring *r);
