/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/x86_64/layout.h"

#include "arch/arch.h"

/* reboot=k: through the keyboard controller, so that a triple fault always
 * means a crash. The controller's status must read as zero: 0xff costs 65536
 * polls. random.trust_bootloader: the seed in setup_data counts. swiotlb: with
 * RAM above 4 GiB the kernel would set 64 MiB aside for devices that reach no
 * further; there are none. */
const struct arch_map arch_map = {
	.virtio_base = { VIRTIO_AT },
	.virtio_slots = VIRTIO_SLOTS,
	.virtio_gsi = VIRTIO_GSI,
	.raise_by_call = true, /* eventfds: a kernel thread in between */
	.power = { POWER_AT },
	.pvpanic = { PVPANIC_AT },
	.serial_pio = true,
	.serial = SERIAL_PORT,
	.serial_gsi = SERIAL_GSI,
	.has_reset = true,
	.reset_port = KBD_PORT,
	.reset_value = KBD_RESET,
	.cmdline = "console=ttyS0 8250.nr_uarts=1 reboot=k "
		   "random.trust_bootloader=on swiotlb=noforce",
};

unsigned arch_ram(uint64_t ram_bytes, struct arch_range *out)
{
	out[0].base = GPA(0);
	out[0].size = ram_bytes < GAP_AT ? ram_bytes : GAP_AT;
	if (ram_bytes <= GAP_AT)
		return 1;
	out[1].base = GPA(GAP_END);
	out[1].size = ram_bytes - GAP_AT;
	return 2;
}
