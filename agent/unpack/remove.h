/* SPDX-License-Identifier: Apache-2.0 */
/* remove.h - what a layer takes away from those below it. */
#pragma once

#include "agent/unpack/inoset.h"
#include "base/err.h"

#include <stdbool.h>

/* Folders in folders, further down than this, are not removed. */
#define REMOVE_DEPTH 1000

/* Removes name of the folder, with all below it. keep: but for what the set
 * has, and the folders that hold such. What is removed leaves the set. 0 also
 * when there is no such name. */
int remove_name(int dir, const char *name, struct inoset *made, bool keep,
		struct err *e);
/* Everything in the folder; it stays itself. dir may be an O_PATH one. */
int remove_below(int dir, struct inoset *made, bool keep, struct err *e);
