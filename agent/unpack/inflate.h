/* SPDX-License-Identifier: Apache-2.0 */
/* inflate.h - one way to take bytes out of plain, gzip and zstd streams.
 *
 * Members or frames that follow each other are one stream, as all writers of
 * layers have it; zeros behind a gzip member are padding. */
#pragma once

#include "agent/unpack/decode.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlib.h>
#include <zstd.h>

struct inflate {
	enum decode_kind kind;
	const uint8_t *in; /* what is left of the last feed */
	size_t len;
	uint8_t head[4]; /* DECODE_AUTO: the first bytes, until it is known */
	size_t nhead, gave;
	bool any;	/* something was fed */
	bool within;	/* a member or frame has begun and not ended */
	bool padding;	/* zeros have followed a member */
	bool zlib_open;
	z_stream z;
	ZSTD_DStream *zs;
};

void inflate_init(struct inflate *f, enum decode_kind kind);
void inflate_fini(struct inflate *f);
/* The next piece of the input, which must stay until it has been taken. Only
 * to be called when inflate_take() has returned 0. */
void inflate_feed(struct inflate *f, const uint8_t *in, size_t len);
/* Some output; 0: feed more. */
ssize_t inflate_take(struct inflate *f, uint8_t *out, size_t room,
		     struct err *e);
/* There is no more input: was that a good place to end? */
int inflate_end(const struct inflate *f, struct err *e);
