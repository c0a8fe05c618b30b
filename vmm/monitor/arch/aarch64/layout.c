/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/aarch64/layout.h"

#include "arch/arch.h"

/* Reset and power-off come as PSCI calls, which KVM turns into exits. */
const struct arch_map arch_map = {
	.virtio_base = { VIRTIO_AT },
	.virtio_slots = VIRTIO_SLOTS,
	.virtio_gsi = VIRTIO_GSI,
	.power = { POWER_AT },
	.pvpanic = { PVPANIC_AT },
	.serial_pio = false,
	.serial = SERIAL_AT,
	.serial_gsi = SERIAL_GSI,
	.has_reset = false,
	.cmdline = "console=ttyS0 random.trust_bootloader=on",
};

unsigned arch_ram(uint64_t ram_bytes, struct arch_range *out)
{
	out[0].base = GPA(RAM_AT);
	out[0].size = ram_bytes;
	return 1;
}
