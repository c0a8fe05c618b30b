/* SPDX-License-Identifier: Apache-2.0 */
/* layers.h - the blobs of an image, several at once. */
#pragma once

#include "base/err.h"
#include "fetch/registry.h"
#include "image/manifest.h"
#include "image/store.h"

#include <stdbool.h>

/* Whether a failure was the connection's, so that what came is kept for the
 * next time. */
bool layers_may_resume(int r);

/* Brings the configuration and layers of m into the store, those that are not
 * there. Verified by size and digest as they come. quiet: prints nothing. */
int layers_fetch(struct registry *r, struct store *s, const struct manifest *m,
		 bool quiet, struct err *e);
