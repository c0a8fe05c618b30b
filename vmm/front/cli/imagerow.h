/* SPDX-License-Identifier: Apache-2.0 */
/* imagerow.h - images as lists and conditions see them. */
#pragma once

#include "cli/filter.h"
#include "cli/table.h"
#include "image/catalog.h"
#include "image/image.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The store of the data directory. */
int imagerow_store(struct store *s, struct err *e);

/* One name of an image, or one without a name. */
struct imagerow {
	const struct catalog_entry *entry;
	struct image img;    /* empty when it is damaged */
	char repo[1024];     /* as people write it, or "<none>" */
	char tag[136];	     /* or "<none>" */
	struct digest digest; /* the registry's; "": none */
	int64_t created;     /* Unix seconds; 0: it does not say */
	uint64_t size;	     /* of its layers, as they are stored */
};

/* An image that cannot be read has a row all the same: it can be removed. */
void imagerow_init(struct imagerow *r, struct store *s,
		   const struct catalog_entry *entry);
void imagerow_fini(struct imagerow *r);

/* RFC 3339 to Unix seconds; 0 when it is none. */
int64_t imagerow_time(const char *text);
uint64_t imagerow_size(const struct image *img);

/* The fields of `images --format`. whole: nothing cut short. */
extern const struct table_column imagerow_columns[];
json_t *imagerow_cells(const struct imagerow *r, bool whole);

/* "debian:12", "debian@sha256:...": a name as people write it. */
void imagerow_familiar(const char *name, char *out, size_t size);
