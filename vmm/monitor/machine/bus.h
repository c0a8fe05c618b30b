/* SPDX-License-Identifier: Apache-2.0 */
/* bus.h - which device answers at an address.
 *
 * Two spaces: memory and, on CPUs that have them, ports. Ranges are added
 * while the machine is built and never change. Where nobody answers, reads
 * give all ones and writes are dropped, as on a real bus. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define BUS_MAX_RANGES 32

struct bus_range {
	const char *name;
	uint64_t base, size;
	void *own;
	/* off + len never passes size. */
	void (*read)(void *own, uint32_t off, void *dst, uint32_t len);
	void (*write)(void *own, uint32_t off, const void *src, uint32_t len);
};

struct bus {
	struct bus_range range[BUS_MAX_RANGES];
	unsigned nranges;
};

int bus_add(struct bus *b, const struct bus_range *r, struct err *e);
/* data is len bytes, 1 to 8. */
void bus_access(struct bus *b, uint64_t addr, void *data, uint32_t len,
		bool write);
