/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/blk_priv.h"

#include "base/auto.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* virtio 1.2, 5.2.6 */
struct range {
	uint64_t sector;
	uint32_t num_sectors;
	uint32_t flags;
};
#define RANGE_UNMAP 1u

/* ---- pieces -------------------------------------------------------------- */

static bool range_inside(const struct blk *b, uint64_t sector, uint64_t bytes)
{
	uint64_t all = b->size / SECTOR;

	return bytes % SECTOR == 0 && sector <= all &&
	       bytes / SECTOR <= all - sector;
}

/* The next len bytes of the data become segments of r->cut. */
static struct iovec *req_cut(struct blk_req *r, uint64_t len, unsigned *niov)
{
	struct iovec *first = &r->cut[r->ncut];

	*niov = 0;
	while (len) {
		const struct iovec *v = &r->iov[r->seg];
		size_t n = MIN(len, v->iov_len - r->skip);

		first[(*niov)++] = (struct iovec){
			.iov_base = (char *)v->iov_base + r->skip,
			.iov_len = n,
		};
		len -= n;
		r->skip += n;
		if (r->skip == v->iov_len) {
			r->seg++;
			r->skip = 0;
		}
	}
	r->ncut += *niov;
	return first;
}

static void req_skip(struct blk_req *r, uint64_t len)
{
	unsigned niov;

	req_cut(r, len, &niov);
	r->ncut = 0;
}

static void req_launch(struct blk_req *r, struct blk_op op)
{
	struct blk_op *slot = &r->op[r->pending];

	*slot = op;
	slot->owner = r;
	r->pending++;
	if (op.kind != BLK_OP_READ)
		r->b->writes++;
	blk_io_start(&r->b->io, slot);
}

static void req_end(struct blk_req *r)
{
	blk_finish(r, r->error ? BLK_S_IOERR : BLK_S_OK);
}

/* ---- reading ------------------------------------------------------------- */

static void zero_iov(const struct iovec *iov, unsigned niov)
{
	for (unsigned i = 0; i < niov; i++)
		memset(iov[i].iov_base, 0, iov[i].iov_len);
}

/* One op for each layer the range comes from, BLK_OPS at a time. Nothing of
 * this request is in flight. */
static void read_more(struct blk_req *r)
{
	r->ncut = 0;
	while (r->pos < r->end && r->pending < BLK_OPS) {
		struct blk_place p = blk_find(r->b, r->pos, r->end);
		unsigned before = r->ncut;
		struct blk_op op = {
			.kind = BLK_OP_READ,
			.file = p.file,
			.off = p.off,
			.len = p.len,
		};

		op.iov = req_cut(r, p.len, &op.niov);
		r->pos += p.len;
		if (p.zero) {
			zero_iov(op.iov, op.niov);
			r->ncut = before;
		} else {
			req_launch(r, op);
		}
	}
	if (!r->pending)
		req_end(r);
}

static void read_start(struct blk_req *r)
{
	if (!range_inside(r->b, r->sector, r->data_len)) {
		blk_finish(r, BLK_S_IOERR);
		return;
	}
	r->pos = r->sector * SECTOR;
	r->end = r->pos + r->data_len;
	read_more(r);
}

/* ---- writing ------------------------------------------------------------- */

/* The ragged ends of [pos, end), now. What is left is all in the overlay or
 * whole clusters. */
static int write_ends(struct blk_req *r, uint64_t last, bool head, bool tail)
{
	uint64_t begin = r->pos, cut;
	int e = 0;

	if (head) {
		cut = MIN(r->end, ((begin >> CLUSTER_BITS) + 1)
					  << CLUSTER_BITS);
		e = blk_write_part(r->b, begin, cut, r->iov, r->niov, 0);
		req_skip(r, cut - begin);
		r->pos = cut;
	}
	if (tail && e == 0) {
		cut = last << CLUSTER_BITS;
		e = blk_write_part(r->b, cut, r->end, r->iov, r->niov,
				   cut - begin);
		r->end = cut;
	}
	return e;
}

static bool write_start(struct blk_req *r)
{
	struct blk *b = r->b;
	uint64_t first, last;
	struct blk_op op;
	bool head, tail;

	if (b->overlay.fd < 0 || !range_inside(b, r->sector, r->data_len)) {
		blk_finish(r, BLK_S_IOERR);
		return true;
	}
	if (!r->data_len) {
		req_end(r);
		return true;
	}
	r->pos = r->sector * SECTOR;
	r->end = r->pos + r->data_len;
	first = r->pos >> CLUSTER_BITS;
	last = (r->end - 1) >> CLUSTER_BITS;
	head = blk_needs_copy(b, r->pos, r->end, first);
	tail = last != first && blk_needs_copy(b, r->pos, r->end, last);
	if ((head || tail) && b->writes)
		return false;
	r->error = write_ends(r, last, head, tail);
	if (r->error)
		blk_complain(b, "write", r->sector, r->error);
	if (r->error || r->pos >= r->end) {
		req_end(r);
		return true;
	}
	op = (struct blk_op){
		.kind = BLK_OP_WRITE,
		.file = b->overlay_file,
		.off = b->overlay.data_off + r->pos,
		.len = r->end - r->pos,
	};
	op.iov = req_cut(r, op.len, &op.niov);
	req_launch(r, op);
	return true;
}

/* ---- discard and write zeroes -------------------------------------------- */

/* Where on the disk, in bytes. */
struct span {
	uint64_t from, to;
};

/* Copies the data out of guest memory, once. */
static void ranges_copy(const struct blk_req *r, struct range *ranges)
{
	uint8_t *dst = (uint8_t *)ranges;

	memset(ranges, 0, BLK_RANGES * sizeof(*ranges));
	for (unsigned i = 0; i < r->niov; i++) {
		memcpy(dst, r->iov[i].iov_base, r->iov[i].iov_len);
		dst += r->iov[i].iov_len;
	}
	__asm__ volatile("" ::"r"(ranges) : "memory");
}

/* How many spans; 0 for none that may be touched, and *s is the answer. */
static unsigned ranges_read(const struct blk_req *r, struct span *spans,
			    enum blk_status *s)
{
	uint32_t known = r->type == BLK_T_WRITE_ZEROES ? RANGE_UNMAP : 0;
	size_t n = r->data_len / sizeof(struct range);
	struct range ranges[BLK_RANGES];

	*s = BLK_S_IOERR;
	if (r->b->overlay.fd < 0 || !n || n > BLK_RANGES ||
	    r->data_len % sizeof(struct range))
		return 0;
	ranges_copy(r, ranges);
	for (size_t i = 0; i < n; i++) {
		uint64_t sector = le64toh(ranges[i].sector);
		uint64_t count = le32toh(ranges[i].num_sectors);

		if (le32toh(ranges[i].flags) & ~known) {
			*s = BLK_S_UNSUPP;
			return 0;
		}
		if (count > BLK_RANGE_MAX ||
		    !range_inside(r->b, sector, count * SECTOR))
			return 0;
		spans[i].from = sector * SECTOR;
		spans[i].to = spans[i].from + count * SECTOR;
	}
	return (unsigned)n;
}

/* Writes zeroes into the ragged ends of a range and makes it what is left:
 * whole clusters, or nothing. A discard leaves the ends alone. */
static int span_trim(struct blk_req *r, struct span *s)
{
	struct blk *b = r->b;
	uint64_t first = s->from >> CLUSTER_BITS;
	uint64_t last = (s->to - 1) >> CLUSTER_BITS;
	bool head = blk_is_partial(b, s->from, s->to, first);
	bool tail = last != first && blk_is_partial(b, s->from, s->to, last);
	uint64_t cut;
	int e = 0;

	if (head) {
		cut = MIN(s->to, (first + 1) << CLUSTER_BITS);
		if (r->type == BLK_T_WRITE_ZEROES)
			e = blk_write_part(b, s->from, cut, NULL, 0, 0);
		if (e < 0)
			return e;
		s->from = cut;
	}
	if (tail) {
		cut = last << CLUSTER_BITS;
		if (r->type == BLK_T_WRITE_ZEROES)
			e = blk_write_part(b, cut, s->to, NULL, 0, 0);
		if (e < 0)
			return e;
		s->to = cut;
	}
	return 0;
}

static void span_punch(struct blk_req *r, const struct span *s)
{
	req_launch(r, (struct blk_op){
			      .kind = BLK_OP_PUNCH,
			      .file = r->b->overlay_file,
			      .off = r->b->overlay.data_off + s->from,
			      .len = s->to - s->from,
		      });
}

static bool ranges_start(struct blk_req *r)
{
	struct span spans[BLK_RANGES];
	struct blk *b = r->b;
	enum blk_status s;
	unsigned n = ranges_read(r, spans, &s);

	if (n && !(b->virtio.offered & BLK_F_WRITE_ZEROES)) {
		s = BLK_S_UNSUPP;
		n = 0;
	}
	if (!n) {
		blk_finish(r, s);
		return true;
	}
	if (r->type == BLK_T_WRITE_ZEROES && b->writes)
		return false;
	for (unsigned i = 0; i < n && !r->error; i++)
		if (spans[i].from < spans[i].to)
			r->error = span_trim(r, &spans[i]);
	for (unsigned i = 0; i < n && !r->error; i++)
		if (spans[i].from < spans[i].to)
			span_punch(r, &spans[i]);
	if (r->error)
		blk_complain(b, "write zeroes", spans[0].from / SECTOR,
			     r->error);
	if (!r->pending)
		req_end(r);
	return true;
}

/* ---- all ----------------------------------------------------------------- */

static void id_start(struct blk_req *r)
{
	const char *src = r->b->serial;
	size_t left = BLK_ID_BYTES;

	for (unsigned i = 0; i < r->niov && left; i++) {
		size_t n = MIN(left, r->iov[i].iov_len);

		memcpy(r->iov[i].iov_base, src, n);
		src += n;
		left -= n;
	}
	req_end(r);
}

bool blk_req_start(struct blk_req *r)
{
	switch (r->type) {
	case BLK_T_IN:
		read_start(r);
		return true;
	case BLK_T_OUT:
		return write_start(r);
	case BLK_T_DISCARD:
	case BLK_T_WRITE_ZEROES:
		return ranges_start(r);
	case BLK_T_GET_ID:
		id_start(r);
		return true;
	case BLK_T_FLUSH:
		blk_flush_add(r);
		return true;
	default:
		blk_finish(r, BLK_S_UNSUPP);
		return true;
	}
}

/* Clusters [from, to) of the disk are the overlay's now. */
static void req_mark(struct blk *b, uint64_t from, uint64_t to)
{
	uint64_t first = from >> CLUSTER_BITS;
	uint64_t last = (to - 1) >> CLUSTER_BITS;

	overlay_set(&b->overlay, first, last - first + 1);
}

void blk_req_op_done(struct blk_req *r, struct blk_op *op)
{
	struct blk *b = r->b;
	uint64_t at =
		op->off - (op->kind == BLK_OP_READ ? 0 : b->overlay.data_off);

	r->pending--;
	if (op->kind != BLK_OP_READ)
		b->writes--;
	if (op->result < 0) {
		if (!r->error && !b->io.dropping)
			blk_complain(b,
				     op->kind == BLK_OP_READ ? "read" : "write",
				     r->sector, op->result);
		r->error = op->result;
	} else if (op->kind == BLK_OP_WRITE) {
		req_mark(b, r->pos, r->end);
	} else if (op->kind == BLK_OP_PUNCH) {
		req_mark(b, at, at + op->len);
	}
	if (r->pending)
		return;
	if (op->kind == BLK_OP_READ && r->pos < r->end && !r->error &&
	    !b->io.dropping)
		read_more(r);
	else
		req_end(r);
}
