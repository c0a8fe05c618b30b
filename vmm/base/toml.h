/* SPDX-License-Identifier: Apache-2.0 */
/* toml.h - configuration files in TOML 1.0, as a tree of JSON values.
 *
 * Tables, arrays of tables, dotted and quoted keys, strings of one line,
 * integers, true and false, arrays, inline tables. What configuration has no
 * use for (dates, fractions, strings of several lines) is an error with its
 * line, like everything that is no TOML: a file is understood or refused. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>

/* The caller's, or NULL and the reason: "line 3: ...". */
json_t *toml_parse(const char *text, size_t len, struct err *e);
/* All of a file; the message begins with its name. NULL with code ENOENT: it
 * is not there. */
json_t *toml_read(const char *path, struct err *e);
