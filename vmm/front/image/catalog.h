/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.h - index.json of the store: names, and what they stand for.
 *
 * An image has an entry for each of its names, or one without a name when the
 * last one went to another image. It is an OCI index: other tools find an
 * image by org.opencontainers.image.ref.name, which is the whole name. */
#pragma once

#include "base/err.h"
#include "image/manifest.h"
#include "image/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalog_entry {
	char *name; /* "docker.io/library/debian:12", "...@sha256:..."; NULL */
	struct manifest_desc desc; /* of the manifest */
	struct digest id;	   /* of the configuration */
	struct digest pulled;	   /* what the registry calls it; "": none */
	int64_t added;		   /* Unix time */
};

struct catalog {
	struct store *store; /* the caller's, outlives it */
	struct catalog_entry *v;
	size_t n;
	int lock; /* -1 when it was only loaded */
};

/* As it is now. c is zeroed or finished. */
int catalog_load(struct store *s, struct catalog *c, struct err *e);
/* The same to change it: nobody else does until catalog_fini(). */
int catalog_edit(struct store *s, struct catalog *c, struct err *e);
/* Writes what was changed. */
int catalog_commit(struct catalog *c, struct err *e);
void catalog_fini(struct catalog *c);

/* Adds an image under a name, or under none when it has none yet. An image
 * that loses its last name by that is kept without one. e's strings are
 * copied; added 0: now. */
int catalog_put(struct catalog *c, const struct catalog_entry *entry,
		struct err *e);
/* Entry i goes. */
void catalog_drop(struct catalog *c, size_t i);

/* What the user means: a name, a name with a digest, or the start of an ID
 * that no other has. The index, -ENOENT "No such image: ...", -EINVAL. */
int catalog_find(const struct catalog *c, const char *text, struct err *e);
/* How many entries stand for the same manifest as entry i and have a name. */
size_t catalog_names(const struct catalog *c, size_t i);
