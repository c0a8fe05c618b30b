/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"

#include <linux/kvm.h>
#include <stddef.h>
#include <sys/ioctl.h>

#define CORE_REG(name)                                                         \
	(KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE |                 \
	 KVM_REG_ARM_CORE_REG(name))

static int cpu_set(struct vcpu *c, uint64_t id, uint64_t value, struct err *e)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)&value };

	if (ioctl(c->fd, KVM_SET_ONE_REG, &reg) < 0)
		return err_sys(e, "vCPU %u: set a register", c->index);
	return 0;
}

/* The first vCPU starts at the kernel with the device tree's address in x0
 * (Linux, arm64/booting.rst); PSCI calls switch the others on. */
int arch_vcpu_init(struct kvm_vm *vm, struct vcpu *c, unsigned count,
		   const struct boot *b, struct err *e)
{
	struct kvm_vcpu_init init;
	int r;

	(void)count;
	if (ioctl(vm->fd, KVM_ARM_PREFERRED_TARGET, &init) < 0)
		return err_sys(e, "vCPU %u: preferred target", c->index);
	init.features[0] |= 1u << KVM_ARM_VCPU_PSCI_0_2;
	if (c->index > 0)
		init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
	if (ioctl(c->fd, KVM_ARM_VCPU_INIT, &init) < 0)
		return err_sys(e, "vCPU %u: init", c->index);
	if (c->index > 0)
		return 0;
	r = cpu_set(c, CORE_REG(regs.pc), b->entry, e);
	if (r == 0)
		r = cpu_set(c, CORE_REG(regs.regs[0]), b->arg, e);
	return r;
}
