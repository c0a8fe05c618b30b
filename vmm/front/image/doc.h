/* SPDX-License-Identifier: Apache-2.0 */
/* doc.h - JSON that a stranger wrote, within bounds.
 *
 * Text of DOC_TEXT_MAX with more than DOC_VALUES_MAX values is refused before
 * it is parsed: a tree takes about a hundred bytes for each. What has the wrong
 * type is an error that names the field, not a default. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOC_TEXT_MAX (4u << 20)
#define DOC_VALUES_MAX (64u << 10)

/* An object, or NULL and the reason; what names the text in it. */
json_t *doc_text(const char *text, size_t len, const char *what, struct err *e);
/* The same for any value, such as a list. */
json_t *doc_text_any(const char *text, size_t len, const char *what,
		     struct err *e);

/* Fields of an object. Missing and null are the same: *out is left alone and
 * the result is 0; 1: it is there; negative: of another type. Borrowed. */
int doc_str(json_t *o, const char *key, const char **out, struct err *e);
/* The same, copied; one that is missing is "". Returns 0 or why not. */
int doc_copy(json_t *o, const char *key, char *out, size_t size, struct err *e);
int doc_u64(json_t *o, const char *key, uint64_t *out, struct err *e);
int doc_bool(json_t *o, const char *key, bool *out, struct err *e);
int doc_object(json_t *o, const char *key, json_t **out, struct err *e);
int doc_array(json_t *o, const char *key, json_t **out, struct err *e);
/* A list of strings, NULL behind the last, which point into o. A list of
 * nothing differs from none: *out stays as it is when that is missing. The caller frees
 * the list itself. */
int doc_strs(json_t *o, const char *key, const char ***out, size_t *n,
	     struct err *e);
