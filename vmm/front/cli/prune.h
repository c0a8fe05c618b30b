/* SPDX-License-Identifier: Apache-2.0 */
/* prune.h - what the commands that tidy up share. */
#pragma once

#include "base/err.h"
#include "cli/filter.h"

#include <stdbool.h>
#include <stdint.h>

/* "WARNING! This will remove WHAT", and whether the answer is yes. */
bool prune_agreed(const char *what);

/* The boxes that do not run and that label filters let through, made no later
 * than until (CLOCK_REALTIME ms; 0: whenever). Says which, as docker does, and
 * adds the bytes of the host's disk. */
int prune_boxes(const struct filter *f, int64_t until, uint64_t *bytes,
		struct err *e);
/* The same for images without a name, or all that no box was made from. */
int prune_images(bool all, const struct filter *f, int64_t until,
		 uint64_t *bytes, struct err *e);
