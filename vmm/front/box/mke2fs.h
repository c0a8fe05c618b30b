/* SPDX-License-Identifier: Apache-2.0 */
/* mke2fs.h - an empty ext4 in a file, made by e2fsprogs. */
#pragma once

#include "base/err.h"

#include <stdint.h>

/* The file gets its size, all holes, and the file system: of 4096-byte blocks,
 * for root. options are mke2fs's, NULL behind the last; at most 16. */
int mke2fs_run(int fd, uint64_t bytes, const char *const options[],
	       struct err *e);
