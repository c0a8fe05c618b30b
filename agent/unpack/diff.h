/* SPDX-License-Identifier: Apache-2.0 */
/* diff.h - what makes one tree of files another.
 *
 * The two are an image's disk and that of a box which began as a copy of it,
 * so a file that nobody has touched has the number and the times it had, and
 * is not read. Of others type, mode, owner, attributes, device and, but for
 * folders, size, time and content are compared, with docker's reading of the
 * answer: a folder whose entries have changed has changed itself; what lies in
 * a folder that is gone is not named one by one; access times mean nothing.
 *
 * Nothing is followed and nothing written. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Folders in folders, further down than this, are not walked. */
#define DIFF_DEPTH 1000

enum diff_kind { DIFF_ADD = 'A', DIFF_CHANGE = 'C', DIFF_DELETE = 'D' };

struct diff_entry {
	char *path; /* without a slash in front */
	enum diff_kind kind;
	/* As it was, but a file by another name has changed; or a folder above
	 * such a one. A layer holds it, a list for people does not. */
	bool linked;
};

struct diff {
	/* What is no part of either tree; may be NULL. added: it is in the new
	 * one only. */
	bool (*skip)(const char *path, bool added);
	/* What is found: a folder stands before what is in it. */
	struct diff_entry *v;
	size_t n, room;
};

/* Descriptors of folders; old -1: everything is new. d holds skip and nothing
 * else before. */
int diff_trees(struct diff *d, int old, int new, struct err *e);
void diff_fini(struct diff *d);
