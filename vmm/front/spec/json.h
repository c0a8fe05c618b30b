/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - a spec as a file, so that a box can be started later.
 *
 * A field that is absent has the value spec_init() gives it, so that an older
 * file stays readable. */
#pragma once

#include "base/err.h"
#include "spec/spec.h"

#include <jansson.h>

/* The caller owns it. NULL: out of memory. */
json_t *spec_to_json(const struct spec *s);
/* Into a fresh spec, which holds o from then on; free it with spec_fini(), also
 * after an error. */
int spec_from_json(struct spec *s, json_t *o, struct err *e);

/* A string, or an array of its bytes when it is not UTF-8, as the name of a
 * file or an argument need not be. NULL: out of memory. */
json_t *spec_json_put(const char *text);
/* The same the other way: a string that holds the text, for json_decref().
 * NULL: it is neither, or out of memory. */
json_t *spec_json_get(const json_t *v);
/* Each as it is written. */
json_t *spec_json_ports(const struct spec_ports *p);
