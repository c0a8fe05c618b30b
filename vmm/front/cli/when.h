/* SPDX-License-Identifier: Apache-2.0 */
/* when.h - points in time as people write them. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* "2026-11-21T10:00:00[.5][Z|+01:00]", "2026-11-21", Unix seconds, or a
 * duration ("10m"): that long ago. CLOCK_REALTIME milliseconds. */
int when_parse(const char *text, int64_t *ms, struct err *e);
