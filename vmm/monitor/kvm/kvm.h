/* SPDX-License-Identifier: Apache-2.0 */
/* kvm.h - a virtual machine as KVM sees it: memory slots and event lines.
 *
 * With arch/, the only user of KVM ioctls. The descriptor of /dev/kvm was
 * opened by the launcher and is borrowed. */
#pragma once

#include "base/err.h"
#include "mem/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_vm {
	int sys;	 /* /dev/kvm, borrowed */
	int fd;		 /* the VM, owned; -1 when there is none */
	size_t run_size; /* bytes of a vCPU's shared page */
};

/* Checks the API version and what the monitor cannot do without, and creates
 * the VM. */
int kvm_open(struct kvm_vm *vm, int kvm_fd, struct err *e);
void kvm_close(struct kvm_vm *vm);

bool kvm_has(const struct kvm_vm *vm, int cap);

/* All regions of m become memory slots. */
int kvm_add_mem(struct kvm_vm *vm, const struct mem *m, struct err *e);
/* size bytes at host, which the guest may read at base; what it writes there is
 * an access to a register still. Where kvm_has_views(). */
bool kvm_has_views(const struct kvm_vm *vm);
int kvm_add_view(struct kvm_vm *vm, gpa_t base, const void *host, size_t size,
		 struct err *e);
/* One edge of gsi, now; a CPU that idles is on its way when this returns. */
void kvm_raise(struct kvm_vm *vm, unsigned gsi);
/* Writing eventfd fd raises gsi (one edge). */
int kvm_irqfd(struct kvm_vm *vm, int fd, unsigned gsi, struct err *e);
/* A guest write of len bytes to addr, of any value, rings eventfd fd instead
 * of leaving KVM_RUN. */
int kvm_ioeventfd(struct kvm_vm *vm, int fd, gpa_t addr, uint32_t len,
		  struct err *e);
/* The same for writes of this value alone. An address has either kind. */
int kvm_ioeventfd_value(struct kvm_vm *vm, int fd, gpa_t addr, uint32_t len,
			uint64_t value, struct err *e);

/* What KVM_CHECK_EXTENSION must report; used by kvm_open() and the probe.
 * Ends with a NULL name. */
struct kvm_need {
	int cap;
	const char *name;
};
extern const struct kvm_need kvm_needs[];
