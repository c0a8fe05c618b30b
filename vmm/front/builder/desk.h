/* SPDX-License-Identifier: Apache-2.0 */
/* desk.h - a folder for the length of a build.
 *
 * It lies in the data directory, where blobs can be linked into it, and is
 * known to be in use by its lock. What crashes leave is removed by the next
 * one. */
#pragma once

#include "base/err.h"

#include <limits.h>

struct desk {
	int all; /* builds/ of the data directory */
	int dir; /* locked */
	char name[32];
	char path[PATH_MAX];
};

#define DESK_INIT                                                              \
	{                                                                      \
		.all = -1, .dir = -1                                           \
	}

int desk_open(struct desk *d, struct err *e);
/* Removes it. Safe on one that is not open. */
void desk_close(struct desk *d);
