/* SPDX-License-Identifier: Apache-2.0 */
/* from.h - the images that a Dockerfile begins with.
 *
 * FROM, COPY --from= and RUN --mount=...,from=, with what ARG in front of the
 * first FROM and --build-arg say. Names of stages and "scratch" are none. This
 * is only about which images to have at hand; what the text means is the
 * builder's to say, and so are its errors. */
#pragma once

#include "base/err.h"
#include "spec/strv.h"

#include <stddef.h>

#define FROM_TEXT_MAX (1u << 20)

/* args: NAME=VALUE, borrowed. out gets each image once, as it is written. */
int from_list(const char *text, size_t len, const struct strv *args,
	      struct strv *out, struct err *e);
