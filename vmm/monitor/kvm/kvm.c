/* SPDX-License-Identifier: Apache-2.0 */
#include "kvm/kvm.h"

#include "base/auto.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

const struct kvm_need kvm_needs[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
	{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
	{ 0, NULL },
};

/* KVM_CREATE_VM takes locks that a signal may interrupt. */
static int kvm_create(int sys)
{
	int fd;

	do
		fd = ioctl(sys, KVM_CREATE_VM, 0);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int kvm_open(struct kvm_vm *vm, int kvm_fd, struct err *e)
{
	int n;

	*vm = (struct kvm_vm){ .sys = kvm_fd, .fd = -1 };
	n = ioctl(kvm_fd, KVM_GET_API_VERSION, 0);
	if (n < 0)
		return err_sys(e, "/dev/kvm");
	if (n != KVM_API_VERSION)
		return err_set(e, EPROTO, "/dev/kvm: API version %d, not %d", n,
			       KVM_API_VERSION);
	n = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (n < (int)sizeof(struct kvm_run))
		return err_set(e, EPROTO, "/dev/kvm: vCPU page of %d bytes", n);
	vm->run_size = (size_t)n;
	for (const struct kvm_need *k = kvm_needs; k->name; k++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, k->cap) <= 0)
			return err_set(e, ENOTSUP, "/dev/kvm: no %s", k->name);
	vm->fd = kvm_create(kvm_fd);
	if (vm->fd < 0)
		return err_sys(e, "create a virtual machine");
	return 0;
}

void kvm_close(struct kvm_vm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
}

bool kvm_has(const struct kvm_vm *vm, int cap)
{
	return ioctl(vm->sys, KVM_CHECK_EXTENSION, cap) > 0;
}

int kvm_add_mem(struct kvm_vm *vm, const struct mem *m, struct err *e)
{
	for (unsigned i = 0; i < m->nregions; i++) {
		const struct mem_region *r = &m->region[i];
		struct kvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = r->base.v,
			.memory_size = r->size,
			.userspace_addr = (uintptr_t)r->host,
		};

		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return err_sys(e, "memory slot %u", i);
	}
	return 0;
}

bool kvm_has_views(const struct kvm_vm *vm)
{
	return kvm_has(vm, KVM_CAP_READONLY_MEM);
}

int kvm_add_view(struct kvm_vm *vm, gpa_t base, const void *host, size_t size,
		 struct err *e)
{
	struct kvm_userspace_memory_region slot = {
		.slot = MEM_MAX_REGIONS,
		.flags = KVM_MEM_READONLY,
		.guest_phys_addr = base.v,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return err_sys(e, "memory slot of registers");
	return 0;
}

/* An eventfd (kvm_irqfd) does the same, but where the interrupt controller
 * cannot take it at once, in a kernel thread that has to be scheduled first. */
void kvm_raise(struct kvm_vm *vm, unsigned gsi)
{
	struct kvm_irq_level line = { .irq = gsi, .level = 1 };

	ioctl(vm->fd, KVM_IRQ_LINE, &line);
	line.level = 0;
	ioctl(vm->fd, KVM_IRQ_LINE, &line);
}

int kvm_irqfd(struct kvm_vm *vm, int fd, unsigned gsi, struct err *e)
{
	struct kvm_irqfd irq = { .fd = (uint32_t)fd, .gsi = gsi };

	if (ioctl(vm->fd, KVM_IRQFD, &irq) < 0)
		return err_sys(e, "interrupt line %u", gsi);
	return 0;
}

static int kvm_doorbell(struct kvm_vm *vm, struct kvm_ioeventfd *io,
			struct err *e)
{
	if (ioctl(vm->fd, KVM_IOEVENTFD, io) < 0)
		return err_sys(e, "doorbell at %llx",
			       (unsigned long long)io->addr);
	return 0;
}

int kvm_ioeventfd(struct kvm_vm *vm, int fd, gpa_t addr, uint32_t len,
		  struct err *e)
{
	struct kvm_ioeventfd io = { .fd = fd, .addr = addr.v, .len = len };

	return kvm_doorbell(vm, &io, e);
}

int kvm_ioeventfd_value(struct kvm_vm *vm, int fd, gpa_t addr, uint32_t len,
			uint64_t value, struct err *e)
{
	struct kvm_ioeventfd io = { .fd = fd,
				    .addr = addr.v,
				    .len = len,
				    .datamatch = value,
				    .flags = KVM_IOEVENTFD_FLAG_DATAMATCH };

	return kvm_doorbell(vm, &io, e);
}
