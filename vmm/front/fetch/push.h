/* SPDX-License-Identifier: Apache-2.0 */
/* push.h - an image of the store into a registry. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct push {
	const char *datadir; /* of the store */
	const char *name;    /* as the user wrote it */
	unsigned tries;	     /* of a request in a row */
	bool all_tags; /* every tag that the name has; it comes without one */
	bool quiet;
};

/* To where its name says. Prints what docker push prints. */
int push_image(const struct push *p, struct err *e);
