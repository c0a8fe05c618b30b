/* SPDX-License-Identifier: Apache-2.0 */
/* Random chains to all queues of a balloon. It never gives back more than was
 * named, never a page that the input cannot name, and afterwards a good driver
 * finds it working. */
#include "dev/balloon.h"

#include "tests/fuzz/bytes.h"
#include "tests/guest/guest.h"

#include <stdlib.h>

#define PAGE	    4096u
#define QUEUES	    5u
#define RINGS	    0x100000u
#define RING_BYTES  0x4000u
#define AREA	    0x10000u /* 256 pages, what the input plays with */
#define CANARY	    0x200000u
#define SEGS	    10u
#define F_REPORTING (1ull << 5)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest guest;
static struct virtio *balloon;
static struct ring ring[QUEUES];
static uint64_t named; /* bytes, by all chains of this input */

static void need(bool ok)
{
	if (!ok)
		abort();
}

static void set_up(void)
{
	struct err e;

	log_init("fuzz", LOG_ERR);
	guest_init(&guest);
	balloon = balloon_create(NULL, &guest.mem, NULL, &e);
	need(balloon);
	memset(guest_at(&guest, GPA(CANARY), PAGE), 0x77, PAGE);
}

static void start(uint64_t features)
{
	guest_start(balloon, features);
	memset(guest_at(&guest, GPA(RINGS), RING_BYTES), 0, RING_BYTES);
	guest.next = RINGS;
	for (unsigned i = 0; i < QUEUES; i++)
		ring_init(&ring[i], &guest, balloon, (uint16_t)i, 32);
	guest_go(balloon);
}

static uint64_t returned(void)
{
	struct dev_stats s = { 0 };

	balloon_stats(balloon, &s);
	return s.returned_bytes;
}

/* Inside the area mostly; otherwise anywhere but on the canary. */
static uint64_t pick_at(struct bytes *b)
{
	uint8_t how = bytes_u8(b);
	uint64_t at;

	if (how < 224)
		return AREA + (how << 8) + (how & 1 ? bytes_u8(b) : 0);
	at = bytes_num(b, 5);
	return at > CANARY && at < GUEST_LOW_SIZE ? CANARY + PAGE : at;
}

static uint32_t pick_len(struct bytes *b)
{
	uint8_t how = bytes_u8(b);

	if (how < 200)
		return (how % 16) * PAGE / 4;
	return how < 250 ? bytes_u16(b) : bytes_u32(b);
}

static void put_chain(struct bytes *b, uint8_t op)
{
	struct ring *r = &ring[(op >> 3) % QUEUES];
	unsigned n = 1 + bytes_u8(b) % SEGS;
	struct seg segs[SEGS];

	for (unsigned i = 0; i < n; i++) {
		struct seg *s = &segs[i];

		*s = (struct seg){ GPA(pick_at(b)), pick_len(b), op >> 7 };
		/* a report that begins below may not run over the canary */
		if (s->at.v < CANARY && s->at.v + s->len > CANARY)
			s->len = (uint32_t)(CANARY - s->at.v);
		named += s->in ? s->len : s->len / 4ull * PAGE + PAGE;
	}
	ring_add(r, segs, n);
}

static void step(struct bytes *b)
{
	uint8_t op = bytes_u8(b);
	uint32_t pfn;

	switch (op & 7) {
	case 0:
		ring_kick(&ring[(op >> 3) % QUEUES]);
		break;
	case 1: /* a page's number, the canary's never */
		pfn = op & 0x80 ? bytes_u32(b) : AREA / PAGE + bytes_u8(b);
		if (pfn != CANARY / PAGE)
			memcpy(guest_at(&guest, GPA(AREA + 4u * bytes_u8(b)),
					4),
			       &pfn, 4);
		break;
	case 2:
		guest_write32(balloon, 0x100 + (op >> 3) % 20u, bytes_u32(b));
		break;
	case 3:
		start(op & 8 ? balloon->offered : bytes_u32(b));
		break;
	default:
		put_chain(b, op);
		break;
	}
}

static void still_works(void)
{
	struct seg s = SEG_IN(GPA(AREA), PAGE);
	uint64_t before = returned();

	start(F_REPORTING);
	ring_add(&ring[2], &s, 1);
	ring_kick(&ring[2]);
	need(ring_used(&ring[2], NULL, NULL));
	need(returned() == before + PAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	uint64_t before;
	const uint8_t *canary;

	if (!balloon)
		set_up();
	before = returned();
	named = 0;
	start(F_REPORTING);
	for (unsigned i = 0; i < 100 && bytes_more(&b); i++)
		step(&b);
	for (unsigned i = 0; i < QUEUES; i++)
		ring_kick(&ring[i]);
	need(returned() - before <= named);
	canary = guest_at(&guest, GPA(CANARY), PAGE);
	for (unsigned i = 0; i < PAGE; i++)
		need(canary[i] == 0x77);
	still_works();
	return 0;
}
