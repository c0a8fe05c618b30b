/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_probe.h - is KVM any good here: looked at and measured. */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct kvm_probe {
	char missing[200]; /* capabilities, with a space between; "": none */
	uint64_t guest_ns, user_ns; /* the same loop; 0: not measured */
};

/* How many times slower kernel code of a guest may be than code here. Real
 * ones come to 1, those that interpret to hundreds. */
#define KVM_PROBE_FACTOR 10

/* kvm_fd is /dev/kvm. Fails with the reason when no guest can be run, or only
 * one that is too slow; *out is filled as far as it went. */
int kvm_probe(int kvm_fd, struct kvm_probe *out, struct err *e);
