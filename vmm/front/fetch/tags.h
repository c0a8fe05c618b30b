/* SPDX-License-Identifier: Apache-2.0 */
/* tags.h - the tags that a name has at a registry: distribution-spec, "Listing
 * tags". */
#pragma once

#include "base/err.h"
#include "fetch/registry.h"

#include <jansson.h>

#define TAGS_MAX 10000

/* Strings in the registry's order, each a tag that ref_parse() takes; the
 * caller's. NULL: why not; -ENOENT when there is none. */
json_t *tags_list(struct registry *r, struct err *e);

/* What an answer adds to all; one that is no list of tags is an error. */
int tags_add(json_t *all, const struct ref *name, const char *text, size_t len,
	     struct err *e);
/* Where the next page is, of a Link header, in place: a path, or NULL: there is
 * none. The host in front of it is left out: the list goes on where it began,
 * also when the registry does not know how it is reached from here, and nobody
 * else gets the login or can have us ask what only we reach. */
const char *tags_next(char *link);
