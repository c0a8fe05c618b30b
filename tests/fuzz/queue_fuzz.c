/* SPDX-License-Identifier: Apache-2.0 */
/* A queue whose memory is written at random between the calls of a device.
 * Whatever comes out of queue_pop() must lie in guest RAM and within bounds. */
#include "tests/fuzz/bytes.h"
#include "tests/guest/guest.h"
#include "tests/guest/toy.h"

#include <stdlib.h>

#define AREA 0x10000u	/* rings and tables: zeroed for each input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest guest;
static struct toy toy;
static bool up;

static void need(bool ok)
{
	if (!ok)
		abort();
}

static uint64_t pick_address(struct bytes *b)
{
	uint8_t how = bytes_u8(b);

	switch (how & 7) {
	case 0:
		return bytes_num(b, 8);
	case 1:
		return GUEST_LOW_SIZE - (how >> 3);
	case 2:
		return GUEST_HIGH_BASE - (how >> 3);
	case 3:
		return GUEST_HIGH_BASE + GUEST_HIGH_SIZE - (how >> 3);
	case 4:
		return GUEST_HIGH_BASE + bytes_u16(b);
	default:
		/* tables and data of our own */
		return 0x4000u + 16u * (how >> 3);
	}
}

static uint32_t pick_length(struct bytes *b)
{
	uint8_t how = bytes_u8(b);

	switch (how & 3) {
	case 0:
		return bytes_u32(b);
	case 1:
		return 16u * (how >> 2);
	default:
		return how >> 2;
	}
}

static void put_desc(struct bytes *b, gpa_t table)
{
	uint8_t i = bytes_u8(b) % 16, flags = bytes_u8(b);
	uint64_t at = pick_address(b);
	uint32_t len = pick_length(b);

	ring_entry(&guest, table, i, at, len, flags & 15,
		   flags & 0x80 ? bytes_u16(b) : (uint16_t)(flags >> 4));
}

static void check_chain(const struct chain *c)
{
	uint64_t out = 0, in = 0;

	need(c->nout + c->nin >= 1 && c->nout + c->nin <= TOY_SEGMENTS);
	for (unsigned i = 0; i < (unsigned)c->nout + c->nin; i++) {
		const struct iovec *v = &c->iov[i];
		bool inside = false;

		for (unsigned k = 0; k < guest.mem.nregions; k++) {
			const struct mem_region *r = &guest.mem.region[k];
			size_t off = (size_t)((uint8_t *)v->iov_base - r->host);

			if (off < r->size && v->iov_len <= r->size - off)
				inside = true;
		}
		need(inside && v->iov_len);
		*(i < c->nout ? &out : &in) += v->iov_len;
	}
	need(out == c->out_bytes && in == c->in_bytes);
	need(out + in <= UINT32_MAX);
}

struct run {
	struct ring r;
	struct queue *q;
	struct chain *held[TOY_QUEUE_MAX];
	unsigned nheld;
};

static void pop(struct run *x)
{
	struct chain *c = queue_pop(x->q);

	if (!c)
		return;
	need(x->nheld < TOY_QUEUE_MAX);
	for (unsigned i = 0; i < x->nheld; i++)
		need(x->held[i] != c);
	check_chain(c);
	x->held[x->nheld++] = c;
}

static void push(struct run *x, uint8_t which)
{
	struct chain *c;

	if (!x->nheld)
		return;
	which %= x->nheld;
	c = x->held[which];
	x->held[which] = x->held[--x->nheld];
	queue_push(x->q, c, c->in_bytes / 2);
}

static void step(struct run *x, struct bytes *b)
{
	uint8_t op = bytes_u8(b);

	switch (op % 12) {
	case 0:
		put_desc(b, x->r.desc);
		break;
	case 1:
		put_desc(b, GPA(0x4000));
		break;
	case 2:
		ring_avail(&x->r, bytes_u8(b));
		break;
	case 3:
		ring_avail(&x->r, op / 12 % 16);
		break;
	case 4:
		ring_set_avail_idx(&x->r, bytes_u16(b));
		break;
	case 5:
		ring_set_avail_flags(&x->r, bytes_u16(b));
		break;
	case 6:
		ring_set_used_event(&x->r, bytes_u16(b));
		break;
	case 7:
		push(x, bytes_u8(b));
		break;
	case 8:
		queue_notify(x->q);
		break;
	case 9:
		queue_want_kick(x->q);
		queue_no_kick(x->q);
		break;
	default:
		pop(x);
		break;
	}
}

static void start(struct run *x, uint8_t how)
{
	memset(guest_at(&guest, GPA(0), AREA), 0, AREA);
	guest.next = 0x1000;
	guest_start(&toy.virtio,
		    (how & 1 ? VIRTIO_F_EVENT_IDX : 0) |
			    (how & 2 ? 0 : VIRTIO_F_INDIRECT_DESC));
	ring_init(&x->r, &guest, &toy.virtio, 0,
		  (uint16_t)(1u << (how >> 2) % 5));
	need(x->r.used.v + 256 <= 0x4000);
	guest_go(&toy.virtio);
	x->q = &toy.virtio.queue[0];
	need(virtio_live(&toy.virtio));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	struct run x = { .nheld = 0 };

	if (!up) {
		log_init("fuzz", LOG_ERR);
		guest_init(&guest);
		toy_init(&toy, &guest.mem);
		up = true;
	}
	start(&x, bytes_u8(&b));
	while (bytes_more(&b) && !toy.virtio.broken)
		step(&x, &b);
	while (x.nheld)
		push(&x, 0);
	queue_notify(x.q);
	return 0;
}
