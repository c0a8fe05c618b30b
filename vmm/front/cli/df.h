/* SPDX-License-Identifier: Apache-2.0 */
/* df.h - what images, boxes and volumes take of the host's disk. */
#pragma once

#include "base/err.h"
#include "box/state.h"

#include <jansson.h>
#include <stdint.h>

/* Of one kind. What nobody uses is reclaimable: a box that does not run, a
 * volume that no box mounts, what of the store no box was made from. */
struct df_sum {
	unsigned total, active;
	uint64_t bytes, reclaimable;
};

/* Zeroed is empty. Rows are arrays of objects, as lists show them. */
struct df {
	struct df_sum images, boxes, volumes;
	json_t *image_rows, *box_rows, *volume_rows;
};

int df_look(struct df *f, struct err *e);
/* df_images.c: of these boxes' images and the others in the store. */
int df_images(struct df *f, const struct box_info *boxes, int n, struct err *e);
void df_fini(struct df *f);
