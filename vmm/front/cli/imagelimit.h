/* SPDX-License-Identifier: Apache-2.0 */
/* imagelimit.h - the store stays within what vial.conf allows.
 *
 *     [images]
 *     max-size = "20g"    # of the host's disk, all of the store
 *     max-age = "30d"     # since an image was last run
 *
 * Without them nothing goes by itself. Images that boxes were made from stay,
 * and so do those that were used within the last ten minutes: somebody may be
 * about to make a box. Of the others the one that was not used for longest goes
 * first. */
#pragma once

#include "base/err.h"

#include <stdint.h>

struct imagelimit {
	uint64_t max_bytes; /* 0: no limit */
	int64_t max_age_s;  /* 0: no limit */
};

/* Of vial.conf. */
int imagelimit_load(struct imagelimit *l, struct err *e);
/* After something came into the store. That it failed is a warning. */
void imagelimit_apply(void);
