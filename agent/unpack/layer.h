/* SPDX-License-Identifier: Apache-2.0 */
/* layer.h - one layer of an image applied to a folder.
 *
 * What the OCI image format says of layers, with docker's reading where it is
 * silent: later entries take the place of earlier ones, a folder that is there
 * gets new attributes and keeps what is in it, ".wh.NAME" and ".wh..wh..opq"
 * take away what lower layers have and never what this one has. Owners are
 * set when we are root.
 *
 * Nothing outside of the folder is read or written, whatever the archive says
 * (place.h); what an archive may cost is bounded by the limits. */
#pragma once

#include "agent/unpack/decode.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct layer_stats {
	uint64_t entries;  /* of all layers so far */
	uint64_t left_out; /* sockets and the like, foreign attributes */
};

struct layer_conf {
	int root;	      /* borrowed */
	uint64_t max_entries; /* of all layers together */
	/* Told now and then while it goes on; may be NULL. */
	void (*tick)(void *arg, struct decode *d);
	void *arg;
};

/* To the end of d. The digest is the caller's to compare. */
int layer_apply(const struct layer_conf *c, struct decode *d,
		struct layer_stats *st, struct err *e);
