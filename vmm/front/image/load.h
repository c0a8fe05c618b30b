/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - images from files: an OCI layout as a folder or an archive, what
 * docker save and podman save write, or a root file system.
 *
 * An archive may be packed with gzip, zstd, xz or bzip2, and come by a pipe.
 * All of an image is there and fits together before it gets a name. */
#pragma once

#include "base/err.h"
#include "image/catalog.h"
#include "image/platform.h"
#include "image/store.h"

#include <jansson.h>

struct load_how {
	struct platform platform;
	const char *name; /* instead of the names in it; NULL */
	/* For each image, with the name it got or NULL. */
	void (*loaded)(void *ctx, const char *name, const struct digest *id);
	void *ctx;
};

/* path: a file, a folder, or NULL for standard input. */
int load_archive(struct store *s, const char *path, const struct load_how *how,
		 struct err *e);

/* docker import: path as before, one layer. name may be NULL. config: what the
 * image's own configuration ("config": {...}) shall be, borrowed; NULL. */
struct import_how {
	struct platform platform;
	const char *name, *message;
	json_t *config;
};
int load_rootfs(struct store *s, const char *path, const struct import_how *how,
		struct digest *id, struct err *e);

/* ---- for those that bring images in ---- */

/* Looks whether all of the image is in the store and agrees, and names it.
 * name: "docker.io/library/debian:12" or NULL. pulled may be "". */
int load_name(struct store *s, const struct manifest_desc *manifest,
	      const char *name, const struct digest *pulled, struct digest *id,
	      struct err *e);
