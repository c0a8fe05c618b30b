/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.c - identity (CPUID, MSRs) and first registers of a vCPU. */
#include "arch/arch.h"
#include "arch/x86_64/layout.h"
#include "base/auto.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>

#define CPUID_ENTRIES 256

#define LEAF1_ECX_X2APIC (1u << 21)
#define LEAF1_ECX_DEADLINE (1u << 24)
#define LEAF1_ECX_GUEST (1u << 31)
#define LEAF1_EDX_HTT (1u << 28)

#define MSR_MISC_ENABLE 0x1a0
#define MISC_ENABLE_FAST_STR 1
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_ON_WRITE_BACK 0x806

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)

struct cpuid {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entry[CPUID_ENTRIES];
};

/* Bits of an APIC id that number the cores of the one package. */
static unsigned cpu_core_bits(unsigned count)
{
	unsigned bits = 0;

	while ((1u << bits) < count)
		bits++;
	return bits;
}

static void cpuid_leaf1(struct kvm_cpuid_entry2 *l, unsigned id, unsigned count,
			bool deadline)
{
	l->ebx = (l->ebx & 0x0000ffff) | count << 16 | id << 24;
	/* Not reported by KVM, and without them the guest falls back to a
	 * timer chip that is not there. */
	l->ecx |= LEAF1_ECX_GUEST | LEAF1_ECX_X2APIC;
	if (deadline)
		l->ecx |= LEAF1_ECX_DEADLINE;
	if (count > 1)
		l->edx |= LEAF1_EDX_HTT;
	else
		l->edx &= ~LEAF1_EDX_HTT;
}

/* Extended topology: one thread in a core, all cores in one package. */
static void cpuid_topology(struct kvm_cpuid_entry2 *l, unsigned id,
			   unsigned count)
{
	l->edx = id;
	l->eax = l->ebx = l->ecx = 0;
	if (l->index == 0) {
		l->ebx = 1;
		l->ecx = 1 << 8;
	} else if (l->index == 1) {
		l->eax = cpu_core_bits(count);
		l->ebx = count;
		l->ecx = 2 << 8 | 1;
	} else {
		l->ecx = l->index;
	}
}

static void cpuid_fix(struct cpuid *c, unsigned id, unsigned count,
		      bool deadline)
{
	for (unsigned i = 0; i < c->head.nent; i++) {
		struct kvm_cpuid_entry2 *l = &c->entry[i];

		switch (l->function) {
		case 1:
			cpuid_leaf1(l, id, count, deadline);
			break;
		case 4: /* caches: cores in the package */
			l->eax = (l->eax & 0x03ffffff) | (count - 1) << 26;
			break;
		case 0xb:
		case 0x1f:
			cpuid_topology(l, id, count);
			break;
		case 0x80000008:
			l->ecx = (l->ecx & ~0xf0ffu) |
				 cpu_core_bits(count) << 12 | (count - 1);
			break;
		case 0x8000001e:
			l->eax = id;
			l->ebx = id; /* core, one thread */
			l->ecx = 0;
			break;
		default:
			break;
		}
	}
}

static int cpu_set_cpuid(struct kvm_vm *vm, struct vcpu *c, unsigned count,
			 struct err *e)
{
	autofree struct cpuid *id = calloc(1, sizeof(*id));
	bool deadline = kvm_has(vm, KVM_CAP_TSC_DEADLINE_TIMER);

	if (!id)
		return err_set(e, ENOMEM, "CPUID: out of memory");
	id->head.nent = CPUID_ENTRIES;
	if (ioctl(vm->sys, KVM_GET_SUPPORTED_CPUID, id) < 0)
		return err_sys(e, "get CPUID");
	cpuid_fix(id, c->index, count, deadline);
	if (ioctl(c->fd, KVM_SET_CPUID2, id) < 0)
		return err_sys(e, "set CPUID");
	return 0;
}

static int cpu_set_msrs(struct vcpu *c, struct err *e)
{
	static const struct kvm_msr_entry want[] = {
		{ .index = MSR_MISC_ENABLE, .data = MISC_ENABLE_FAST_STR },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ON_WRITE_BACK },
	};
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[ARRAY_LEN(want)];
	} msrs = { .head.nmsrs = ARRAY_LEN(want) };

	memcpy(msrs.entry, want, sizeof(want));
	/* Returns how many were set: not every KVM knows each of them. */
	if (ioctl(c->fd, KVM_SET_MSRS, &msrs) < 0)
		return err_sys(e, "set MSRs");
	return 0;
}

/* The state the 64-bit boot protocol asks for (Linux, x86/boot.rst). */
static int cpu_set_boot_regs(struct vcpu *c, const struct boot *b,
			     struct err *e)
{
	struct kvm_regs regs = { .rip = b->entry, .rsi = b->arg, .rflags = 2 };
	struct kvm_segment code = { .selector = 0x10,
				    .type = 0xb,
				    .present = 1,
				    .s = 1,
				    .l = 1,
				    .g = 1,
				    .limit = 0xffffffff };
	struct kvm_segment data = { .selector = 0x18,
				    .type = 0x3,
				    .present = 1,
				    .s = 1,
				    .db = 1,
				    .g = 1,
				    .limit = 0xffffffff };
	struct kvm_sregs s;

	if (ioctl(c->fd, KVM_GET_SREGS, &s) < 0)
		return err_sys(e, "get registers");
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.gdt.base = GDT_AT;
	s.gdt.limit = 4 * 8 - 1;
	s.cr0 = CR0_PE | CR0_ET | CR0_PG;
	s.cr3 = PML4_AT;
	s.cr4 = CR4_PAE;
	s.efer = EFER_LME | EFER_LMA;
	if (ioctl(c->fd, KVM_SET_SREGS, &s) < 0 ||
	    ioctl(c->fd, KVM_SET_REGS, &regs) < 0)
		return err_sys(e, "set registers");
	return 0;
}

int arch_vcpu_init(struct kvm_vm *vm, struct vcpu *c, unsigned count,
		   const struct boot *b, struct err *e)
{
	int r = cpu_set_cpuid(vm, c, count, e);

	if (r == 0)
		r = cpu_set_msrs(c, e);
	/* The others wait for the first to wake them through the APIC. */
	if (r == 0 && c->index == 0)
		r = cpu_set_boot_regs(c, b, e);
	if (r < 0)
		return err_wrap(e, "vCPU %u", c->index);
	return 0;
}
