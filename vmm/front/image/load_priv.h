/* SPDX-License-Identifier: Apache-2.0 */
/* load_priv.h - what the kinds of archives share. */
#pragma once

#include "image/load.h"
#include "image/parts.h"

#include <sys/types.h>

struct load {
	struct store *store;
	const struct load_how *how;
	struct parts parts; /* of an archive */
	int dir;	    /* of a layout that is a folder; or -1 */
	size_t count;	    /* images so far */
};

/* A small file of it: its bytes, or -ENOENT. The caller frees *out. */
ssize_t load_file(struct load *l, const char *name, char **out, struct err *e);
/* Brings the blob into the store; size is what it must have. */
int load_blob(struct load *l, const struct manifest_desc *d, struct err *e);
/* Names the image and tells. text: a reference as the archive has it, checked
 * here; NULL. */
int load_done(struct load *l, const struct manifest_desc *manifest,
	      const char *text, struct err *e);

/* load_oci.c: index.json. load_docker.c: manifest.json. */
int load_oci(struct load *l, struct err *e);
int load_docker(struct load *l, struct err *e);
