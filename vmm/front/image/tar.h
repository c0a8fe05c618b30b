/* SPDX-License-Identifier: Apache-2.0 */
/* tar.h - the archive that an image comes in, taken apart.
 *
 * Only the outer one: layers are tar archives as well, and nothing on the host
 * looks into those. POSIX ustar with pax (path, linkpath, size) and GNU's long
 * names and large sizes. Read once, in order, from anything that can be read.
 * Nothing is believed: checksums, sizes and lengths are checked, names are
 * handed out as they are.
 *
 * The other half writes one: ustar, with pax records where that is not
 * enough. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TAR_NAME_MAX 4096

enum tar_type { TAR_FILE, TAR_DIR, TAR_SYMLINK, TAR_HARDLINK, TAR_OTHER };

struct tar_entry {
	enum tar_type type;
	char name[TAR_NAME_MAX];
	char link[TAR_NAME_MAX]; /* of both kinds of links */
	uint64_t size;
};

/* Reads up to len bytes; 0 at the end. */
typedef ssize_t (*tar_read_fn)(void *ctx, void *buf, size_t len, struct err *e);

struct tar {
	tar_read_fn read;
	void *ctx;
	uint64_t left; /* of the entry's data */
	unsigned pad;  /* behind it */
	bool ended;
	uint64_t entries;
};

void tar_init(struct tar *t, tar_read_fn read, void *ctx);
/* The next entry, past what was not read of the last: 1; 0 at the end. An
 * archive that just stops is an error. */
int tar_next(struct tar *t, struct tar_entry *en, struct err *e);
/* Of the entry's data; 0 at its end. */
ssize_t tar_data(struct tar *t, void *buf, size_t len, struct err *e);

/* ---- writing ---- */

typedef int (*tar_write_fn)(void *ctx, const void *buf, size_t len,
			    struct err *e);
struct tar_out {
	tar_write_fn write;
	void *ctx;
};
/* A regular file, or a folder when name ends with "/". The data follow, then
 * tar_pad(). */
int tar_head(struct tar_out *t, const char *name, uint64_t size, int64_t mtime,
	     struct err *e);
int tar_pad(struct tar_out *t, uint64_t size, struct err *e);
int tar_end(struct tar_out *t, struct err *e);
