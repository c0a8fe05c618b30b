/* SPDX-License-Identifier: Apache-2.0 */
/* boxrow.h - a box as a line of `vial ps`. */
#pragma once

#include "cli/filter.h"
#include "cli/table.h"
#include "box/state.h"

#include <jansson.h>

extern const struct table_column boxrow_columns[];

enum {
	BOXROW_SPEC = 1,	/* labels, mounts, network: config.json is read */
	BOXROW_SIZE = 2,	/* its disk is looked at */
	BOXROW_WHOLE = 4,	/* ids and commands are not cut */
	BOXROW_SHORT_IMAGE = 8, /* the last part of its path */
	BOXROW_PORTS = 16, /* those of one that runs */
};

struct boxrow {
	json_t *cells;	/* a string for each column */
	json_t *labels; /* an object, or NULL without BOXROW_SPEC */
	json_t *mounts; /* an array, or NULL */
	json_t *ports;	/* "80/tcp" and what leads there; or NULL */
};

/* -ENOENT: it is gone. */
int boxrow_init(struct boxrow *r, const struct box_info *info, unsigned need);
void boxrow_fini(struct boxrow *r);
bool boxrow_network(const struct boxrow *r, const struct filter *f);
/* --filter publish=PORT[/PROTO] and expose=, by the guest's number; a range
 * FROM-TO as well. */
bool boxrow_ports(const struct boxrow *r, const struct filter *f);
/* --filter volume=NAME|PATH. */
bool boxrow_mounts(const struct boxrow *r, const struct filter *f);
