/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/balloon.h"

#include "base/auto.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define BALLOON_QUEUE_SIZE 128
#define BALLOON_SEGMENTS 64 /* Linux reports 32 blocks at a time */
#define PFN_SHIFT 12	    /* 4 KiB always, virtio 1.2, 5.5.6 */

/* virtio 1.2, 5.5.3 */
#define BALLOON_F_PAGE_POISON (1ull << 4)
#define BALLOON_F_PAGE_REPORTING (1ull << 5)

/* virtio 1.2, 5.5.2; see balloon.h */
enum { Q_INFLATE, Q_DEFLATE, Q_REPORT, Q_HINT, Q_REPORT_STD, Q_NQUEUES };

/* virtio 1.2, 5.5.4; little-endian */
struct balloon_config {
	uint32_t num_pages;
	uint32_t actual;
	uint32_t free_page_hint_cmd_id;
	uint32_t poison_val;
};

struct balloon {
	struct virtio virtio;
	struct balloon_config config;
	uint64_t returned; /* bytes, since the machine started */
	struct log_limit limit;
};

static struct balloon *balloon_of(struct virtio *v)
{
	return container_of(v, struct balloon, virtio);
}

static void balloon_give(struct balloon *b, void *at, size_t len)
{
	int64_t n = mem_release(b->virtio.mem, at, len);

	if (n < 0)
		log_limited(&b->limit, "balloon: memory is not given back: %s",
			    strerror((int)-n));
	else
		b->returned += (uint64_t)n;
}

/* ---- reporting ---- */

/* A page that was taken away reads as zeroes. A driver that fills free pages
 * with something else must find that (virtio 1.2, 5.5.6.7.2). */
static bool balloon_zeroes_do(const struct balloon *b)
{
	return !(b->virtio.features & BALLOON_F_PAGE_POISON) ||
	       b->config.poison_val == 0;
}

static void balloon_report(struct balloon *b, const struct chain *c)
{
	if (!c->nin || c->nout) {
		virtio_broken(&b->virtio, "report that is not of free pages");
		return;
	}
	for (unsigned i = 0; i < c->nin && balloon_zeroes_do(b); i++)
		balloon_give(b, c->iov[i].iov_base, c->iov[i].iov_len);
}

/* ---- inflating ---- */

/* Pages that follow each other in our memory go in one piece. */
struct run {
	uint8_t *at;
	size_t len;
};

static void balloon_give_run(struct balloon *b, struct run *r)
{
	if (r->len)
		balloon_give(b, r->at, r->len);
}

static bool balloon_add_pfn(struct balloon *b, struct run *r, uint32_t pfn)
{
	gpa_t gpa = GPA((uint64_t)pfn << PFN_SHIFT);
	uint8_t *at = mem_at(b->virtio.mem, gpa, 1u << PFN_SHIFT);

	if (!at)
		return false;
	if (!r->len || r->at + r->len != at) {
		balloon_give_run(b, r);
		*r = (struct run){ at, 0 };
	}
	r->len += 1u << PFN_SHIFT;
	return true;
}

/* The numbers are copied, once, before they are looked at. A number may lie
 * across two segments. */
static bool balloon_walk(struct balloon *b, const struct chain *c)
{
	struct run run = { NULL, 0 };
	uint8_t raw[4];
	unsigned have = 0;

	for (unsigned i = 0; i < c->nout; i++) {
		const uint8_t *src = c->iov[i].iov_base;

		for (size_t k = 0; k < c->iov[i].iov_len; k++) {
			uint32_t pfn;

			raw[have++] = src[k];
			if (have < sizeof(raw))
				continue;
			have = 0;
			memcpy(&pfn, raw, sizeof(pfn));
			if (!balloon_add_pfn(b, &run, le32toh(pfn)))
				return false;
		}
	}
	balloon_give_run(b, &run);
	return true;
}

static bool balloon_list_good(struct balloon *b, const struct chain *c)
{
	if (!c->nin && c->out_bytes && c->out_bytes % 4 == 0 &&
	    c->out_bytes / 4 <= BALLOON_PFNS_MAX)
		return true;
	virtio_broken(&b->virtio, "bad list of pages");
	return false;
}

static void balloon_inflate(struct balloon *b, const struct chain *c)
{
	if (balloon_list_good(b, c) && !balloon_walk(b, c))
		virtio_broken(&b->virtio, "page outside of memory");
}

/* Its pages come back when they are touched. */
static void balloon_deflate(struct balloon *b, const struct chain *c)
{
	balloon_list_good(b, c);
}

/* ---- the queues ---- */

static void (*const serve[Q_NQUEUES])(struct balloon *,
				      const struct chain *) = {
	[Q_INFLATE] = balloon_inflate,
	[Q_DEFLATE] = balloon_deflate,
	[Q_REPORT] = balloon_report,
	[Q_REPORT_STD] = balloon_report,
};

static void balloon_run(struct balloon *b, unsigned index, unsigned *budget)
{
	struct queue *q = &b->virtio.queue[index];
	struct chain *c;

	do {
		while (*budget && (c = queue_pop(q))) {
			serve[index](b, c);
			queue_push(q, c, 0);
			--*budget;
		}
	} while (*budget && queue_want_kick(q));
	queue_notify(q);
}

static void balloon_kick(struct virtio *v)
{
	unsigned budget = BALLOON_TURN;

	for (unsigned i = 0; i < Q_NQUEUES; i++)
		if (serve[i])
			balloon_run(balloon_of(v), i, &budget);
	if (!budget)
		virtio_kick_self(v);
}

static void balloon_reset(struct virtio *v)
{
	memset(&balloon_of(v)->config, 0, sizeof(struct balloon_config));
}

static void balloon_config_read(struct virtio *v, uint32_t off, void *dst,
				uint32_t len)
{
	memcpy(dst, (const uint8_t *)&balloon_of(v)->config + off, len);
}

/* actual and poison_val are the driver's, the others ours. */
static void balloon_config_write(struct virtio *v, uint32_t off,
				 const void *src, uint32_t len)
{
	struct balloon_config *c = &balloon_of(v)->config;
	struct balloon_config now = *c;

	memcpy((uint8_t *)&now + off, src, len);
	c->actual = now.actual;
	c->poison_val = now.poison_val;
}

static const struct virtio_ops balloon_ops = {
	.type = VIRTIO_ID_BALLOON,
	.name = "balloon",
	.queues = Q_NQUEUES,
	.queue_max = BALLOON_QUEUE_SIZE,
	.chain_max = BALLOON_SEGMENTS,
	.features = BALLOON_F_PAGE_POISON | BALLOON_F_PAGE_REPORTING,
	.kick = balloon_kick,
	.reset = balloon_reset,
	.config_size = sizeof(struct balloon_config),
	.config_read = balloon_config_read,
	.config_write = balloon_config_write,
};

struct virtio *balloon_create(const struct dev_conf *conf,
			      const struct mem *mem, struct loop *loop,
			      struct err *e)
{
	struct balloon *b = calloc(1, sizeof(*b));

	(void)conf;
	(void)loop;
	if (!b) {
		err_set(e, ENOMEM, "balloon: no memory");
		return NULL;
	}
	if (virtio_init(&b->virtio, &balloon_ops, "balloon", mem, e) < 0) {
		free(b);
		return NULL;
	}
	return &b->virtio;
}

void balloon_destroy(struct virtio *v)
{
	struct balloon *b = balloon_of(v);

	virtio_fini(v);
	free(b);
}

void balloon_stats(struct virtio *v, struct dev_stats *s)
{
	s->returned_bytes += balloon_of(v)->returned;
}
