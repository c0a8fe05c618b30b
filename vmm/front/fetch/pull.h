/* SPDX-License-Identifier: Apache-2.0 */
/* pull.h - an image out of a registry into the store. */
#pragma once

#include "base/err.h"
#include "image/platform.h"

#include <stdbool.h>

struct pull {
	const char *datadir; /* of the store */
	const char *name;    /* as the user wrote it */
	struct platform platform;
	unsigned tries; /* of a request in a row */
	bool quiet; /* only the whole name is printed */
	bool all_tags; /* each that the name has; it comes without one */
};

/* Prints what docker pull prints. Mirrors and searched registries are asked in
 * their order. Of what is no good nothing is kept; of what did not come whole
 * the blobs stay for the next time, with no name. */
int pull_image(const struct pull *p, struct err *e);
