/* SPDX-License-Identifier: Apache-2.0 */
/* spec_json.h - a spec as a file, so that a box can be started later.
 *
 * A field that is absent has the value spec_init() gives it, so that an older
 * file stays readable. */
#pragma once

#include "base/err.h"
#include "run/spec.h"

#include <jansson.h>

/* The caller owns it. NULL: out of memory, or text that is not UTF-8. */
json_t *spec_to_json(const struct spec *s);
/* Into a fresh spec, which holds o from then on; free it with spec_fini(), also
 * after an error. */
int spec_from_json(struct spec *s, json_t *o, struct err *e);
