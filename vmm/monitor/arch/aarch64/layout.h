/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - the address map of this CPU's machine.
 *
 *   0x0800_0000  GICv3 distributor, 64 KiB        (in KVM)
 *   0x080a_0000  GICv3 redistributors, 128 KiB for each vCPU (in KVM)
 *   0x0900_0000  serial port
 *   0x0901_0000  poweroff register
 *   0x0901_1000  pvpanic register
 *   0x0a00_0000  virtio windows, 4 KiB each
 *   0x4000_0000  RAM: device tree (2 MiB), kernel, initramfs, the rest
 *
 * Interrupt lines are SPIs: 4 the serial port, 5 and up the virtio windows. */
#pragma once

#define GICD_AT 0x08000000ull
#define GICD_SIZE 0x10000ull
#define GICR_AT 0x080a0000ull
#define GICR_SIZE 0x20000ull
#define SERIAL_AT 0x09000000ull
#define SERIAL_GSI 4
#define POWER_AT 0x09010000ull
#define PVPANIC_AT 0x09011000ull
#define VIRTIO_AT 0x0a000000ull
#define VIRTIO_SLOTS 24
#define VIRTIO_GSI 5
#define RAM_AT 0x40000000ull
#define FDT_AT RAM_AT
#define FDT_MAX 0x200000ull
#define SPIS 64
