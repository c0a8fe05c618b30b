/* SPDX-License-Identifier: Apache-2.0 */
/* layer.h - archives written byte by byte, and a folder they are applied to. */
#pragma once

#include "agent/unpack/decode.h"
#include "agent/unpack/layer.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A tar stream in the making. */
struct tape {
	uint8_t *data;
	size_t len, room;
};

struct tape_entry {
	const char *name, *link;
	char type; /* as in the header; 0 is '0' */
	unsigned mode; /* 0: 0644 */
	unsigned uid, gid, major, minor;
	uint64_t size; /* 0: of data */
	const char *data;
};

void tape_free(struct tape *t);
void tape_bytes(struct tape *t, const void *p, size_t len);
void tape_put(struct tape *t, const struct tape_entry *en);
/* For the entry that follows. */
void tape_pax(struct tape *t, const char *key, const void *value, size_t len);
/* Two blocks of zeros. */
void tape_end(struct tape *t);
/* All of it in a gzip member or zstd frame, in place. */
void tape_gzip(struct tape *t);
void tape_zstd(struct tape *t);

#define TAPE_PUT(t, ...) tape_put((t), &(struct tape_entry){ __VA_ARGS__ })

/* A fresh folder: dir/root is the image's, dir/beside holds a guard. */
struct tape_target {
	char dir[64];
	int cwd; /* before */
	int root;
	struct layer_stats stats;
	char digest[80];
};

void target_open(struct tape_target *t);
/* The same in a process that is as vial-unpack's: its umask, its locale. */
void target_start(struct tape_target *t);
/* Removes it all; fails the test when the guard was touched. */
void target_close(struct tape_target *t);
/* Applies it, with limits of the test's own when conf is given. */
int target_apply(struct tape_target *t, const struct tape *tape,
		 const struct decode_conf *dc, const struct layer_conf *lc,
		 struct err *e);
/* The tape ends, becomes the next layer, and is empty again; the test ends
 * where it is none. */
void target_layer(struct tape_target *t, struct tape *tape);
