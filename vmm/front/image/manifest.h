/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.h - OCI and docker manifests and lists of them, judged.
 *
 * OCI image-spec manifest.md, image-index.md; docker "Image Manifest V 2,
 * Schema 2". Schema 1 is refused by name. Whoever wrote the text is not
 * trusted: sizes, counts and types are checked, and what is not an image (an
 * artifact of another kind) is refused too. */
#pragma once

#include "base/err.h"
#include "image/digest.h"
#include "image/platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_LAYERS_MAX  512
#define MANIFEST_ENTRIES_MAX 1024
#define MANIFEST_MEDIA_MAX   128
/* Lists may hold lists; so deep and no deeper. */
#define MANIFEST_DEPTH_MAX 4

#define MEDIA_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_INDEX	      "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_CONFIG      "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER	      "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_MANIFEST                                                  \
	"application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_DOCKER_LIST                                                      \
	"application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_CONFIG "application/vnd.docker.container.image.v1+json"

enum manifest_kind { MANIFEST_IMAGE, MANIFEST_LIST };

/* How a layer is packed, by its media type. */
enum manifest_pack { PACK_NONE, PACK_GZIP, PACK_ZSTD, PACK_NKINDS };

struct manifest_desc {
	struct digest digest;
	uint64_t size;
	char media[MANIFEST_MEDIA_MAX]; /* may be "" in a list */
	enum manifest_pack pack;	/* layers only */
};

struct manifest_entry {
	struct manifest_desc desc;
	struct platform platform; /* os "": not said */
	char *name;		  /* org.opencontainers.image.ref.name */
	char *full;		  /* io.containerd.image.name */
};

struct manifest {
	enum manifest_kind kind;
	char media[MANIFEST_MEDIA_MAX]; /* its own */
	struct manifest_desc config;	/* of an image */
	struct manifest_desc *layers;
	size_t nlayers;
	struct manifest_entry *entries; /* of a list */
	size_t nentries;
};

/* media: what the one who has the text says it is, NULL or "": it says so
 * itself. m is zeroed or finished; on an error it is zeroed. */
int manifest_parse(const char *text, size_t len, const char *media,
		   struct manifest *m, struct err *e);
void manifest_fini(struct manifest *m);

/* The entry of a list for the platform; -ENOENT says what there is instead.
 * One that names no platform is taken when it is the only one. */
int manifest_pick(const struct manifest *m, const struct platform *p,
		  const struct manifest_entry **out, struct err *e);
