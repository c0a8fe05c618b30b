/* SPDX-License-Identifier: Apache-2.0 */
/* toy.h - a device that does nothing but count, to test what is below devices.
 *
 * Two queues of up to TOY_QUEUE_MAX entries, TOY_SEGMENTS segments in a chain,
 * 12 bytes of configuration that are written and read plainly. kick() leaves
 * the queues alone: a test pops them itself. */
#pragma once

#include "tests/guest/guest.h"

#define TOY_QUEUE_MAX 16
#define TOY_SEGMENTS  8
#define TOY_FEATURE   (1ull << 3)

struct toy {
	struct virtio virtio;
	unsigned kicks, readies, resets;
	uint8_t config[12];
};

void toy_init(struct toy *t, const struct mem *mem);
void toy_fini(struct toy *t);

/* One guest and one toy with queue 0 of 8 entries, live; 64 KiB at buf. */
struct bench {
	struct guest g;
	struct toy toy;
	struct ring r;
	struct virtio *v;
	struct queue *q;
	gpa_t buf;
};

void bench_begin(struct bench *b, uint64_t features);
void bench_end(struct bench *b);
