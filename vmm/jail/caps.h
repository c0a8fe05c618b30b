/* SPDX-License-Identifier: Apache-2.0 */
/* caps.h - capabilities and the switches that keep them gone. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* Is it in the effective set? */
bool caps_have(unsigned cap);

/* The bounding set and the ways a uid brings capabilities: first, while
 * CAP_SETPCAP is still there. */
int caps_bound(struct err *e);

/* All sets of this thread, no_new_privs, no core dumps, not ptraceable by the
 * user who started us. Last. */
int caps_drop(struct err *e);
