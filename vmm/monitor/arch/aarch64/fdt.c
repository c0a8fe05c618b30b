/* SPDX-License-Identifier: Apache-2.0 */
/* fdt.c - CPUs, GICv3, timer, PSCI, memory and /chosen. */
#include "arch/aarch64/layout.h"
#include "arch/arch.h"
#include "base/auto.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <sys/random.h>

#define PHANDLE_GIC 1
#define IRQ_SPI 0
#define IRQ_PPI 1
#define IRQ_EDGE 1
#define IRQ_LEVEL 4

unsigned arch_fdt_cells(void)
{
	return 2;
}

unsigned arch_fdt_irq(unsigned gsi, uint32_t cells[3])
{
	cells[0] = IRQ_SPI;
	cells[1] = gsi;
	cells[2] = IRQ_EDGE;
	return 3;
}

static int fdt_cells64(void *fdt, const char *name, const uint64_t *v,
		       unsigned n)
{
	fdt64_t cell[4];

	for (unsigned i = 0; i < n; i++)
		cell[i] = cpu_to_fdt64(v[i]);
	return fdt_property(fdt, name, cell, (int)(n * sizeof(cell[0])));
}

static int fdt_cpus(void *fdt, unsigned vcpus)
{
	char name[16];
	int r = fdt_begin_node(fdt, "cpus");

	r |= fdt_property_u32(fdt, "#address-cells", 1);
	r |= fdt_property_u32(fdt, "#size-cells", 0);
	for (unsigned i = 0; i < vcpus; i++) {
		/* KVM numbers sixteen CPUs to a cluster (MPIDR Aff0, Aff1). */
		unsigned mpidr = (i & 15) | (i >> 4) << 8;

		snprintf(name, sizeof(name), "cpu@%x", mpidr);
		r |= fdt_begin_node(fdt, name);
		r |= fdt_property_string(fdt, "device_type", "cpu");
		r |= fdt_property_string(fdt, "compatible", "arm,armv8");
		r |= fdt_property_string(fdt, "enable-method", "psci");
		r |= fdt_property_u32(fdt, "reg", mpidr);
		r |= fdt_end_node(fdt);
	}
	return r | fdt_end_node(fdt);
}

static int fdt_gic(void *fdt, unsigned vcpus)
{
	uint64_t reg[] = { GICD_AT, GICD_SIZE, GICR_AT, vcpus * GICR_SIZE };
	int r = fdt_begin_node(fdt, "intc@8000000");

	r |= fdt_property_string(fdt, "compatible", "arm,gic-v3");
	r |= fdt_property(fdt, "interrupt-controller", NULL, 0);
	r |= fdt_property_u32(fdt, "#interrupt-cells", 3);
	r |= fdt_property_u32(fdt, "phandle", PHANDLE_GIC);
	r |= fdt_cells64(fdt, "reg", reg, 4);
	return r | fdt_end_node(fdt);
}

static int fdt_timer(void *fdt)
{
	static const uint32_t ppi[] = { 13, 14, 11, 10 };
	fdt32_t cell[ARRAY_LEN(ppi) * 3];
	int r = fdt_begin_node(fdt, "timer");

	for (unsigned i = 0; i < ARRAY_LEN(ppi); i++) {
		cell[i * 3] = cpu_to_fdt32(IRQ_PPI);
		cell[i * 3 + 1] = cpu_to_fdt32(ppi[i]);
		cell[i * 3 + 2] = cpu_to_fdt32(IRQ_LEVEL);
	}
	r |= fdt_property_string(fdt, "compatible", "arm,armv8-timer");
	r |= fdt_property(fdt, "interrupts", cell, sizeof(cell));
	r |= fdt_property(fdt, "always-on", NULL, 0);
	r |= fdt_end_node(fdt);
	r |= fdt_begin_node(fdt, "psci");
	r |= fdt_property_string(fdt, "compatible", "arm,psci-0.2");
	r |= fdt_property_string(fdt, "method", "hvc");
	return r | fdt_end_node(fdt);
}

static int fdt_chosen(void *fdt, const struct arch_fdt_info *info)
{
	uint64_t reg[] = { RAM_AT, mem_size(info->mem) };
	uint64_t start = info->boot->initrd;
	uint64_t end = start + info->boot->initrd_size;
	uint8_t seed[64];
	int r = fdt_begin_node(fdt, "memory@40000000");

	r |= fdt_property_string(fdt, "device_type", "memory");
	r |= fdt_cells64(fdt, "reg", reg, 2);
	r |= fdt_end_node(fdt);
	r |= fdt_begin_node(fdt, "chosen");
	r |= fdt_property_string(fdt, "bootargs", info->cmdline);
	if (end > start) {
		r |= fdt_cells64(fdt, "linux,initrd-start", &start, 1);
		r |= fdt_cells64(fdt, "linux,initrd-end", &end, 1);
	}
	if (getrandom(seed, sizeof(seed), 0) == sizeof(seed))
		r |= fdt_property(fdt, "rng-seed", seed, sizeof(seed));
	return r | fdt_end_node(fdt);
}

int arch_fdt(void *fdt, const struct arch_fdt_info *info, struct err *e)
{
	int r = fdt_property_u32(fdt, "interrupt-parent", PHANDLE_GIC);

	r |= fdt_cpus(fdt, info->vcpus);
	r |= fdt_gic(fdt, info->vcpus);
	r |= fdt_timer(fdt);
	r |= fdt_chosen(fdt, info);
	if (r != 0)
		return err_set(e, ENOSPC, "device tree: no room");
	return 0;
}
