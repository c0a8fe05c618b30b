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
	bool quiet; /* only the whole name is printed */
};

/* Prints what docker pull prints. Of what fails nothing is kept. */
int pull_image(const struct pull *p, struct err *e);
