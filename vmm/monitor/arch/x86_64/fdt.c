/* SPDX-License-Identifier: Apache-2.0 */
/* fdt.c - the nodes by which Linux finds CPUs and interrupts on this CPU.
 *
 * With no ACPI and no MP table, the cpu nodes are the only way it learns of
 * more than one CPU, and without the IO-APIC node no device interrupts. The
 * compatible strings are those of the one x86 platform Linux drives from a
 * device tree. Memory, command line and initramfs are not here: x86 takes them
 * from boot_params. */
#include "arch/arch.h"
#include "arch/x86_64/layout.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>

#define PHANDLE_IOAPIC 1
#define IRQ_EDGE_RISING 3 /* this binding's own numbering */

unsigned arch_fdt_cells(void)
{
	return 1;
}

unsigned arch_fdt_irq(unsigned gsi, uint32_t cells[3])
{
	cells[0] = gsi;
	cells[1] = IRQ_EDGE_RISING;
	return 2;
}

static int fdt_cpus(void *fdt, unsigned vcpus)
{
	char name[16];
	int r = fdt_begin_node(fdt, "cpus");

	r |= fdt_property_u32(fdt, "#address-cells", 1);
	r |= fdt_property_u32(fdt, "#size-cells", 0);
	for (unsigned i = 0; i < vcpus; i++) {
		snprintf(name, sizeof(name), "cpu@%x", i);
		r |= fdt_begin_node(fdt, name);
		r |= fdt_property_string(fdt, "device_type", "cpu");
		r |= fdt_property_u32(fdt, "reg", i);
		r |= fdt_end_node(fdt);
	}
	return r | fdt_end_node(fdt);
}

static int fdt_apics(void *fdt)
{
	fdt32_t ioapic[] = { cpu_to_fdt32(IOAPIC_AT), cpu_to_fdt32(0x1000) };
	fdt32_t lapic[] = { cpu_to_fdt32(LAPIC_AT), cpu_to_fdt32(0x1000) };
	int r = fdt_begin_node(fdt, "ioapic@fec00000");

	r |= fdt_property_string(fdt, "compatible", "intel,ce4100-ioapic");
	r |= fdt_property(fdt, "reg", ioapic, sizeof(ioapic));
	r |= fdt_property(fdt, "interrupt-controller", NULL, 0);
	r |= fdt_property_u32(fdt, "#interrupt-cells", 2);
	r |= fdt_property_u32(fdt, "phandle", PHANDLE_IOAPIC);
	r |= fdt_end_node(fdt);
	r |= fdt_begin_node(fdt, "lapic@fee00000");
	r |= fdt_property_string(fdt, "compatible", "intel,ce4100-lapic");
	r |= fdt_property(fdt, "reg", lapic, sizeof(lapic));
	return r | fdt_end_node(fdt);
}

int arch_fdt(void *fdt, const struct arch_fdt_info *info, struct err *e)
{
	int r = fdt_property_u32(fdt, "interrupt-parent", PHANDLE_IOAPIC);

	r |= fdt_cpus(fdt, info->vcpus);
	r |= fdt_apics(fdt);
	if (r != 0)
		return err_set(e, ENOSPC, "device tree: no room");
	return 0;
}
