/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/blk.h"

#include "base/auto.h"
#include "dev/blk_priv.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* virtio 1.2, 5.2.6 */
struct blk_head {
	uint32_t type;
	uint32_t reserved;
	uint64_t sector;
};

/* virtio 1.2, 5.2.4 */
struct blk_config {
	uint64_t capacity;
	uint32_t size_max;
	uint32_t seg_max;
	uint16_t cylinders;
	uint8_t heads;
	uint8_t sectors;
	uint32_t blk_size;
	uint8_t physical_block_exp;
	uint8_t alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t writeback;
	uint8_t unused0;
	uint16_t num_queues;
	uint32_t max_discard_sectors;
	uint32_t max_discard_seg;
	uint32_t discard_sector_alignment;
	uint32_t max_write_zeroes_sectors;
	uint32_t max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap;
	uint8_t unused1[3];
} __attribute__((packed));
_Static_assert(sizeof(struct blk_config) == 60, "virtio 1.2, 5.2.4");

static struct blk *blk_of(struct virtio *v)
{
	return container_of(v, struct blk, virtio);
}

void blk_complain(struct blk *b, const char *what, uint64_t at, int error)
{
	const char *why = strerror(-error);
	bool full = error == -ENOSPC || error == -EDQUOT || error == -EFBIG;

	log_limited(&b->limit, "blk %s: %s at sector %" PRIu64 ": %s%s",
		    b->virtio.id, what, at, full ? "overlay is full: " : "",
		    why);
}

/* ---- one request --------------------------------------------------------- */

void blk_finish(struct blk_req *r, enum blk_status s)
{
	struct virtio *v = &r->b->virtio;
	bool filled = s == BLK_S_OK &&
		      (r->type == BLK_T_IN || r->type == BLK_T_GET_ID);

	if (s == BLK_S_OK && r->type == BLK_T_IN)
		r->b->read_bytes += r->data_len;
	if (s == BLK_S_OK && r->type == BLK_T_OUT)
		r->b->write_bytes += r->data_len;
	if (virtio_live(v))
		__atomic_store_n(r->status, (uint8_t)s, __ATOMIC_RELAXED);
	queue_push(&v->queue[0], r->c, filled ? r->c->in_bytes : 1);
}

/* Takes the header off the front of the chain; returns how many segments that
 * used up. What the header says is in *h, copied once. */
static unsigned take_head(struct chain *c, struct blk_head *h)
{
	size_t got = 0;
	unsigned i = 0;

	while (got < sizeof(*h)) {
		struct iovec *v = &c->iov[i];
		size_t n = MIN(sizeof(*h) - got, v->iov_len);

		memcpy((char *)h + got, v->iov_base, n);
		got += n;
		v->iov_base = (char *)v->iov_base + n;
		v->iov_len -= n;
		if (!v->iov_len)
			i++;
	}
	__asm__ volatile("" : "+m"(*h)::"memory");
	return i;
}

/* The chain's parts: header, data, status. Only the framing that the standard
 * promises is relied on: sums of bytes, not of segments (virtio 1.2, 2.7.4). */
static void req_parse(struct blk *b, struct blk_req *r, struct chain *c)
{
	unsigned out = c->nout, in = c->nin, used;
	struct blk_head h;
	struct iovec *last;

	used = take_head(c, &h);
	last = &c->iov[out + in - 1];
	last->iov_len--;
	r->b = b;
	r->c = c;
	r->status = (uint8_t *)last->iov_base + last->iov_len;
	if (!last->iov_len)
		in--;
	r->type = le32toh(h.type);
	r->sector = le64toh(h.sector);
	r->seg = r->ncut = r->pending = 0;
	r->skip = 0;
	r->pos = r->end = 0;
	r->error = 0;
	r->next = NULL;
	if (r->type == BLK_T_IN || r->type == BLK_T_GET_ID) {
		r->iov = c->iov + out;
		r->niov = in;
		r->data_len = c->in_bytes - 1;
	} else {
		r->iov = c->iov + used;
		r->niov = out - used;
		r->data_len = c->out_bytes - sizeof(h);
	}
}

/* False: the chain goes back to the queue and is taken again later. */
static bool blk_take(struct blk *b, struct chain *c)
{
	struct blk_req *r = &b->reqs[c->head];
	uint64_t cost;
	bool moves;

	if (c->out_bytes < sizeof(struct blk_head) || !c->in_bytes) {
		virtio_broken(&b->virtio, "request without header or status");
		return true;
	}
	req_parse(b, r, c);
	moves = r->type == BLK_T_IN || r->type == BLK_T_OUT;
	cost = moves ? r->data_len : 0;
	/* It may be finished on return. */
	if (!blk_req_start(r))
		return false;
	rate_take(&b->rate, cost, 1);
	return true;
}

/* ---- the queue ----------------------------------------------------------- */

/* Nothing is taken from the queue before its time. */
static bool blk_must_wait(struct blk *b)
{
	uint64_t us = rate_wait(&b->rate, 0);

	if (us && b->rate_timer.fired)
		timer_set(&b->rate_timer, us / 1000 + 1);
	return us;
}

static bool blk_may_take(struct blk *b)
{
	if (blk_must_wait(b))
		return false;
	if (b->hold && b->writes)
		return false;
	b->hold = false;
	return blk_io_room(&b->io) > BLK_OPS;
}

/* Serves what is there, at most one queue's worth: a driver that refills all
 * the time takes turns with the other devices. */
static void blk_run(struct blk *b)
{
	struct queue *q = &b->virtio.queue[0];
	unsigned budget = BLK_QUEUE_SIZE;
	struct chain *c;

	do {
		while (budget && blk_may_take(b) && (c = queue_pop(q))) {
			budget--;
			b->hold = !blk_take(b, c);
			if (b->hold)
				queue_unpop(q, c);
		}
		blk_io_poll(&b->io);
	} while (budget && blk_may_take(b) && queue_want_kick(q));
	queue_notify(q);
	if (!budget)
		virtio_kick_self(&b->virtio);
}

static void blk_rate_fired(struct timer *t)
{
	blk_run(container_of(t, struct blk, rate_timer));
}

static void blk_kick(struct virtio *v)
{
	blk_run(blk_of(v));
}

static void blk_ready(struct watch *w, uint32_t events)
{
	struct blk *b = container_of(w, struct blk, watch);

	(void)events;
	blk_io_poll(&b->io);
	blk_run(b);
}

static void blk_op_done(struct blk_io *io, struct blk_op *op)
{
	struct blk *b = container_of(io, struct blk, io);

	if (op == &b->flush_op)
		blk_flush_done(b, op->result);
	else
		blk_req_op_done(op->owner, op);
}

static void blk_reset(struct virtio *v)
{
	struct blk *b = blk_of(v);

	blk_io_drop(&b->io);
	blk_flush_drop(b);
	b->hold = false;
}

/* ---- configuration ------------------------------------------------------- */

static void blk_config_read(struct virtio *v, uint32_t off, void *dst,
			    uint32_t len)
{
	const struct blk *b = blk_of(v);
	struct blk_config c = {
		.capacity = htole64(b->size / SECTOR),
		.seg_max = htole32(BLK_SEGMENTS - 2),
		.blk_size = htole32(SECTOR),
		.physical_block_exp = CLUSTER_BITS - 9,
		.num_queues = htole16(1),
	};

	if (v->offered & BLK_F_DISCARD) {
		c.max_discard_sectors = htole32(BLK_RANGE_MAX);
		c.max_discard_seg = htole32(BLK_RANGES);
		c.discard_sector_alignment = htole32(CLUSTER_BYTES / SECTOR);
		c.max_write_zeroes_sectors = htole32(BLK_RANGE_MAX);
		c.max_write_zeroes_seg = htole32(BLK_RANGES);
		c.write_zeroes_may_unmap = 1;
	}
	memcpy(dst, (const char *)&c + off, len);
}

static const struct virtio_ops blk_ops = {
	.type = VIRTIO_ID_BLK,
	.name = "blk",
	.queues = 1,
	.queue_max = BLK_QUEUE_SIZE,
	.chain_max = BLK_SEGMENTS,
	.features = BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_TOPOLOGY,
	.kick = blk_kick,
	.reset = blk_reset,
	.config_size = sizeof(struct blk_config),
	.config_read = blk_config_read,
};

/* ---- life ---------------------------------------------------------------- */

/* A layer below must not be ours to write, whatever goes wrong here. */
static int check_readonly(int fd, unsigned layer, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return err_sys(e, "layer %u", layer);
	if ((flags & O_ACCMODE) != O_RDONLY)
		return err_set(e, EINVAL, "layer %u is open for writing",
			       layer);
	return 0;
}

static int blk_open_base(struct blk *b, const struct blk_conf *conf,
			 struct err *e)
{
	off_t end;

	for (unsigned i = 0; i < conf->nbase; i++) {
		int r = check_readonly(conf->base_fds[i], i, e);

		if (r < 0)
			return r;
	}
	for (unsigned i = 1; i < conf->nbase; i++) {
		int r = overlay_open(&b->base[i], conf->base_fds[i], false, 0,
				     0, e);

		if (r < 0)
			return err_wrap(e, "layer %u", i);
		b->nbase = i + 1;
	}
	b->nbase = conf->nbase;
	if (!conf->nbase)
		return 0;
	end = lseek(conf->base_fds[0], 0, SEEK_END);
	if (end < 0)
		return err_sys(e, "layer 0");
	b->plain_size = (uint64_t)end;
	return 0;
}

/* What the disk's size is when nobody says: that of the topmost layer. */
static uint64_t blk_base_size(const struct blk *b)
{
	uint64_t size = b->nbase > 1 ? b->base[b->nbase - 1].size
				     : b->plain_size;

	return (size + SECTOR - 1) / SECTOR * SECTOR;
}

static int blk_open(struct blk *b, const struct blk_conf *conf, struct err *e)
{
	uint64_t size = conf->size_bytes;
	int r = blk_open_base(b, conf, e);

	if (r < 0)
		return r;
	if (conf->plain) {
		if (conf->nbase)
			return err_set(e, EINVAL, "a plain disk has layers");
		r = overlay_open_plain(&b->overlay, conf->overlay_fd, e);
		if (r < 0)
			return r;
		if (size && size != b->overlay.size)
			return err_set(e, EINVAL,
				       "plain disk of %" PRIu64
				       " bytes, not %" PRIu64,
				       b->overlay.size, size);
		size = b->overlay.size;
	} else if (conf->overlay_fd >= 0) {
		/* An overlay that exists knows its size. */
		r = overlay_open(&b->overlay, conf->overlay_fd, true, size,
				 size ? 0 : blk_base_size(b), e);
		if (r < 0)
			return r;
		size = b->overlay.size;
	} else if (!size) {
		size = blk_base_size(b);
	}
	if (!size || size % SECTOR || size > OVERLAY_MAX)
		return err_set(e, EINVAL,
			       "a disk of %" PRIu64 " bytes is not possible",
			       size);
	b->size = size;
	return 0;
}

/* Not every file system makes holes. Behind the end nothing is lost. */
static bool blk_can_punch(const struct blk *b)
{
	off_t end = (off_t)(b->overlay.data_off + b->overlay.size);

	return fallocate(b->overlay.fd,
			 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			 (end + CLUSTER_BYTES) & ~(off_t)(CLUSTER_BYTES - 1),
			 CLUSTER_BYTES) == 0;
}

static int blk_start_io(struct blk *b, const struct blk_conf *conf,
			struct loop *loop, struct err *e)
{
	int files[BLK_IO_FILES];
	unsigned n = conf->nbase;

	for (unsigned i = 0; i < n; i++)
		files[i] = conf->base_fds[i];
	if (b->overlay.fd >= 0) {
		b->overlay_file = n;
		files[n++] = b->overlay.fd;
	}
	blk_io_init(&b->io, files, n, !loop, blk_op_done);
	if (blk_io_fd(&b->io) < 0)
		return 0;
	b->loop = loop;
	b->watch = (struct watch){
		.fd = blk_io_fd(&b->io),
		.name = "blk",
		.ready = blk_ready,
	};
	return loop_add(loop, &b->watch, EPOLLIN, e);
}

static int blk_start_rate(struct blk *b, const struct rate_conf *conf,
			  struct loop *loop, struct err *e)
{
	rate_init(&b->rate, conf, NULL);
	if (!rate_limits(&b->rate) || !loop)
		return 0;
	b->loop = loop;
	return timer_init(&b->rate_timer, loop, "blk rate", blk_rate_fired, e);
}

static int blk_build(struct blk *b, const struct blk_conf *conf,
		     struct loop *loop, struct err *e)
{
	int r;

	if (conf->nbase > BLK_MAX_LAYERS)
		return err_set(e, EINVAL, "more than %d layers",
			       BLK_MAX_LAYERS);
	r = blk_open(b, conf, e);
	if (r == 0)
		r = blk_start_io(b, conf, loop, e);
	if (r == 0)
		r = blk_start_rate(b, &conf->rate, loop, e);
	if (r < 0)
		return r;
	if (b->overlay.fd < 0)
		b->virtio.offered |= BLK_F_RO;
	else
		b->virtio.offered |= BLK_F_FLUSH;
	if (b->overlay.fd >= 0 && blk_can_punch(b))
		b->virtio.offered |= BLK_F_DISCARD | BLK_F_WRITE_ZEROES;
	return 0;
}

struct virtio *blk_create(const struct dev_conf *conf, const struct mem *mem,
			  struct loop *loop, struct err *e)
{
	const char *serial = conf->blk.serial ? conf->blk.serial : "disk";
	struct blk *b = calloc(1, sizeof(*b));

	if (!b) {
		err_set(e, ENOMEM, "blk %s: no memory", serial);
		return NULL;
	}
	b->overlay.fd = -1;
	/* No NUL behind a serial of full length (virtio 1.2, 5.2.6). */
	memcpy(b->serial, serial, strnlen(serial, sizeof(b->serial)));
	if (virtio_init(&b->virtio, &blk_ops, serial, mem, e) < 0) {
		free(b);
		return NULL;
	}
	if (blk_build(b, &conf->blk, loop, e) < 0) {
		err_wrap(e, "blk %s", serial);
		blk_destroy(&b->virtio);
		return NULL;
	}
	return &b->virtio;
}

void blk_destroy(struct virtio *v)
{
	struct blk *b = blk_of(v);
	struct err e = { 0 };

	if (b->io.done) {
		blk_io_wait(&b->io);
		if (b->loop)
			loop_del(b->loop, &b->watch);
	}
	timer_fini(&b->rate_timer, b->loop);
	if (b->overlay.fd >= 0 && overlay_save_begin(&b->overlay) &&
	    overlay_save_write(&b->overlay, &e) < 0)
		log_err("blk %s: %s", v->id, e.msg);
	blk_io_fini(&b->io);
	overlay_close(&b->overlay);
	for (unsigned i = 1; i < b->nbase; i++)
		overlay_close(&b->base[i]);
	virtio_fini(v);
	free(b);
}

void blk_stats(struct virtio *v, struct dev_stats *s)
{
	s->disk_read_bytes += blk_of(v)->read_bytes;
	s->disk_write_bytes += blk_of(v)->write_bytes;
}
