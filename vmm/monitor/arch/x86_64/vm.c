/* SPDX-License-Identifier: Apache-2.0 */
#include "arch/arch.h"
#include "arch/x86_64/layout.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

/* The interrupt controllers stay in KVM: a split one costs hundreds of exits
 * at boot and loses the serial port's interrupt. There is no timer chip: the
 * guest uses the local APIC's deadline timer. */
int arch_vm_init(struct kvm_vm *vm, struct err *e)
{
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_AT) < 0)
		return err_sys(e, "place the TSS");
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_sys(e, "create the interrupt controllers");
	return 0;
}

int arch_vm_finish(struct kvm_vm *vm, unsigned vcpus, struct err *e)
{
	(void)vm;
	(void)vcpus;
	(void)e;
	return 0;
}
