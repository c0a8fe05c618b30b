/* SPDX-License-Identifier: Apache-2.0 */
/* df.h - what boxes and volumes take of the host's disk. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdint.h>

/* Of one kind. What nobody uses is reclaimable: a box that does not run, a
 * volume that no box mounts. */
struct df_sum {
	unsigned total, active;
	uint64_t bytes, reclaimable;
};

/* Zeroed is empty. Rows are arrays of objects, as lists show them. */
struct df {
	struct df_sum boxes, volumes;
	json_t *box_rows, *volume_rows;
};

int df_look(struct df *f, struct err *e);
void df_fini(struct df *f);
