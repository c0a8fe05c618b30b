/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/guest.h"

#include <assert.h>
#include <string.h>

#define REG_QUEUE_SEL	0x030
#define REG_QUEUE_NUM	0x038
#define REG_QUEUE_READY 0x044
#define REG_QUEUE_DESC	0x080
#define REG_QUEUE_AVAIL 0x090
#define REG_QUEUE_USED	0x0a0

static void put16(struct guest *g, uint64_t at, uint16_t val)
{
	uint16_t *p = guest_at(g, GPA(at), sizeof(val));

	__atomic_store_n(p, val, __ATOMIC_RELEASE);
}

static uint16_t get16(struct guest *g, uint64_t at)
{
	uint16_t *p = guest_at(g, GPA(at), sizeof(*p));

	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

void ring_alloc(struct ring *r, struct guest *g, struct virtio *v,
		uint16_t index, uint16_t size)
{
	*r = (struct ring){
		.g = g,
		.v = v,
		.index = index,
		.size = size,
		.desc = guest_alloc(g, 16ull * size, 16),
		.avail = guest_alloc(g, 6 + 2ull * size, 2),
		.used = guest_alloc(g, 6 + 8ull * size, 4),
	};
}

static void put_area(struct virtio *v, uint32_t reg, gpa_t at)
{
	guest_write32(v, reg, (uint32_t)at.v);
	guest_write32(v, reg + 4, (uint32_t)(at.v >> 32));
}

void ring_enable(struct ring *r)
{
	guest_write32(r->v, REG_QUEUE_SEL, r->index);
	guest_write32(r->v, REG_QUEUE_NUM, r->size);
	put_area(r->v, REG_QUEUE_DESC, r->desc);
	put_area(r->v, REG_QUEUE_AVAIL, r->avail);
	put_area(r->v, REG_QUEUE_USED, r->used);
	guest_write32(r->v, REG_QUEUE_READY, 1);
}

void ring_init(struct ring *r, struct guest *g, struct virtio *v,
	       uint16_t index, uint16_t size)
{
	ring_alloc(r, g, v, index, size);
	ring_enable(r);
}

void ring_entry(struct guest *g, gpa_t table, unsigned i, uint64_t at,
		uint32_t len, uint16_t flags, uint16_t next)
{
	uint8_t *d = guest_at(g, GPA(table.v + 16ull * i), 16);

	memcpy(d, &at, 8);
	memcpy(d + 8, &len, 4);
	memcpy(d + 12, &flags, 2);
	memcpy(d + 14, &next, 2);
}

void ring_desc(struct ring *r, uint16_t i, uint64_t at, uint32_t len,
	       uint16_t flags, uint16_t next)
{
	ring_entry(r->g, r->desc, i, at, len, flags, next);
}

void ring_avail(struct ring *r, uint16_t head)
{
	uint64_t slot = r->avail_idx % r->size;

	put16(r->g, r->avail.v + 4 + 2 * slot, head);
	r->avail_idx++;
	put16(r->g, r->avail.v + 2, r->avail_idx);
}

static uint16_t seg_flags(const struct seg *s, bool more)
{
	return (uint16_t)((s->in ? RING_WRITE : 0) | (more ? RING_NEXT : 0));
}

static uint16_t ring_next_desc(struct ring *r)
{
	uint16_t i = r->next_desc;

	r->next_desc = (uint16_t)((i + 1) % r->size);
	return i;
}

uint16_t ring_add(struct ring *r, const struct seg *segs, unsigned n)
{
	uint16_t head = r->next_desc;
	gpa_t table;

	assert(n);
	if (r->indirect) {
		assert(n <= RING_TABLE);
		if (!r->tables.v)
			r->tables = guest_alloc(
				r->g, 16ull * RING_TABLE * r->size, 16);
		table = GPA(r->tables.v + 16ull * RING_TABLE * head);
		for (unsigned i = 0; i < n; i++)
			ring_entry(r->g, table, i, segs[i].at.v, segs[i].len,
				   seg_flags(&segs[i], i + 1 < n),
				   (uint16_t)(i + 1));
		ring_desc(r, ring_next_desc(r), table.v, 16 * n, RING_INDIRECT,
			  0);
	} else {
		assert(n <= r->size);
		for (unsigned i = 0; i < n; i++) {
			uint16_t at = ring_next_desc(r);

			ring_desc(r, at, segs[i].at.v, segs[i].len,
				  seg_flags(&segs[i], i + 1 < n), r->next_desc);
		}
	}
	ring_avail(r, head);
	return head;
}

void ring_kick(struct ring *r)
{
	guest_write32(r->v, MMIO_QUEUE_NOTIFY, r->index);
	mmio_kick(r->v);
}

bool ring_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	uint64_t slot = r->last_used % r->size;
	uint8_t *e;

	if (ring_used_idx(r) == r->last_used)
		return false;
	e = guest_at(r->g, GPA(r->used.v + 4 + 8 * slot), 8);
	if (id)
		memcpy(id, e, 4);
	if (len)
		memcpy(len, e + 4, 4);
	r->last_used++;
	return true;
}

uint16_t ring_used_idx(struct ring *r)
{
	return get16(r->g, r->used.v + 2);
}

uint16_t ring_used_flags(struct ring *r)
{
	return get16(r->g, r->used.v);
}

void ring_set_avail_idx(struct ring *r, uint16_t idx)
{
	r->avail_idx = idx;
	put16(r->g, r->avail.v + 2, idx);
}

void ring_set_avail_flags(struct ring *r, uint16_t flags)
{
	put16(r->g, r->avail.v, flags);
}

void ring_set_used_event(struct ring *r, uint16_t idx)
{
	put16(r->g, r->avail.v + 4 + 2ull * r->size, idx);
}

uint16_t ring_avail_event(struct ring *r)
{
	return get16(r->g, r->used.v + 4 + 8ull * r->size);
}
