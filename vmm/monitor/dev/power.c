/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/power.h"

#include <string.h>

void power_read(void *p, uint32_t off, void *dst, uint32_t len)
{
	(void)p;
	(void)off;
	memset(dst, 0, len);
}

void power_write(void *own, uint32_t off, const void *src, uint32_t len)
{
	struct power *p = own;

	if (off == 0 && len > 0 && *(const uint8_t *)src == POWER_OFF_VALUE)
		p->told(p->ctx, POWER_OFF);
}

void pvpanic_read(void *p, uint32_t off, void *dst, uint32_t len)
{
	(void)p;
	memset(dst, 0, len);
	if (off == 0)
		*(uint8_t *)dst = PVPANIC_PANIC | PVPANIC_CRASH;
}

void pvpanic_write(void *own, uint32_t off, const void *src, uint32_t len)
{
	struct power *p = own;

	if (off == 0 && len > 0 && (*(const uint8_t *)src & PVPANIC_PANIC))
		p->told(p->ctx, POWER_PANIC);
}
