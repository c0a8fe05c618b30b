/* SPDX-License-Identifier: Apache-2.0 */
/* platform.h - the CPU and system that an image is for, in OCI's words. */
#pragma once

#include "base/err.h"

#include <stddef.h>

struct platform {
	char os[32], arch[32], variant[32]; /* variant may be "" */
};

/* Of --platform: system/CPU/variant, the CPU by docker's names or uname's.
 * NULL: this host's. */
int platform_parse(const char *text, struct platform *p, struct err *e);
/* The same, printed. */
#define PLATFORM_TEXT_MAX (sizeof(struct platform) + 3)
void platform_print(const struct platform *p, char *out, size_t size);
/* How well one fits: 0 not at all, 2 exactly. */
int platform_fits(const struct platform *have, const struct platform *want);
