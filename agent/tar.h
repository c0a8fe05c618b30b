/* SPDX-License-Identifier: Apache-2.0 */
/* tar.h - a folder to and from a tar stream, by libarchive.
 *
 * Blocking: for a process of its own (file.c), which is also why nothing an
 * archive does to libarchive reaches the agent. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tar_fault { TAR_FINE, TAR_PATH, TAR_ARCHIVE };

struct tar_result {
	enum tar_fault fault;
	uint64_t entries;
	uint64_t bytes; /* of the stream */
	struct err err; /* when fault is not TAR_FINE */
};

/* All zero: as tar(1) has it. */
struct tar_how {
	bool no_overwrite_dir; /* put: see PutTar */
	bool set_owner;	       /* put: these instead of the archive's */
	uid_t uid;
	gid_t gid;
	bool follow; /* get: a link at the end of the path */
};

/* Unpacks what fd gives, after the early bytes, below path, which is made when
 * missing. Owner, mode, times, links, devices, ACLs and attributes as in the
 * archive; no entry reaches outside of path. */
void tar_put(int fd, const void *early, size_t len, const char *path,
	     const struct tar_how *how, struct tar_result *r);
/* Writes path and what is below it to fd as pax; names begin with its last
 * component. Disks mounted below it are in it; of what the kernel makes up
 * (proc, sys), of tmpfs and of devices only the mount point is. */
void tar_get(int fd, const char *path, const struct tar_how *how,
	     struct tar_result *r);
