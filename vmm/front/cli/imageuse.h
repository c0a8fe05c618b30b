/* SPDX-License-Identifier: Apache-2.0 */
/* imageuse.h - which files of the store belong to which images, what they take
 * of the host's disk, and when somebody last ran them.
 *
 * Images share blobs and disks, so files are counted, not images. The last use
 * is when a box was made from its disk, or else when the image came. */
#pragma once

#include "base/err.h"
#include "box/state.h"
#include "image/catalog.h"
#include "image/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct imageuse_file {
	char name[160];	/* hex digits of a blob, name of a disk */
	uint64_t bytes; /* of the host's disk */
	unsigned refs;	/* images it belongs to */
	bool boxed; /* a disk that a box holds on to: it is not freed here */
};

struct imageuse_image {
	struct digest manifest, id;
	int64_t used;	/* Unix time */
	unsigned boxes; /* made from it */
	bool boxed;	/* its disk is held by one, whatever it is called */
	size_t *files;	/* indexes */
	size_t nfiles;
};

struct imageuse {
	struct imageuse_file *files; /* by name */
	size_t nfiles;
	struct imageuse_image *images;
	size_t nimages;
	uint64_t bytes; /* all of the store, interrupted blobs too */
};

/* u is zeroed or finished. Takes no lock beyond the store's. */
int imageuse_look(struct imageuse *u, struct store *s, const struct catalog *c,
		  const struct box_info *boxes, int n, struct err *e);
void imageuse_fini(struct imageuse *u);

struct imageuse_image *imageuse_find(const struct imageuse *u,
				     const struct digest *manifest);
/* What would go with the image alone, and what others have, too. */
uint64_t imageuse_unique(const struct imageuse *u,
			 const struct imageuse_image *img);
uint64_t imageuse_shared(const struct imageuse *u,
			 const struct imageuse_image *img);
/* As if it were removed: its files have one image less. */
void imageuse_drop(struct imageuse *u, struct imageuse_image *img);
