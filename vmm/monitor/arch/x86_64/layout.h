/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - the address map of this CPU's machine.
 *
 *   0x0000_0500  GDT
 *   0x0000_7000  boot_params (the "zero page")
 *   0x0000_9000  page tables: PML4, PDPT, 4 page directories: 4 GiB mapped 1:1
 *   0x0002_0000  command line
 *   0x0003_0000  setup_data: random seed, then the device tree
 *   0x0009_fc00  end of low RAM
 *   0x0010_0000  RAM; the kernel sits where its headers say (usually 16 MiB)
 *   0xc000_0000  gap
 *   0xd000_0000  virtio windows, 4 KiB each
 *   0xd010_0000  poweroff register
 *   0xd010_1000  pvpanic register
 *   0xfec0_0000  IO-APIC        (in KVM)
 *   0xfee0_0000  local APIC     (in KVM)
 *   0xfffb_d000  TSS and identity page of KVM
 *   0x1_0000_0000  the rest of RAM
 *
 * Interrupt lines: 4 the serial port, 5 to 23 the virtio windows. */
#pragma once

#define GDT_AT 0x500
#define BOOT_PARAMS_AT 0x7000
#define PML4_AT 0x9000
#define PDPT_AT 0xa000
#define PD_AT 0xb000
#define CMDLINE_AT 0x20000
#define CMDLINE_MAX 0x1000
#define SETUP_DATA_AT 0x30000
#define SETUP_DATA_MAX 0x20000
#define LOW_RAM_END 0x9fc00
#define HIGH_RAM_AT 0x100000

#define GAP_AT 0xc0000000ull
#define GAP_END 0x100000000ull

#define VIRTIO_AT 0xd0000000
#define VIRTIO_SLOTS 19
#define VIRTIO_GSI 5
#define POWER_AT 0xd0100000
#define PVPANIC_AT 0xd0101000
#define IOAPIC_AT 0xfec00000
#define LAPIC_AT 0xfee00000
#define TSS_AT 0xfffbd000

#define SERIAL_PORT 0x3f8
#define SERIAL_GSI 4
#define KBD_PORT 0x64 /* keyboard controller: pulses the reset line */
#define KBD_RESET 0xfe
