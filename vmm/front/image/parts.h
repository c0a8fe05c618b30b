/* SPDX-License-Identifier: Apache-2.0 */
/* parts.h - the files of an archive, each of them a blob of the store.
 *
 * They become blobs as they come, by what they really are, so that an archive
 * can be read once, from a pipe, in any order. What is not referred to in the
 * end is for gc. Names must stay inside: "..", absolute ones, and what a
 * terminal would not show are refused. */
#pragma once

#include "base/err.h"
#include "image/manifest.h"
#include "image/store.h"
#include "image/tar.h"

#include <stdint.h>

struct part {
	char *name;	      /* "blobs/sha256/..." */
	char *link;	      /* another's name; NULL: a file */
	struct digest digest; /* of the file; sha512 below blobs/sha512 */
	uint64_t size;
	enum manifest_pack pack; /* by its first bytes */
	bool odd_pack;		 /* compressed as no layer may be */
};

struct parts {
	struct part *v;
	size_t n, room;
};

/* A zeroed p. Reads t to its end. */
int parts_read(struct parts *p, struct store *s, struct tar *t, struct err *e);
void parts_fini(struct parts *p);
/* The file of that name, through links; NULL: none. The last one of several. */
const struct part *parts_find(const struct parts *p, const char *name);

/* For a path below a folder: without "./", "//" and ".."; out has room for
 * TAR_NAME_MAX. -EPERM: it leads out, or is none. */
int parts_clean(const char *dir, const char *path, char *out, struct err *e);
