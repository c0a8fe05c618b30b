/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/guest.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REG_DEVICE_FEATURES	0x010
#define REG_DEVICE_FEATURES_SEL 0x014
#define REG_DRIVER_FEATURES	0x020
#define REG_DRIVER_FEATURES_SEL 0x024
#define REG_INTERRUPT_STATUS	0x060
#define REG_INTERRUPT_ACK	0x064
#define REG_STATUS		0x070

static void guest_init_ram(struct guest *g, bool shared)
{
	struct err e = { 0 };

	memset(g, 0, sizeof(*g));
	g->mem.shared = shared;
	if (mem_add(&g->mem, GPA(GUEST_LOW_BASE), GUEST_LOW_SIZE, &e) < 0 ||
	    mem_add(&g->mem, GPA(GUEST_HIGH_BASE), GUEST_HIGH_SIZE, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	/* A test touches little of it: a huge page would be zeroed for each. */
	for (unsigned i = 0; i < g->mem.nregions; i++)
		(void)madvise(g->mem.region[i].host, g->mem.region[i].size,
			      MADV_NOHUGEPAGE);
	g->next = GUEST_LOW_BASE + 0x1000;
}

void guest_init(struct guest *g)
{
	guest_init_ram(g, false);
}

void guest_init_shared(struct guest *g)
{
	guest_init_ram(g, true);
}

void guest_fini(struct guest *g)
{
	mem_fini(&g->mem);
}

gpa_t guest_alloc(struct guest *g, uint64_t size, uint64_t align)
{
	uint64_t at = (g->next + align - 1) / align * align;

	g->next = at + size;
	assert(g->next <= GUEST_LOW_BASE + GUEST_LOW_SIZE);
	return GPA(at);
}

void *guest_at(struct guest *g, gpa_t at, size_t len)
{
	void *p = mem_at(&g->mem, at, len);

	assert(p);
	return p;
}

uint32_t guest_read32(struct virtio *v, uint32_t off)
{
	uint32_t val;

	mmio_read(v, off, &val, sizeof(val));
	return val;
}

void guest_write32(struct virtio *v, uint32_t off, uint32_t val)
{
	mmio_write(v, off, &val, sizeof(val));
}

uint32_t guest_status(struct virtio *v)
{
	return guest_read32(v, REG_STATUS);
}

bool guest_start(struct virtio *v, uint64_t features)
{
	features |= VIRTIO_F_VERSION_1;
	guest_write32(v, REG_STATUS, 0);
	guest_write32(v, REG_STATUS, VIRTIO_S_ACKNOWLEDGE);
	guest_write32(v, REG_STATUS, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	for (uint32_t i = 0; i < 2; i++) {
		guest_write32(v, REG_DRIVER_FEATURES_SEL, i);
		guest_write32(v, REG_DRIVER_FEATURES,
			      (uint32_t)(features >> (32 * i)));
	}
	guest_write32(v, REG_STATUS, guest_status(v) | VIRTIO_S_FEATURES_OK);
	return guest_status(v) & VIRTIO_S_FEATURES_OK;
}

void guest_go(struct virtio *v)
{
	guest_write32(v, REG_STATUS, guest_status(v) | VIRTIO_S_DRIVER_OK);
}

void guest_reset(struct virtio *v)
{
	guest_write32(v, REG_STATUS, 0);
}

unsigned guest_irqs(struct virtio *v)
{
	uint64_t n = 0;

	if (read(v->irq_fd, &n, sizeof(n)) < 0)
		n = 0;
	guest_write32(v, REG_INTERRUPT_ACK,
		      guest_read32(v, REG_INTERRUPT_STATUS));
	return (unsigned)n;
}
