/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - blobs by digest, and temporary files that a crash cannot leave.
 *
 * image.h has the folders and the rules. */
#pragma once

#include "base/err.h"
#include "image/digest.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STORE_TMP_MAX 40
#define STORE_BLOB_TMP_MAX (DIGEST_MAX + 8)
/* A blob that claims more is refused. */
#define STORE_BLOB_MAX (64ull << 30)

struct store {
	char path[PATH_MAX]; /* DATADIR/images */
	int dir, tmp, partial, disks, blobs[DIGEST_NALGS];
	int lock; /* shared, while it is open */
};

/* Opens the store below the data directory, making it when it is missing, and
 * removes what crashes left. Waits while gc runs. */
int store_open(struct store *s, const char *datadir, struct err *e);
void store_close(struct store *s);
/* Whether nobody else has the store open, and nobody opens it before
 * store_share() or store_close(): 0, or -EBUSY at once. */
int store_alone(struct store *s, struct err *e);
int store_share(struct store *s, struct err *e);

/* A file in tmp/, locked; its name goes to name. */
int store_tmp(struct store *s, char name[STORE_TMP_MAX], struct err *e);
/* fsync, then its name in the folder to. tmp is gone afterwards. */
int store_put(struct store *s, int fd, const char *tmp, int to,
	      const char *name, struct err *e);

/* ---- blobs ---- */

bool store_has(struct store *s, const struct digest *d, uint64_t *size);
/* Read-only; size may be NULL. -ENOENT: "blob sha256:... is missing". */
int store_blob(struct store *s, const struct digest *d, uint64_t *size,
	       struct err *e);
/* The whole of a small one, verified, with a NUL behind it; the caller frees
 * *out. */
ssize_t store_read(struct store *s, const struct digest *d, size_t max,
		   char **out, struct err *e);
/* A small one from memory. */
int store_write(struct store *s, const void *data, size_t len,
		struct digest *out, struct err *e);
int store_remove(struct store *s, const struct digest *d);

/* One that comes in pieces. */
struct blob {
	struct store *store; /* the caller's, outlives it */
	int fd;
	int dir; /* the store's, of tmp */
	char tmp[STORE_BLOB_TMP_MAX];
	bool keep; /* blob_end() leaves what came, for blob_resume() */
	struct digest_ctx ctx;
	uint64_t bytes, max;
};
/* max: of bytes, beyond which blob_write() says EFBIG. */
int blob_new(struct blob *b, struct store *s, enum digest_alg alg, uint64_t max,
	     struct err *e);
/* The same for one whose digest is known: it goes on behind the bytes that an
 * earlier one left with keep set, or a crash. They are read and count for the
 * digest, and may be wrong: then blob_commit() says so, blob_restart() and get
 * all of it again. Also when nothing was left, or somebody else is at it. */
int blob_resume(struct blob *b, struct store *s, const struct digest *want,
		uint64_t max, struct err *e);
int blob_write(struct blob *b, const void *data, size_t len, struct err *e);
/* Back to its start, for one that is sent anew. */
int blob_restart(struct blob *b, struct err *e);
/* want NULL or "": any. A mismatch names both and keeps nothing. */
int blob_commit(struct blob *b, const struct digest *want, struct digest *got,
		struct err *e);
/* Removes what was not committed. */
void blob_end(struct blob *b);

/* ---- what interruptions left ---- */

/* At most so many are kept, and for so long. */
#define PARTIAL_MAX 16
#define PARTIAL_AGE_S 604800 /* a week */
/* Removes those that are older, and the oldest of more than max. Those that
 * somebody writes to stay. Returns the bytes that went. */
uint64_t store_trim(struct store *s, unsigned max, int64_t age_s);
void store_drop_partial(struct store *s, const struct digest *d);
