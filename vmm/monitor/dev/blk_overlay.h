/* SPDX-License-Identifier: Apache-2.0 */
/* blk_overlay.h - a file that holds what was written to a disk.
 *
 *     0            header, OVERLAY_HEAD bytes
 *     map_off      one bit for each cluster: it is in this file
 *     data_off     the clusters, each at data_off + its place on the disk;
 *                  what was never written is a hole
 *
 * All numbers are little-endian. The file is input when it is opened: every
 * field is checked, and nothing in it names another file. Bits in memory say
 * what is true now; the file's bits are brought up to date by saving, so a
 * machine that dies leaves the state of its last flush. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLUSTER_BITS  12
#define CLUSTER_BYTES (1u << CLUSTER_BITS)
#define OVERLAY_HEAD  4096u
#define OVERLAY_MAX   (8ull << 40)	/* largest disk */

struct overlay {
	int fd;			/* borrowed; -1: none */
	bool writable;
	bool head_saved;
	uint64_t size;		/* of the disk, bytes */
	uint64_t data_off;
	uint64_t *map;		/* one bit for each cluster; plain: NULL */
	uint64_t *saved;	/* the pages being saved; writable ones only */
	uint8_t *dirty;		/* for each page of map: differs from the file */
	size_t pages;		/* of map */
};

/* fd holds an overlay, or nothing yet (writable ones only). An overlay must be
 * of size bytes, if that is not 0. Nothing becomes one of size bytes, or of
 * fallback bytes if size is 0. */
int overlay_open(struct overlay *o, int fd, bool writable, uint64_t size,
		 uint64_t fallback, struct err *e);
/* fd is the disk itself, written in place: it has all clusters from its first
 * byte on, and there is nothing to save. */
int overlay_open_plain(struct overlay *o, int fd, struct err *e);
/* Does not save. Safe on a zeroed one. */
void overlay_close(struct overlay *o);

/* cluster < size / CLUSTER_BYTES, rounded up. */
bool overlay_has(const struct overlay *o, uint64_t cluster);
/* How many clusters from this one on, at most max, are as this one is. */
uint64_t overlay_run(const struct overlay *o, uint64_t cluster, uint64_t max);
void overlay_set(struct overlay *o, uint64_t cluster, uint64_t n);

/* Saving in three steps, so that the bits reach the disk behind the data they
 * speak of: begin, sync the file, write, sync again. begin is false when the
 * file knows everything. A failed or abandoned save is begun anew. */
bool overlay_save_begin(struct overlay *o);
int overlay_save_write(struct overlay *o, struct err *e);
void overlay_save_abort(struct overlay *o);
