/* SPDX-License-Identifier: Apache-2.0 */
/* vm.c - the GICv3, in KVM. */
#include "arch/aarch64/layout.h"
#include "arch/arch.h"
#include "base/auto.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>

static int gic_set(int gic, uint32_t group, uint64_t attr, void *value,
		   struct err *e)
{
	struct kvm_device_attr a = { .group = group,
				     .attr = attr,
				     .addr = (uintptr_t)value };

	if (ioctl(gic, KVM_SET_DEVICE_ATTR, &a) < 0)
		return err_sys(e, "GICv3 attribute %u", group);
	return 0;
}

int arch_vm_init(struct kvm_vm *vm, struct err *e)
{
	(void)vm;
	(void)e;
	return 0;
}

/* The GIC wants to know its vCPUs, so it is made when they exist. */
int arch_vm_finish(struct kvm_vm *vm, unsigned vcpus, struct err *e)
{
	struct kvm_create_device dev = { .type = KVM_DEV_TYPE_ARM_VGIC_V3 };
	uint64_t dist = GICD_AT, spis = SPIS + 32;
	uint64_t redist = GICR_AT | (uint64_t)vcpus << 52;
	autoclose int gic = -1;
	uint32_t nr = (uint32_t)spis;
	int r;

	if (ioctl(vm->fd, KVM_CREATE_DEVICE, &dev) < 0)
		return err_sys(e, "create the GICv3");
	/* KVM keeps the device for as long as the VM lives. */
	gic = (int)dev.fd;
	r = gic_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST,
		    &dist, e);
	if (r == 0)
		r = gic_set(gic, KVM_DEV_ARM_VGIC_GRP_ADDR,
			    KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION, &redist, e);
	if (r == 0)
		r = gic_set(gic, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &nr, e);
	if (r == 0)
		r = gic_set(gic, KVM_DEV_ARM_VGIC_GRP_CTRL,
			    KVM_DEV_ARM_VGIC_CTRL_INIT, NULL, e);
	return r;
}
