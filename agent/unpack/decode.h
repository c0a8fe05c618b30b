/* SPDX-License-Identifier: Apache-2.0 */
/* decode.h - a layer's blob as the tar stream that is in it.
 *
 * A thread reads the blob, decompresses it and takes the digest of what comes
 * out, some blocks ahead of whoever takes them: two CPUs share the work of a
 * layer, and each byte is decoded once. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum decode_kind { DECODE_AUTO, DECODE_PLAIN, DECODE_GZIP, DECODE_ZSTD };

struct decode_conf {
	int fd;		/* borrowed; read from where it stands */
	uint64_t size;	/* of the blob: not a byte more is read */
	enum decode_kind kind;
	bool sha512;	/* the digest; sha256 otherwise */
	uint64_t limit;	/* more than this may not come out: -EFBIG */
};

struct decode;

/* Starts the thread; NULL with e set. */
struct decode *decode_new(const struct decode_conf *c, struct err *e);
/* The next block, good until the next call; 0 at the end. An error stays. */
ssize_t decode_read(struct decode *d, const void **block, struct err *e);
/* How much of the blob has been read; any time. */
uint64_t decode_taken(struct decode *d);
/* "sha256:..." or "sha512:..." of the whole stream, once decode_read() has returned 0. */
const char *decode_digest(const struct decode *d);
uint64_t decode_bytes(const struct decode *d);
/* Before the end it waits for the read that is under way. NULL is fine. */
void decode_free(struct decode *d);
