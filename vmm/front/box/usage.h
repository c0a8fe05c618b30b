/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h - what a box takes of the host's disk. */
#pragma once

#include "box/state.h"

#include <stdint.h>

/* Bytes, as the file system counts them: the files of the box, and of one that
 * runs what its monitor has open and that has no name (the disk of a brief box,
 * its volumes without a name). Of these only what we may see. */
uint64_t usage_box(const struct box *b, const struct box_info *info);
