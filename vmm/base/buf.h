/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - a byte queue with a bound: append behind, take from the front. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t start;	/* first byte not yet taken */
	size_t end;	/* behind the last byte */
	size_t room;	/* allocated */
	size_t max;	/* never holds more than this */
};

void buf_init(struct buf *b, size_t max);
void buf_fini(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}

static inline uint8_t *buf_head(const struct buf *b)
{
	return b->data + b->start;
}

/* Space for len more bytes behind the end, or NULL (bound or memory). The
 * bytes count once buf_commit() is called. */
void *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);
/* 0, -ENOBUFS past the bound, -ENOMEM. */
int buf_append(struct buf *b, const void *src, size_t len);
void buf_take(struct buf *b, size_t len);
