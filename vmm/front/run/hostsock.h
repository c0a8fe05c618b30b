/* SPDX-License-Identifier: Apache-2.0 */
/* hostsock.h - a listening unix socket at a path of the user's choice. */
#pragma once

#include "base/err.h"

#include <stdint.h>
#include <sys/types.h>

struct hostsock {
	int fd;
	uint64_t ino, born; /* of the one we made */
	const char *path; /* borrowed; NULL: none was made */
};

#define HOSTSOCK_INIT                                                          \
	{                                                                      \
		.fd = -1                                                       \
	}

/* For its owner alone. One that nobody listens to any more is replaced;
 * -EADDRINUSE: somebody does, or it is no socket. */
int hostsock_open(struct hostsock *s, const char *path, struct err *e);
void hostsock_close(struct hostsock *s);
/* Removes it from its folder, if it is still that one there. */
void hostsock_unlink(const struct hostsock *s);
