/* SPDX-License-Identifier: Apache-2.0 */
/* mount.h - what a guest has mounted, and the step from one root to another.
 */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mount_root {
	const char *serial; /* of the virtio-blk disk */
	const char *fstype;
	bool readonly;	    /* a disk that cannot be written to will do */
	uint64_t shm_bytes; /* 0: 64 MiB */
};

/* Before anything is listened to: a devtmpfs, so that there is a place to
 * complain to. */
int mount_early(struct err *e);
/* The file systems every guest has, below dir ("" for the present root).
 * Missing mount points are made. */
int mount_system(const char *dir, uint64_t shm_bytes, struct err *e);
/* Finds the disk, mounts it with everything above and makes it /. Afterwards
 * the initramfs is out of reach. */
int mount_root(const struct mount_root *r, struct err *e);

/* The ext4 file system of a disk that is mounted at at becomes as large as the
 * disk, which may have grown. What goes wrong is logged, and no error. */
void mount_grow(const char *disk, const char *at);
/* /dev/NAME of the virtio-blk disk with this serial. Needs /sys and /dev. */
int mount_find_disk(const char *serial, char *path, size_t room, struct err *e);
