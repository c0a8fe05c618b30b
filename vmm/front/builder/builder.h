/* SPDX-License-Identifier: Apache-2.0 */
/* builder.h - the layers of an image become one disk, inside a VM.
 *
 * THEORY OF OPERATION
 *
 *     vial ── blobs, one after the other ──> stdin of vial-unpack
 *      │  <── how far it is, what is wrong ── stdout, stderr
 *      └ disk file (mke2fs) = disk "v0" of a guest with no other
 *
 * The host makes an empty ext4 and never looks at it again; it hands on blobs
 * and never looks into them. What is in them meets a guest that holds nothing
 * else, lives for this one image, has no network, and can write one file of
 * the host: the disk, up to its size. What it says is text that is cleaned
 * before it is shown.
 *
 * The box of a builder has no name and no record, so no list shows it; it is
 * a directory beside the others, "builder-ID", and goes with its shim. What a
 * crash of everything leaves is removed by the next builder. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum builder_kind { BUILDER_AUTO, BUILDER_PLAIN, BUILDER_GZIP, BUILDER_ZSTD };

struct builder_layer {
	int fd;	       /* borrowed; the whole file, from its start */
	uint64_t size; /* of the blob */
	enum builder_kind kind;
	const char *diff_id; /* "sha256:...", of what is inside */
};

#define BUILDER_DISK_DEFAULT (20ull << 30)
#define BUILDER_DISK_MIN     (16ull << 20)
#define BUILDER_DISK_MAX     (16ull << 40)

struct builder {
	const struct builder_layer *layers; /* lowest first */
	size_t nlayers;
	int out;	/* borrowed; an empty regular file, read and write */
	uint64_t bytes; /* size of the disk; a multiple of 4096 */
	/* Of all blobs together; may be NULL. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

/* Returns when the disk is whole and its machine gone; the caller syncs the
 * file and gives it its name. After an error the file is worth nothing. */
int builder_run(const struct builder *b, struct err *e);

/* builder_disk.c: an empty ext4 in the file. */
int builder_make_disk(int fd, uint64_t bytes, struct err *e);
