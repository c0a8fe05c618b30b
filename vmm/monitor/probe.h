/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - `vial-vmm --probe`: is KVM usable here, measured. */
#pragma once

/* Prints one JSON line on stdout; returns the exit status, 0 when usable. */
int probe_main(void);
