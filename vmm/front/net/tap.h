/* SPDX-License-Identifier: Apache-2.0 */
/* tap.h - the interface in the box's namespace whose other end is the
 * monitor's. It lives as long as its namespace does. */
#pragma once

#include "base/err.h"

/* The virtio header in front of each frame, as monitor/dev/net.h has it. */
#define TAP_HEADER 12

/* In the network namespace of the caller. A descriptor, or -errno. */
int tap_open(const char *name, struct err *e);
