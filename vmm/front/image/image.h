/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - the images there are: names, contents, and the disks made of them.
 *
 * THEORY OF OPERATION
 *
 * The store is one folder of the data directory, and an OCI image layout that
 * other tools can read:
 *
 *     images/
 *       oci-layout, index.json     names and the manifests they stand for
 *       blobs/sha256/HEX           manifests, configurations, layers
 *       disks/KEY.ext4             what a builder VM made of the layers
 *       disks/KEY.lock             held by whoever makes that disk
 *       tmp/                       files that are being written
 *       partial/ALGORITHM-HEX      blobs whose connection failed
 *       lock                       shared: the store is in use; exclusive: gc
 *       names.lock                 whoever changes index.json
 *
 * A file appears under its name when it is complete and on the disk (write,
 * fsync, rename), so a crash leaves old or new, never half. What it leaves in
 * tmp/ is known by its lock (flock) being free, and removed by the next
 * command. What is in partial/ stays for the next try, a week at most, and is
 * nothing until all of it has its digest. Blobs come first, the name last: a name always stands for something
 * whole. Everybody who uses the store holds its lock shared, so gc, which
 * takes it exclusively, never removes what another is about to refer to; when
 * it does not get it at once there is nothing to be collected now.
 *
 * Nothing on the host looks into a layer. Who makes a manifest is an adversary:
 * doc.h bounds the text, manifest.h and config.h judge it, and a blob is read
 * as what its digest says or not at all.
 *
 *   ref      what a user calls an image      registries  where that leads
 *   digest   what a blob is called       store    blobs and temporary files
 *   manifest, config: what they say      catalog  index.json
 *   image    one of them, opened         gc       what nobody refers to
 *   tar, load, save: archives             disk     KEY and its lock
 */
#pragma once

#include "base/err.h"
#include "image/config.h"
#include "image/digest.h"
#include "image/manifest.h"
#include "image/store.h"

#include <stdint.h>

struct image {
	char *name;	     /* "docker.io/library/debian:12"; NULL: none */
	struct digest id;    /* of the configuration: docker's image ID */
	struct digest digest; /* of the manifest */
	struct manifest manifest;
	struct config config; /* one diff_id for each layer of the manifest */
};

/* The image that text means: a name, a name with a digest, an ID or the start
 * of one, with or without "sha256:". ENOENT: docker's "No such image". */
int image_open(struct store *s, const char *text, struct image *img,
	       struct err *e);
/* The same by its manifest, for those that have it from a list. */
int image_open_digest(struct store *s, const struct digest *manifest,
		      struct image *img, struct err *e);
void image_fini(struct image *img);

/* Layer i, as it was packed: read-only, its size checked. The content is
 * verified when it comes into the store. */
int image_layer_fd(struct store *s, const struct image *img, size_t i,
		   struct err *e);

/* ---- disks ---- */

#define IMAGE_KEY_MAX 96

/* Names the disk that the layers and options (the caller's: size, features,
 * version of the builder) make: "CHAIN-OPTIONS", 64 and 16 hex digits. */
void image_disk_key(const struct image *img, const char *options,
		    char key[IMAGE_KEY_MAX]);

/* The finished disk read-only, or -ENOENT. Its time becomes now: a disk is
 * never written, so that is when a box was last made from it. */
int image_disk_open(struct store *s, const char *key, struct err *e);

/* Making one. Of several that want the same, one makes it and the others wait
 * in image_disk_begin(), which says EEXIST once it is there: look again.
 *
 *	r = image_disk_open(s, key, e);
 *	while (r == -ENOENT) {
 *		r = image_disk_begin(s, key, &making, e);
 *		if (r == 0 && fill(making.fd) == 0)
 *			r = image_disk_commit(&making, e);
 *		image_disk_end(&making);
 *		if (r == 0 || r == -EEXIST)
 *			r = image_disk_open(s, key, e);
 *	}
 */
struct image_disk {
	struct store *store; /* the caller's, outlives it */
	char key[IMAGE_KEY_MAX];
	int lock;
	int fd; /* the new file, empty, read and write */
	char tmp[STORE_TMP_MAX];
};
int image_disk_begin(struct store *s, const char *key, struct image_disk *d,
		     struct err *e);
/* fsync, read-only, and its name. */
int image_disk_commit(struct image_disk *d, struct err *e);
/* Removes what was not committed. Safe on a zeroed one that never began. */
void image_disk_end(struct image_disk *d);
