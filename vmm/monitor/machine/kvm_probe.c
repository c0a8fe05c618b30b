/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/kvm_probe.h"

#include "arch/arch.h"
#include "kvm/kvm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void find_missing(int kvm_fd, struct kvm_probe *out)
{
	const struct kvm_vm vm = { .sys = kvm_fd, .fd = -1 };
	size_t used = 0;

	for (const struct kvm_need *k = kvm_needs; k->name; k++) {
		if (kvm_has(&vm, k->cap) || used >= sizeof(out->missing))
			continue;
		used += (size_t)snprintf(out->missing + used,
					 sizeof(out->missing) - used, "%s%s",
					 used ? " " : "", k->name);
	}
}

int kvm_probe(int kvm_fd, struct kvm_probe *out, struct err *e)
{
	struct arch_probe p = { 0 };
	struct kvm_vm vm;
	int r;

	*out = (struct kvm_probe){ .missing = "" };
	find_missing(kvm_fd, out);
	r = kvm_open(&vm, kvm_fd, e);
	if (r < 0)
		return r;
	r = arch_probe(&vm, &p, e);
	kvm_close(&vm);
	if (r < 0)
		return r;
	out->guest_ns = p.guest_ns;
	out->user_ns = p.user_ns;
	if (p.guest_ns > p.user_ns * KVM_PROBE_FACTOR)
		return err_set(e, ENOTSUP,
			       "kernel code of a guest runs %.0f times slower "
			       "than it should: this KVM interprets it",
			       (double)p.guest_ns /
				       (double)(p.user_ns ? p.user_ns : 1));
	return 0;
}
