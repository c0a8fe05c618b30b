/* SPDX-License-Identifier: Apache-2.0 */
/* tar.h - a folder to and from a tar stream, by libarchive.
 *
 * Blocking: for a process of its own (file.c), which is also why nothing an
 * archive does to libarchive reaches the agent. */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum tar_fault { TAR_FINE, TAR_PATH, TAR_ARCHIVE };

struct tar_result {
	enum tar_fault fault;
	uint64_t entries;
	uint64_t bytes; /* of the stream */
	struct err err; /* when fault is not TAR_FINE */
};

/* Unpacks what fd gives, after the early bytes, below path, which is made when
 * missing. Owner, mode, times, links, devices, ACLs and attributes as in the
 * archive; no entry reaches outside of path. */
void tar_put(int fd, const void *early, size_t len, const char *path,
	     struct tar_result *r);
/* Writes path and what is below it to fd as pax; names begin with its last
 * component. Other file systems mounted below are left out. */
void tar_get(int fd, const char *path, struct tar_result *r);
