/* SPDX-License-Identifier: Apache-2.0 */
/* filter.h - --filter key=value of lists and prunes, by docker's rules.
 *
 * Filters of one key are alternatives, except for label, of which all must
 * hold; filters of different keys must all hold. A match function says yes
 * when there is no filter of its key, so that a command asks them all:
 *
 *   filter_name(f, b->name) && filter_is(f, "status", b->status) && ...
 */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTERS_MAX 64

/* Zeroed is empty. Values stay where they are, in argv. */
struct filter {
	struct {
		const struct filter_key *key;
		const char *value;
	} all[FILTERS_MAX];
	size_t count;
};

/* What a command knows; name NULL ends its table. */
struct filter_key {
	const char *name;
	const char *values; /* "a|b": no others; NULL: any */
	bool number;
};

/* "key=value". A key that is not known and a value that cannot be are
 * refused with docker's words. */
int filter_add(struct filter *f, const struct filter_key *known,
	       const char *text, struct err *e);

bool filter_has(const struct filter *f, const char *key);
/* The first value of key, or NULL: for before, since and until, of which only
 * the command knows what they mean. */
const char *filter_get(const struct filter *f, const char *key);

/* The value is text. */
bool filter_is(const struct filter *f, const char *key, const char *text);
/* text begins with the value: ids. */
bool filter_begins(const struct filter *f, const char *key, const char *text);
bool filter_number(const struct filter *f, const char *key, int64_t n);
/* The value, a regular expression, is found in the name; "^/name$" too. */
bool filter_name(const struct filter *f, const char *name);
/* label=K and label=K=V; label!= must not hold. labels: an object, or NULL. */
bool filter_label(const struct filter *f, json_t *labels);
/* The value names the image: as it was given, without its tag, or the last
 * part of a path. */
bool filter_image(const struct filter *f, const char *key, const char *image);
