/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST 512

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .max = b->max };
}

static int buf_grow(struct buf *b, size_t need)
{
	size_t room = b->room ? b->room : BUF_FIRST;
	uint8_t *p;

	while (room < need)
		room *= 2;
	p = realloc(b->data, room);
	if (!p)
		return -ENOMEM;
	b->data = p;
	b->room = room;
	return 0;
}

void *buf_reserve(struct buf *b, size_t len)
{
	size_t used = buf_len(b);

	if (len > b->max || used > b->max - len)
		return NULL;
	if (b->end + len > b->room && b->start > 0) {
		memmove(b->data, b->data + b->start, used);
		b->start = 0;
		b->end = used;
	}
	if (b->end + len > b->room && buf_grow(b, b->end + len) < 0)
		return NULL;
	return b->data + b->end;
}

void buf_commit(struct buf *b, size_t len)
{
	assert(len <= b->room - b->end);
	b->end += len;
}

int buf_append(struct buf *b, const void *src, size_t len)
{
	void *p;

	if (len > b->max || buf_len(b) > b->max - len)
		return -ENOBUFS;
	if (len == 0)
		return 0;
	p = buf_reserve(b, len);
	if (!p)
		return -ENOMEM;
	memcpy(p, src, len);
	buf_commit(b, len);
	return 0;
}

void buf_take(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->start += len;
	if (b->start == b->end)
		b->start = b->end = 0;
}
