/* SPDX-License-Identifier: Apache-2.0 */
/* power.h - two registers by which the guest says how it ended.
 *
 * poweroff: any write of POWER_OFF_VALUE switches the machine off (the device
 * tree's syscon-poweroff node). pvpanic: bit 0 says the kernel panicked
 * (qemu's docs/specs/pvpanic). Both tell it to told() and nothing more. */
#pragma once

#include <stdint.h>

#define POWER_OFF_VALUE 1
#define PVPANIC_BYTES 2
#define PVPANIC_PANIC 1
#define PVPANIC_CRASH 2 /* a crash kernel took over */

enum power_event { POWER_OFF, POWER_PANIC };

struct power {
	void (*told)(void *ctx, enum power_event ev);
	void *ctx;
};

void power_read(void *p, uint32_t off, void *dst, uint32_t len);
void power_write(void *p, uint32_t off, const void *src, uint32_t len);
void pvpanic_read(void *p, uint32_t off, void *dst, uint32_t len);
void pvpanic_write(void *p, uint32_t off, const void *src, uint32_t len);
