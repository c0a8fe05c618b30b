/* SPDX-License-Identifier: Apache-2.0 */
/* boxspec.h - from the words of a command line to a spec that can be made. */
#pragma once

#include "spec/spec.h"

#include <stdbool.h>

/* argv is IMAGE [COMMAND...]; the options are in s already. An image that is
 * missing is pulled. On an error *misused says whether the words were wrong, or
 * the world is. */
int boxspec_take(struct spec *s, int argc, char **argv, bool *misused,
		 struct err *e);
