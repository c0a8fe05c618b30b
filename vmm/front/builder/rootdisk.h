/* SPDX-License-Identifier: Apache-2.0 */
/* rootdisk.h - the image that a spec names, found, made a disk, and its
 * configuration made part of the spec.
 *
 * A file of the host is what it is: an ext4. Everything else is a name in the
 * store. Its disk is made by the first who wants it (builder.h) and shared by
 * all: a box writes to a layer of its own above it. */
#pragma once

#include "base/err.h"
#include "image/config.h"
#include "spec/spec.h"

#include <stdbool.h>
#include <stdint.h>

struct rootdisk_how {
	/* While a disk is being made; may be NULL. Bytes of layers. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/* A path, written as one, or the name of a file that is there. */
bool rootdisk_is_file(const char *text);

/* Between spec_command() and spec_check(). Of an image of the store it
 * sets image_path and image_id, and what of the configuration the user has
 * not said otherwise. -ENOENT: docker's "Unable to find image". */
int rootdisk_find(struct spec *s, const struct rootdisk_how *how,
		  struct err *e);

/* rootdisk_config.c: what an image says of how it is run, behind what the
 * user says. Strings become the spec's: it holds on to c->json. */
int rootdisk_config(struct spec *s, const struct config *c, struct err *e);
