/* SPDX-License-Identifier: Apache-2.0 */
/* cp.h - the rules of `vial cp`: which names a copy begins and ends at.
 *
 * They are docker's, which are almost those of cp(1) with -R. Nothing here
 * looks at a file: the caller does, on whichever side the name belongs to,
 * and says what it found. */
#pragma once

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>

/* A word of the command line in two: "BOX:PATH", or a path of the host, which
 * may have a colon when it begins with '/' or '.'. Returns the path and copies
 * what is before it; *box is "" for the host's. -ENAMETOOLONG is NULL. */
const char *cp_split(const char *word, char *box, unsigned room);

/* path made absolute, from, when it is not, and clean: no "." or ".." and no
 * double slash. What it says about the end stays: "/" for a folder, "/." for
 * what is in it. */
int cp_clean(const char *from, const char *path, char out[PATH_MAX],
	     struct err *e);

/* All of path but its last component; "/" for "/" and "/x". A slash or "/." at
 * the end does not count. */
void cp_parent(const char *path, char out[PATH_MAX]);
/* The last component: "." when path ends in "/." or is "/". */
void cp_base(const char *path, char out[NAME_MAX + 1]);

/* Where a link at path leads by its text; a clean path. */
int cp_follow(const char *path, const char *target, char out[PATH_MAX],
	      struct err *e);

/* What is at a path, links followed or not as the rule asks. */
struct cp_end {
	const char *path; /* clean */
	bool exists, is_dir;
};

/* The folder that is unpacked into, and what the source is called there: "."
 * when its contents go into that folder. */
struct cp_target {
	char dir[PATH_MAX];
	char name[NAME_MAX + 1];
	bool parent; /* dir was not looked at: it must exist, or it is wrong */
};

/* src exists; dst is as the links at its end lead. */
int cp_aim(const struct cp_end *src, const struct cp_end *dst,
	   struct cp_target *out, struct err *e);
