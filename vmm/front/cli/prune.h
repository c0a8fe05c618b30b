/* SPDX-License-Identifier: Apache-2.0 */
/* prune.h - what the commands that tidy up share. */
#pragma once

#include "base/err.h"
#include "cli/filter.h"

#include <stdbool.h>
#include <stdint.h>

/* What --filter lets through. */
struct prune_filter {
	struct filter filter;
	int64_t until; /* made no later; CLOCK_REALTIME ms; 0: whenever */
};

/* until, label and label!. */
extern const struct filter_key prune_keys[];
/* keys: prune_keys, or more of them. */
int prune_filter_add(struct prune_filter *f, const struct filter_key *keys,
		     const char *text, struct err *e);

/* "WARNING! This will remove WHAT", and whether the answer is yes. */
bool prune_agreed(const char *what);

/* The boxes that do not run. Says which, as docker does, and adds the bytes of
 * the host's disk. */
int prune_boxes(const struct prune_filter *f, uint64_t *bytes, struct err *e);
/* The same for images without a name, or all that no box was made from. */
int prune_images(bool all, const struct prune_filter *f, uint64_t *bytes,
		 struct err *e);
