/* SPDX-License-Identifier: Apache-2.0 */
/* apply.h - what layer.c and entry.c share: the layer being applied. */
#pragma once

#include "agent/unpack/inoset.h"
#include "agent/unpack/layer.h"
#include "agent/unpack/place.h"

#include <archive.h>
#include <archive_entry.h>
#include <stddef.h>
#include <time.h>

/* Times of folders wait until nothing more is put into them. */
struct dir_time {
	char *name; /* clean */
	struct timespec t[2];
};

struct apply {
	const struct layer_conf *conf;
	struct decode *decode;
	struct layer_stats *st;
	struct archive *in;
	struct err decode_err; /* why the stream ended early */
	struct inoset made;    /* by this layer */
	struct place place;
	bool owners;
	struct dir_time *dirs;
	size_t ndirs, dirs_room, dirs_bytes;
};

/* entry.c: makes it, in the place of what is there. name is clean. */
int entry_put(struct apply *a, struct archive_entry *en, const char *name,
	      struct err *e);
/* entry_attr.c: owner, extended attributes, mode and times of what has been
 * made. fd is a file or folder; or -1: base in the folder dir, not followed. */
int entry_attributes(struct apply *a, struct archive_entry *en, int fd, int dir,
		     const char *base, struct err *e);
void entry_times(struct archive_entry *en, struct timespec t[2]);

/* libarchive's words for what went wrong with the stream, or ours. */
int apply_why(struct apply *a, struct err *e);
/* Sets the times of folders that wait. */
void apply_dir_times(struct apply *a);
