/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - a file or directory of the host as a tar stream. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct pack_stats {
	uint64_t entries, bytes;	/* bytes of file contents */
};

/* Writes a pax archive of path to the blocking descriptor fd. A directory's
 * contents are named from the directory, which itself is "."; a file gets the
 * name as_name. skip_top leaves "." out. Numeric owners; no extended
 * attributes; sockets are left out. */
int pack_tree(const char *path, const char *as_name, int skip_top, int fd,
	      struct pack_stats *st, struct err *e);

/* The same, with a say in the names. */
struct pack_how {
	const char *path;
	const char *name; /* of the entry for path, be it a folder or not */
	bool skip_top;
	bool physical; /* a link at the end of path stays one */
};
int pack_as(const struct pack_how *how, int fd, struct pack_stats *st,
	    struct err *e);
