/* SPDX-License-Identifier: Apache-2.0 */
/* imagejson.h - an image as docker's inspect shows it. */
#pragma once

#include "image/catalog.h"
#include "image/image.h"

#include <jansson.h>

/* The names are those of all entries of the catalog with the image's ID. The
 * caller owns it; NULL: out of memory. */
json_t *imagejson(const struct image *img, const struct catalog *c);
/* The one in the store that what calls; -ENOENT in e->code: there is none. */
json_t *imagejson_find(const char *what, struct err *e);
