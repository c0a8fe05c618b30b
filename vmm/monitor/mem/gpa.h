/* SPDX-License-Identifier: Apache-2.0 */
/* gpa.h - a guest physical address, kept apart from every other number. */
#pragma once

#include <stdint.h>

typedef struct {
	uint64_t v;
} gpa_t;

#define GPA(x) ((gpa_t){ .v = (x) })
