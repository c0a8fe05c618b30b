/* SPDX-License-Identifier: Apache-2.0 */
/* tap.h - the interface in the box's namespace whose other end is the
 * monitor's. It lives as long as its namespace does. */
#pragma once

#include "base/err.h"

/* The virtio header in front of each frame, as monitor/dev/net.h has it. */
#define TAP_HEADER 12

#define TAP_MAX 4

/* A descriptor for each queue; flows are spread over them. */
struct tap {
	int fd[TAP_MAX];
	unsigned n; /* 0: none */
};

/* In the network namespace of the caller. A descriptor, or -errno; or 1 to
 * TAP_MAX queues. */
int tap_open(const char *name, struct err *e);
int tap_open_all(struct tap *t, const char *name, unsigned queues,
		 struct err *e);
void tap_close(struct tap *t);
