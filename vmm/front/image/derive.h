/* SPDX-License-Identifier: Apache-2.0 */
/* derive.h - an image made of another: its layers, one more, and what is said
 * of it.
 *
 * The layer comes as a tar stream that nobody on the host looks into: it is
 * hashed, packed with gzip, which every reader of images knows, and stored.
 * OCI image-spec layer.md, config.md; the manifest is OCI's also where that of
 * the base is docker's. */
#pragma once

#include "base/err.h"
#include "image/image.h"
#include "image/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <zlib.h>

/* Of a stream, before it is packed: more is refused. */
#define DERIVE_LAYER_MAX (256ull << 30)

struct derive_layer {
	struct blob blob;
	struct digest_ctx inside;
	z_stream z;
	bool open;
	bool any; /* there is more in it than an archive's end */
	uint64_t bytes; /* of the stream */
};

int derive_layer_open(struct derive_layer *l, struct store *s, struct err *e);
int derive_layer_write(struct derive_layer *l, const void *bytes, size_t n,
		       struct err *e);
/* Removes what derive_image() has not taken. Safe on a zeroed one. */
void derive_layer_end(struct derive_layer *l);

struct derive {
	const struct image *base; /* NULL: none */
	json_t *config; /* "config" of the new one; borrowed */
	const char *author, *comment, *created_by; /* may be NULL */
	const char *name; /* whole: "docker.io/library/x:1"; NULL: none */
};

/* The image, in the store and named. A stream without an entry makes no layer,
 * only a line of the history. */
int derive_image(struct store *s, const struct derive *d,
		 struct derive_layer *l, struct digest *id, struct err *e);

/* A manifest of the same image whose plain layers are packed, or are those of
 * the bases where one of them has the same. It has no name yet. */
int derive_packed(struct store *s, const struct image *img,
		  const struct image *bases, size_t nbases,
		  struct manifest_desc *m, struct err *e);
