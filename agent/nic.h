/* SPDX-License-Identifier: Apache-2.0 */
/* nic.h - network interfaces that come and go while the guest runs.
 *
 * The device tree has more virtio-mmio devices than there are: those that read
 * as a device of no kind are ignored at boot, and probed again when the host
 * says that there is one now. Nothing else tells the kernel. */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"

/* Afterwards the interface is up, or there is none. */
int nic_add(const Vial__Agent__AddLink *m, struct err *e);
int nic_remove(uint64_t device, struct err *e);
