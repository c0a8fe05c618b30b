/* SPDX-License-Identifier: Apache-2.0 */
/* save.h - images out of the store into an archive.
 *
 * Layers go out as they are stored, packed or not: docker, podman and skopeo
 * read either. The same images make the same bytes. */
#pragma once

#include "base/err.h"
#include "image/catalog.h"
#include "image/store.h"

#include <stddef.h>

enum save_format { SAVE_DOCKER, SAVE_OCI };

/* words: images as users call them; one that is called by its ID has no name
 * in the archive. */
int save_images(struct store *s, char *const *words, size_t n,
		enum save_format format, int fd, struct err *e);
