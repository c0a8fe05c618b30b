/* SPDX-License-Identifier: Apache-2.0 */
/* fdt.c - the machine as a flattened device tree.
 *
 * Devices are children of the root: virtio windows, the poweroff and panic
 * registers, and the serial port where it has an address in memory. What names
 * a CPU is added by arch_fdt(). */
#include "base/auto.h"
#include "machine/machine.h"
#include "virtio/mmio.h"

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#define PHANDLE_POWER 16
#define REG_WINDOW 0x1000
#define UART_CLOCK 1843200

/* Appends a number of arch_fdt_cells() cells. */
static unsigned fdt_put(fdt32_t *cell, unsigned n, uint64_t v)
{
	if (arch_fdt_cells() == 2)
		cell[n++] = cpu_to_fdt32((uint32_t)(v >> 32));
	cell[n++] = cpu_to_fdt32((uint32_t)v);
	return n;
}

static int fdt_reg(void *fdt, uint64_t base, uint64_t size)
{
	fdt32_t cell[4];
	unsigned n = fdt_put(cell, fdt_put(cell, 0, base), size);

	return fdt_property(fdt, "reg", cell, (int)(n * sizeof(cell[0])));
}

static int fdt_irq(void *fdt, unsigned gsi)
{
	uint32_t cell[3];
	unsigned n = arch_fdt_irq(gsi, cell);

	for (unsigned i = 0; i < n; i++)
		cell[i] = cpu_to_fdt32(cell[i]);
	return fdt_property(fdt, "interrupts", cell,
			    (int)(n * sizeof(cell[0])));
}

static int fdt_node(void *fdt, const char *kind, uint64_t base,
		    const char *compatible, uint64_t size)
{
	char name[48];
	int r;

	snprintf(name, sizeof(name), "%s@%llx", kind, (unsigned long long)base);
	r = fdt_begin_node(fdt, name);
	r |= fdt_property_string(fdt, "compatible", compatible);
	return r | fdt_reg(fdt, base, size);
}

static int fdt_virtio(void *fdt, unsigned slot)
{
	int r = fdt_node(fdt, "virtio", machine_slot_at(slot).v, "virtio,mmio",
			 MMIO_SIZE);

	r |= fdt_irq(fdt, arch_map.virtio_gsi + slot);
	return r | fdt_end_node(fdt);
}

static int fdt_power(void *fdt)
{
	int r = fdt_node(fdt, "syscon", arch_map.power.v, "syscon", REG_WINDOW);

	r |= fdt_property_u32(fdt, "phandle", PHANDLE_POWER);
	r |= fdt_end_node(fdt);
	r |= fdt_begin_node(fdt, "poweroff");
	r |= fdt_property_string(fdt, "compatible", "syscon-poweroff");
	r |= fdt_property_u32(fdt, "regmap", PHANDLE_POWER);
	r |= fdt_property_u32(fdt, "offset", 0);
	r |= fdt_property_u32(fdt, "value", POWER_OFF_VALUE);
	r |= fdt_end_node(fdt);
	r |= fdt_node(fdt, "pvpanic", arch_map.pvpanic.v, "qemu,pvpanic-mmio",
		      PVPANIC_BYTES);
	return r | fdt_end_node(fdt);
}

static int fdt_serial(void *fdt)
{
	int r;

	if (arch_map.serial_pio)
		return 0; /* at its customary port; needs no node */
	r = fdt_node(fdt, "serial", arch_map.serial, "ns16550a", SERIAL_REGS);
	r |= fdt_property_u32(fdt, "clock-frequency", UART_CLOCK);
	r |= fdt_irq(fdt, arch_map.serial_gsi);
	return r | fdt_end_node(fdt);
}

int machine_fdt(const struct machine *m, const char *cmdline, void *buf,
		size_t room, struct err *e)
{
	struct arch_fdt_info info = { .vcpus = m->conf->vcpus,
				      .mem = &m->mem,
				      .boot = &m->boot,
				      .cmdline = cmdline };
	int r = fdt_create(buf, (int)room);

	r |= fdt_finish_reservemap(buf);
	r |= fdt_begin_node(buf, "");
	r |= fdt_property_u32(buf, "#address-cells", arch_fdt_cells());
	r |= fdt_property_u32(buf, "#size-cells", arch_fdt_cells());
	r |= fdt_property_string(buf, "compatible", "vial,machine");
	r |= fdt_property_string(buf, "model", "vial");
	if (r == 0 && arch_fdt(buf, &info, e) < 0)
		return -e->code;
	for (unsigned i = 0; i < m->nslots; i++)
		r |= fdt_virtio(buf, i);
	r |= fdt_power(buf);
	r |= fdt_serial(buf);
	r |= fdt_end_node(buf);
	r |= fdt_finish(buf);
	if (r != 0)
		return err_set(e, ENOSPC, "device tree: no room");
	return (int)fdt_totalsize(buf);
}
