/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h - guest RAM, and the only way in.
 *
 * RAM is one or two regions (below and above a gap; arch says where), each an
 * anonymous private mapping aligned to 2 MiB on both sides so that huge pages
 * can back it. Shared RAM is a memory file for each region instead, of a size
 * that is sealed, for processes that serve the guest. The guest may change any
 * byte at any moment. */
#pragma once

#include "base/err.h"
#include "mem/gpa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_MAX_REGIONS 2

struct mem_region {
	gpa_t base;
	uint64_t size;
	uint8_t *host;
	int fd; /* -1: private */
	uint64_t fd_off; /* where it begins in fd */
};

struct mem {
	struct mem_region region[MEM_MAX_REGIONS];
	unsigned nregions;
	bool shared; /* of regions yet to be added */
};

/* Maps fresh zeroed RAM for one more region, lazily (no page is touched).
 * size is a multiple of 4 KiB. ENOMEM names how much was asked. */
int mem_add(struct mem *m, gpa_t base, uint64_t size, struct err *e);
void mem_fini(struct mem *m);
uint64_t mem_size(const struct mem *m);

/* Host pointer to [at, at + len), or NULL if any of it is outside RAM or would
 * cross regions. Copy what the guest wrote, then check the copy. len 0 is
 * inside when at is. */
void *mem_at(const struct mem *m, gpa_t at, size_t len);

/* Copies; 0 or -EFAULT. */
int mem_read(const struct mem *m, gpa_t at, void *dst, size_t len);
int mem_write(const struct mem *m, gpa_t at, const void *src, size_t len);

/* Gives host memory of [at, at + len) back to the host: the whole pages in it
 * read as zeroes from now on. at is a pointer that mem_at() or a chain gave,
 * with as many bytes. Returns how many bytes that were, or -errno. */
int64_t mem_release(const struct mem *m, void *at, size_t len);
