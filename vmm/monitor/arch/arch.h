/* SPDX-License-Identifier: Apache-2.0 */
/* arch.h - what a CPU must answer. Nothing outside arch/ names one.
 *
 * A CPU is a folder: layout.h draws its address map, and its .c files define
 * the functions below. The Makefile builds arch/$(ARCH)/ and no other, so a
 * function that a folder lacks is a link error, not a surprise at run time. */
#pragma once

#include "base/err.h"
#include "kvm/kvm.h"
#include "kvm/vcpu.h"
#include "mem/mem.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- where things are (layout.c) ---- */

struct arch_range {
	gpa_t base;
	uint64_t size;
};

/* Splits RAM into the regions this machine has, below and above the gap.
 * Returns how many of out (MEM_MAX_REGIONS) were filled. */
unsigned arch_ram(uint64_t ram_bytes, struct arch_range *out);

/* The fixed devices. A register lies in the port space when pio is true. */
struct arch_map {
	gpa_t virtio_base; /* slot n at + n * 0x1000 */
	unsigned virtio_slots;
	unsigned virtio_gsi; /* slot n raises this + n */
	bool raise_by_call;  /* kvm_raise() is the shorter way to a CPU */
	gpa_t power;	     /* poweroff register, see dev/power.h */
	gpa_t pvpanic;
	bool serial_pio;
	uint64_t serial; /* 8 registers of one byte */
	unsigned serial_gsi;
	bool has_reset;	     /* a register that resets the machine */
	uint64_t reset_port; /* in the port space; reads as zero */
	uint8_t reset_value;
	const char *cmdline; /* what the kernel must be told on this CPU */
};
extern const struct arch_map arch_map;

/* ---- the machine (vm.c, cpu.c) ---- */

/* Interrupt controllers and what else must be there before a vCPU is. */
int arch_vm_init(struct kvm_vm *vm, struct err *e);
/* What can only be done when all vCPUs have been initialised. */
int arch_vm_finish(struct kvm_vm *vm, unsigned vcpus, struct err *e);

/* What boot.c found out and cpu.c needs. */
struct boot {
	uint64_t entry;	     /* first instruction, guest physical */
	uint64_t arg;	     /* what the boot protocol wants in a register */
	uint64_t kernel_end; /* first free byte behind the kernel */
	uint64_t initrd, initrd_size; /* 0 bytes when there is none */
};

/* Registers and identity of vCPU index of count, before its first run. */
int arch_vcpu_init(struct kvm_vm *vm, struct vcpu *c, unsigned count,
		   const struct boot *b, struct err *e);

/* ---- the kernel (boot.c) ---- */

/* Reads the kernel (and the initramfs, unless initrd_fd is -1) into RAM and
 * fills b. The files are input: every length and address is checked. */
int arch_load(int kernel_fd, int initrd_fd, struct mem *m, struct boot *b,
	      struct err *e);

/* Hands over the command line and the device tree the way this CPU's boot
 * protocol wants them. After arch_load(). */
int arch_handover(struct mem *m, struct boot *b, const char *cmdline,
		  const void *fdt, size_t fdt_len, struct err *e);

/* ---- the device tree (fdt.c) ---- */

struct arch_fdt_info {
	unsigned vcpus;
	const struct mem *mem;
	const struct boot *boot;
	const char *cmdline;
};

/* Cells of an address and of a size in the root node: 1 or 2. */
unsigned arch_fdt_cells(void);
/* Adds CPUs, interrupt controllers, timers, and where the CPU's protocol has
 * them there, memory and the command line. fdt is open in the root node. */
int arch_fdt(void *fdt, const struct arch_fdt_info *info, struct err *e);
/* The interrupts property of an edge-triggered line; returns its cells. */
unsigned arch_fdt_irq(unsigned gsi, uint32_t cells[3]);

/* ---- is KVM any good here (probe.c) ---- */

struct arch_probe {
	uint64_t guest_ns; /* the loop in supervisor mode of a guest */
	uint64_t user_ns;  /* the same loop here */
};
/* Counts a few million turns in a tiny guest and in user mode. */
int arch_probe(struct kvm_vm *vm, struct arch_probe *out, struct err *e);
