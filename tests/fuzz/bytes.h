/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - numbers out of a fuzzer's input; zeroes behind its end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *at;
	size_t left;
};

static inline bool bytes_more(const struct bytes *b)
{
	return b->left > 0;
}

static inline uint64_t bytes_num(struct bytes *b, size_t len)
{
	uint64_t v = 0;

	if (len > b->left)
		len = b->left;
	memcpy(&v, b->at, len);
	b->at += len;
	b->left -= len;
	return v;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	return (uint8_t)bytes_num(b, 1);
}

static inline uint16_t bytes_u16(struct bytes *b)
{
	return (uint16_t)bytes_num(b, 2);
}

static inline uint32_t bytes_u32(struct bytes *b)
{
	return (uint32_t)bytes_num(b, 4);
}
