/* SPDX-License-Identifier: Apache-2.0 */
/* gc.h - removes what no name leads to: blobs, and disks of images that are
 * gone. Boxes that run have their disk open and keep it. */
#pragma once

#include "base/err.h"
#include "image/store.h"

#include <stdint.h>

struct gc_stats {
	uint64_t blobs, disks, bytes; /* what went; bytes of the host's disk */
};

/* -EBUSY when another vial has the store open: the next one does it. The
 * caller must refer to nothing that has no name yet. deleted is called for
 * each blob; may be NULL. */
int gc_run(struct store *s, struct gc_stats *st,
	   void (*deleted)(void *ctx, const struct digest *d), void *ctx,
	   struct err *e);
