/* SPDX-License-Identifier: Apache-2.0 */
/* push.h - an image of the store into a registry. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

/* To where its name says. Prints what docker push prints. */
int push_image(const char *datadir, const char *name, bool quiet,
	       struct err *e);
