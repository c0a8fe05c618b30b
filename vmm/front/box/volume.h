/* SPDX-License-Identifier: Apache-2.0 */
/* volume.h - named volumes: ext4 disks that outlive boxes.
 *
 * THEORY OF OPERATION
 *
 * A volume is a directory of the data directory (where.h):
 *
 *     volumes/NAME/disk.ext4     a sparse file, the disk itself
 *     volumes/NAME/volume.json   when it was made, labels, options
 *     volumes/NAME/user          the box that has it open, for messages
 *
 * It is made under another name and renamed when it is complete, so there is
 * never half a volume, and of several that make the same one the first wins.
 * Whoever makes or removes one holds a lock (flock) on the directory; what a
 * crash left is known by its lock being free, and removed by the next command.
 *
 * The disk's own lock says who uses it: exclusive for writing, shared for
 * reading. It belongs to the open descriptor, which the monitor inherits, so it
 * goes when the last process that has it is gone, however that happens. */
#pragma once

#include "base/err.h"
#include "spec/strv.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define VOLUME_NAME_MAX 128
#define VOLUME_SIZE_DEFAULT (16ull << 30)
#define VOLUME_SIZE_MIN (16ull << 20)
#define VOLUME_SIZE_MAX (1ull << 50)

struct volume_conf {
	const char *name;	     /* NULL: one is made up, 64 hex digits */
	bool anonymous;		     /* the name was made up by the caller */
	uint64_t size;		     /* 0: VOLUME_SIZE_DEFAULT */
	struct strv labels, options; /* NAME=VALUE */
};

struct volume_info {
	char name[VOLUME_NAME_MAX + 1];
	int64_t created; /* Unix time */
	uint64_t size;	 /* of the disk */
	uint64_t used;	 /* bytes of the host's disk */
	bool busy;	 /* a box has it open */
	bool anonymous;	 /* the name was made up */
	struct strv labels, options;
};

/* docker's rule and words. */
int volume_name_check(const char *name, struct err *e);
void volume_info_fini(struct volume_info *v);

/* One that exists is left as it is and no error. The name goes to out. */
int volume_create(const struct volume_conf *conf, char out[VOLUME_NAME_MAX + 1],
		  struct err *e);

/* The disk, locked. create: makes it when it is missing. user is the box, for
 * the message that others get: EBUSY names it. */
int volume_open(const char *name, const char *user, bool create, bool readonly,
		struct err *e);

/* One without a name, which goes with its last user. */
int volume_open_nameless(struct err *e);

/* Of the disk; for people, and empty when there is no such place. */
const char *volume_path(const char *name, char path[PATH_MAX]);
bool volume_exists(const char *name);
int volume_get(const char *name, struct volume_info *v, struct err *e);
/* Of all volumes, sorted by name; the caller frees with strv_fini(). */
int volume_names(struct strv *names, struct err *e);
/* Makes the disk larger. The file system in it is made by a guest, and the
 * host never reads it: the next guest that mounts it for writing grows it.
 * EBUSY when a box has it open. */
int volume_grow(const char *name, uint64_t size, struct err *e);
/* EBUSY when a box has it open. freed: bytes of the host's disk, or NULL. */
int volume_remove(const char *name, uint64_t *freed, struct err *e);

/* volume_disk.c: a fresh file system of size bytes in dir/disk.ext4. */
int volume_make_disk(int dir, uint64_t size, struct err *e);
