/* SPDX-License-Identifier: Apache-2.0 */
/* create.h - a spec becomes a box on disk, and a box on disk a spec. */
#pragma once

#include "base/err.h"
#include "spec/spec.h"
#include "box/state.h"

/* What `vial ps` shows; a fresh id. */
void box_describe(struct box_info *info, const struct spec *s);
/* --volumes-from: mounts of the boxes that are named become the spec's. */
int box_volumes_from(struct spec *s, struct err *e);
/* Makes it, with its lock held and its spec written down. The image path is
 * made absolute there. */
int box_make(struct box *b, struct box_info *info, const struct spec *s,
	     struct err *e);
/* `vial create`: whatever can be found wrong now is, and nothing stays behind
 * then. Closed afterwards; info has id and name. */
int box_create(const struct spec *s, struct box_info *info, struct err *e);
/* The spec of a box; free it with spec_fini(), also after an error. */
int box_load(const struct box *b, struct spec *s, struct err *e);
