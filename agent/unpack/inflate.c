/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/inflate.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>

/* zlib's way to ask for a gzip header. */
#define GZIP_WINDOW (15 + 16)

void inflate_init(struct inflate *f, enum decode_kind kind)
{
	*f = (struct inflate){ .kind = kind };
}

void inflate_fini(struct inflate *f)
{
	if (f->zlib_open)
		inflateEnd(&f->z);
	f->zlib_open = false;
	ZSTD_freeDStream(f->zs);
	f->zs = NULL;
}

void inflate_feed(struct inflate *f, const uint8_t *in, size_t len)
{
	f->in = in;
	f->len = len;
	f->any |= len > 0;
}

static ssize_t take_plain(struct inflate *f, uint8_t *out, size_t room)
{
	size_t n = MIN(room, f->len);

	if (n > 0)
		memcpy(out, f->in, n);
	f->in += n;
	f->len -= n;
	return (ssize_t)n;
}

/* ---- gzip ---- */

static void skip_zeros(struct inflate *f)
{
	while (f->len > 0 && *f->in == 0) {
		f->padding = true;
		f->in++;
		f->len--;
	}
}

static int gzip_member(struct inflate *f, struct err *e)
{
	int r = f->zlib_open ? inflateReset(&f->z)
			     : inflateInit2(&f->z, GZIP_WINDOW);

	if (r != Z_OK)
		return err_set(e, ENOMEM, "gzip: out of memory");
	if (f->padding)
		return err_set(e, EINVAL, "gzip: data behind its padding");
	f->zlib_open = f->within = true;
	return 0;
}

static ssize_t take_gzip(struct inflate *f, uint8_t *out, size_t room,
			 struct err *e)
{
	size_t got = 0;

	while (got == 0) {
		int r;

		if (!f->within && f->zlib_open)
			skip_zeros(f);
		if (f->len == 0 && !f->within)
			return 0;
		if (!f->within && gzip_member(f, e) < 0)
			return -e->code;
		f->z.next_in = (Bytef *)(uintptr_t)f->in;
		f->z.avail_in = (uInt)f->len;
		f->z.next_out = out;
		f->z.avail_out = (uInt)room;
		r = inflate(&f->z, Z_NO_FLUSH);
		f->in = f->z.next_in;
		f->len = f->z.avail_in;
		got = room - f->z.avail_out;
		if (r == Z_STREAM_END)
			f->within = false;
		else if (r == Z_BUF_ERROR)
			return (ssize_t)got;
		else if (r != Z_OK)
			return err_set(e, EINVAL, "gzip: %s",
				       f->z.msg ? f->z.msg : "damaged");
	}
	return (ssize_t)got;
}

/* ---- zstd ---- */

static ssize_t take_zstd(struct inflate *f, uint8_t *out, size_t room,
			 struct err *e)
{
	ZSTD_outBuffer o = { out, room, 0 };
	bool full = false;

	if (!f->zs && !(f->zs = ZSTD_createDStream()))
		return err_set(e, ENOMEM, "zstd: out of memory");
	/* What is inside comes out with no input as well. */
	while (o.pos == 0 && !full) {
		ZSTD_inBuffer i = { f->in, f->len, 0 };
		size_t r;

		if (f->len == 0 && !f->within)
			return 0;
		r = ZSTD_decompressStream(f->zs, &o, &i);
		if (ZSTD_isError(r))
			return err_set(e, EINVAL, "zstd: %s",
				       ZSTD_getErrorName(r));
		full = i.pos == 0 && o.pos == 0;
		f->in += i.pos;
		f->len -= i.pos;
		f->within = r != 0;
	}
	return (ssize_t)o.pos;
}

/* ---- which it is ---- */

static enum decode_kind kind_of(const uint8_t *h, size_t n)
{
	static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const uint8_t skip[] = { 0x2a, 0x4d, 0x18 }; /* behind 0x5? */

	if (n >= 2 && h[0] == 0x1f && h[1] == 0x8b)
		return DECODE_GZIP;
	if (n == 4 && (memcmp(h, zstd, 4) == 0 ||
		       ((h[0] & 0xf0) == 0x50 && memcmp(h + 1, skip, 3) == 0)))
		return DECODE_ZSTD;
	return DECODE_PLAIN;
}

static ssize_t take(struct inflate *f, uint8_t *out, size_t room, struct err *e)
{
	switch (f->kind) {
	case DECODE_GZIP:
		return take_gzip(f, out, room, e);
	case DECODE_ZSTD:
		return take_zstd(f, out, room, e);
	default:
		return take_plain(f, out, room);
	}
}

/* The first bytes may come one by one: they are put by, and taken first. */
static ssize_t take_head(struct inflate *f, uint8_t *out, size_t room,
			 struct err *e)
{
	const uint8_t *in = f->in;
	size_t len = f->len;
	ssize_t n;

	f->in = f->head + f->gave;
	f->len = f->nhead - f->gave;
	n = take(f, out, room, e);
	f->gave = f->nhead - f->len;
	f->in = in;
	f->len = len;
	return n;
}

ssize_t inflate_take(struct inflate *f, uint8_t *out, size_t room,
		     struct err *e)
{
	if (f->kind == DECODE_AUTO) {
		while (f->len > 0 && f->nhead < sizeof(f->head)) {
			f->head[f->nhead++] = *f->in++;
			f->len--;
		}
		if (f->nhead < sizeof(f->head))
			return 0;
		f->kind = kind_of(f->head, f->nhead);
	}
	while (f->gave < f->nhead) {
		size_t before = f->gave;
		ssize_t n = take_head(f, out, room, e);

		if (n != 0 || f->gave == before)
			return n;
	}
	return take(f, out, room, e);
}

int inflate_end(const struct inflate *f, struct err *e)
{
	/* Fewer bytes than tell one kind from the other are no archive. */
	if (f->kind == DECODE_AUTO && f->nhead > 0)
		return err_set(e, EINVAL, "not a tar archive");
	if (f->within ||
	    (!f->any && (f->kind == DECODE_GZIP || f->kind == DECODE_ZSTD)))
		return err_set(e, EINVAL,
			       "truncated: ends in the middle of its "
			       "compressed data");
	return 0;
}
