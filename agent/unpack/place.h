/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - names of an archive as places below one folder.
 *
 * Whatever a name or the links on its way say, the kernel looks it up with
 * that folder as its root (openat2, RESOLVE_IN_ROOT): an absolute link begins
 * there, and ".." ends there. */
#pragma once

#include "agent/unpack/inoset.h"
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct place {
	int root;	     /* borrowed */
	struct inoset *made; /* gets the folders that had to be made */
	int fd;		     /* of the folder looked up last; -1: none */
	char dir[PATH_MAX];  /* its name */
};

void place_init(struct place *p, int root, struct inoset *made);
void place_fini(struct place *p);
/* To be called when something that was there has been removed. */
void place_forget(struct place *p);

/* The shortest form of a name: no slashes around it, no "." and "..", "" for
 * the root. Refuses names that lead out of the root or are too long. */
int place_clean(const char *name, char out[PATH_MAX], struct err *e);

/* The folder that holds a clean name, as a descriptor that stays the place's
 * and is good until the next call; *base is its last part, "." for the root.
 * Links on the way are followed. Folders that are missing are made; without
 * make that is -ENOENT, as is a file or a broken link in the way. */
int place_parent(struct place *p, const char *name, bool make,
		 const char **base, struct err *e);
