/* SPDX-License-Identifier: Apache-2.0 */
/* boxjson.h - a box as docker's inspect shows it.
 *
 * The fields are docker's, as far as a box has something to say there: lists
 * nobody asked for are null or empty as there. What a box does not have (an
 * address, published ports) is there and empty, so that templates that ask for
 * it work. */
#pragma once

#include "box/netinfo.h"
#include "box/state.h"
#include "spec/spec.h"

#include <jansson.h>

/* dir: where the box is kept, for LogPath. The caller owns it; NULL: out of
 * memory. */
json_t *boxjson(const struct box_info *info, const struct spec *s,
		const char *dir);
/* NetworkSettings of one that runs. */
void boxjson_network(json_t *o, const struct spec *s,
		     const struct netinfo *net);

/* NAME=VALUE entries as an object. */
json_t *boxjson_labels(const struct strv *labels);
/* Mounts[] of inspect. */
json_t *boxjson_mounts(const struct spec *s);
