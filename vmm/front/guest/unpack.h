/* SPDX-License-Identifier: Apache-2.0 */
/* unpack.h - a tar stream that a guest wrote, into a directory of the host.
 *
 * The archive is hostile. It may make files, directories, and links that stay
 * inside, below the one name it was asked for, and nothing else: no absolute
 * path, no "..", no device, no owner, no set-user-id, nothing through a link.
 * Links that lead out of the tree are left out, so that whoever reads the
 * result later is not sent to a file of the host. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct unpack_stats {
	uint64_t entries, bytes;
	uint64_t left_out;
	char first_left_out[128];
};

/* What `vial cp` wants of it. */
struct unpack_how {
	const char *dir;  /* is there, unless it is made */
	const char *top;  /* every entry is that or below; ".": any name */
	const char *name; /* what top is called in dir; NULL: so, too */
	bool make_dir;
	bool all_links; /* also those that lead elsewhere */
	bool modes;	/* exactly, whatever the umask is */
	bool owners;	/* as the archive has them: for root */
	bool no_overwrite_dir; /* a folder is not replaced by what is none, nor
				* the reverse; dir itself stays as it is */
};
int unpack_into(int fd, const struct unpack_how *how, struct unpack_stats *st,
		struct err *e);

/* Reads the blocking descriptor fd to its end and unpacks below the directory
 * dir, which is made when it is missing; every entry must be top or below it.
 * Changes the working directory. */
int unpack_tree(int fd, const char *dir, const char *top,
		struct unpack_stats *st, struct err *e);

/* For tests: whether the link at path, pointing to target, stays below the
 * first component of path. */
bool unpack_link_inside(const char *path, const char *target);

/* Gives up everything but the directory dirfd, where the kernel can do that.
 * For a process that is about to unpack. */
void unpack_confine(int dirfd);
