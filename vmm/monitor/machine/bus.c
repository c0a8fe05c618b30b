/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/bus.h"

#include <errno.h>
#include <string.h>

int bus_add(struct bus *b, const struct bus_range *r, struct err *e)
{
	for (unsigned i = 0; i < b->nranges; i++) {
		const struct bus_range *o = &b->range[i];

		if (r->base < o->base + o->size && o->base < r->base + r->size)
			return err_set(e, EEXIST, "%s lies over %s", r->name,
				       o->name);
	}
	if (b->nranges == BUS_MAX_RANGES)
		return err_set(e, ENOSPC, "%s: too many devices", r->name);
	b->range[b->nranges++] = *r;
	return 0;
}

void bus_access(struct bus *b, uint64_t addr, void *data, uint32_t len,
		bool write)
{
	for (unsigned i = 0; i < b->nranges; i++) {
		const struct bus_range *r = &b->range[i];
		uint64_t off = addr - r->base;

		if (off >= r->size || len > r->size - off)
			continue;
		if (write)
			r->write(r->own, (uint32_t)off, data, len);
		else
			r->read(r->own, (uint32_t)off, data, len);
		return;
	}
	if (!write)
		memset(data, 0xff, len);
}
