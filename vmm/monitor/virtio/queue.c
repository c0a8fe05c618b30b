/* SPDX-License-Identifier: Apache-2.0 */
/* THEORY OF OPERATION
 *
 * Three areas in guest RAM, checked once when the queue is enabled:
 *
 *     desc    size x { addr 8, len 4, flags 2, next 2 }     guest writes
 *     avail   flags 2, idx 2, size x head 2, used_event 2   guest writes
 *     used    flags 2, idx 2, size x { id 4, len 4 },       device writes
 *             avail_event 2
 *
 * The guest runs while we read. So every word is loaded exactly once, into a
 * local, and only the local is checked and used. Our positions live in struct
 * queue and are never read back. A head may be in flight once; a walk visits
 * at most as many descriptors as its table has, nests once at most, and stops
 * at chain_max segments.
 *
 * Ordering: avail.idx is loaded with acquire before the entries it covers;
 * used.idx is stored with release after the entries it covers; a full fence
 * stands between publishing our index and reading the other side's event
 * word, as both sides must (virtio 1.2, 2.7.7, 2.7.13). */
#include "virtio/queue.h"

#include "base/auto.h"
#include "virtio/virtio.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* virtio 1.2, 2.7.5, 2.7.6, 2.7.8 */
#define DESC_F_NEXT	1
#define DESC_F_WRITE	2
#define DESC_F_INDIRECT 4

#define AVAIL_F_NO_INTERRUPT 1
#define USED_F_NO_NOTIFY     1

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

struct avail {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];	/* size heads, then used_event */
};

struct used_elem {
	uint32_t id;
	uint32_t len;
};

struct used {
	uint16_t flags;
	uint16_t idx;
	struct used_elem ring[];	/* size entries, then avail_event */
};

int queue_init(struct queue *q, struct virtio *v, uint16_t index, uint16_t max,
	       uint16_t chain_max)
{
	assert(max && max <= QUEUE_MAX_SIZE && !(max & (max - 1)));
	assert(chain_max);
	*q = (struct queue){
		.v = v,
		.index = index,
		.max = max,
		.size = max,
		.chain_max = chain_max,
	};
	q->chains = calloc(max, sizeof(*q->chains));
	q->iovs = calloc((size_t)max * chain_max, sizeof(*q->iovs));
	if (!q->chains || !q->iovs) {
		queue_fini(q);
		return -ENOMEM;
	}
	return 0;
}

void queue_fini(struct queue *q)
{
	free(q->chains);
	free(q->iovs);
	q->chains = NULL;
	q->iovs = NULL;
	q->ready = false;
}

/* Positions and host views; the registers stay. */
static void queue_rewind(struct queue *q)
{
	q->desc_host = q->avail_host = q->used_host = NULL;
	q->next_avail = q->next_used = 0;
	q->signalled_used = 0;
	q->signalled_valid = q->pushed = false;
	q->event_idx = false;
	for (unsigned i = 0; i < q->max; i++)
		q->chains[i].busy = false;
}

void queue_reset(struct queue *q)
{
	if (q->ready)
		queue_rewind(q);
	q->ready = false;
	q->size = q->max;
	q->desc = q->avail = q->used = GPA(0);
}

void queue_broken(struct queue *q, const char *why)
{
	if (q->aside)
		virtio_broken_aside(q->v, why);
	else
		virtio_broken(q->v, why);
}

static int queue_refuse(struct queue *q, const char *why)
{
	queue_broken(q, why);
	return -EINVAL;
}

int queue_enable(struct queue *q)
{
	const struct mem *m = q->v->mem;
	size_t n = q->size;

	if (!n || n > q->max || (n & (n - 1)))
		return queue_refuse(q, "queue size is not allowed");
	if (q->desc.v % 16 || q->avail.v % 2 || q->used.v % 4)
		return queue_refuse(q, "queue area is not aligned");
	queue_rewind(q);
	q->desc_host = mem_at(m, q->desc, sizeof(struct desc) * n);
	q->avail_host = mem_at(m, q->avail, 6 + 2 * n);
	q->used_host = mem_at(m, q->used, 6 + sizeof(struct used_elem) * n);
	if (!q->desc_host || !q->avail_host || !q->used_host)
		return queue_refuse(q, "queue area is outside of memory");
	q->event_idx = q->v->features & VIRTIO_F_EVENT_IDX;
	q->ready = true;
	return 0;
}

/* One copy of guest memory: the barrier keeps the compiler from going back to
 * the source for a second look. */
static struct desc desc_copy(const void *table, size_t i)
{
	struct desc d;

	memcpy(&d, (const char *)table + i * sizeof(d), sizeof(d));
	__asm__ volatile("" : "+m"(d)::"memory");
	return d;
}

static uint16_t load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void store16(uint16_t *p, uint16_t x)
{
	__atomic_store_n(p, x, __ATOMIC_RELAXED);
}

static uint16_t *queue_used_event(struct queue *q)
{
	struct avail *a = q->avail_host;

	return &a->ring[q->size];
}

static uint16_t *queue_avail_event(struct queue *q)
{
	struct used *u = q->used_host;

	return (uint16_t *)(void *)&u->ring[q->size];
}

/* How many heads wait; -1 when the queue cannot be used. */
static int queue_waiting(struct queue *q)
{
	struct avail *a = q->avail_host;
	uint16_t n;

	if (!q->ready || !virtio_live(q->v))
		return -1;
	n = (uint16_t)(__atomic_load_n(&a->idx, __ATOMIC_ACQUIRE) -
		       q->next_avail);
	if (n > q->size) {
		queue_broken(q, "available index ran away");
		return -1;
	}
	return n;
}

bool queue_has_work(struct queue *q)
{
	return queue_waiting(q) > 0;
}

/* Adds a segment. NULL, or what is wrong with it. */
static const char *chain_add(struct queue *q, struct chain *c,
			     const struct desc *d)
{
	bool in = d->flags & DESC_F_WRITE;
	uint32_t sum = c->out_bytes + c->in_bytes;
	void *host;

	if (c->nout + c->nin == q->chain_max)
		return "chain has too many segments";
	if (!in && c->nin)
		return "readable segment behind a writable one";
	if (!d->len)
		return "segment without length";
	if (d->len > UINT32_MAX - sum)
		return "chain passes 4 GiB";
	host = mem_at(q->v->mem, GPA(d->addr), d->len);
	if (!host)
		return "segment outside of memory";
	c->iov[c->nout + c->nin] = (struct iovec){ host, d->len };
	if (in) {
		c->nin++;
		c->in_bytes += d->len;
	} else {
		c->nout++;
		c->out_bytes += d->len;
	}
	return NULL;
}

struct walk {
	const void *table;
	uint32_t entries;	/* in this table */
	uint32_t index;		/* the next to look at */
	uint32_t seen;
	bool indirect;
};

/* Moves into an indirect table (virtio 1.2, 2.7.5.3). */
static const char *walk_enter(struct queue *q, struct walk *w,
			      const struct desc *d)
{
	if (!(q->v->features & VIRTIO_F_INDIRECT_DESC))
		return "indirect table was not agreed";
	if (w->indirect)
		return "indirect table inside another";
	if (d->flags & DESC_F_NEXT)
		return "indirect table with a next segment";
	if (!d->len || d->len % sizeof(struct desc))
		return "indirect table of odd length";
	if (d->len / sizeof(struct desc) > q->chain_max)
		return "indirect table is too long";
	w->table = mem_at(q->v->mem, GPA(d->addr), d->len);
	if (!w->table)
		return "indirect table outside of memory";
	w->entries = d->len / (uint32_t)sizeof(struct desc);
	w->index = w->seen = 0;
	w->indirect = true;
	return NULL;
}

/* Fills c from its head. NULL, or the rule that was broken. */
static const char *queue_walk(struct queue *q, struct chain *c)
{
	struct walk w = {
		.table = q->desc_host,
		.entries = q->size,
		.index = c->head,
	};
	const char *why;
	struct desc d;

	for (;;) {
		if (w.index >= w.entries)
			return "next segment out of range";
		if (w.seen++ == w.entries)
			return "chain loops";
		d = desc_copy(w.table, w.index);
		if (d.flags & DESC_F_INDIRECT) {
			why = walk_enter(q, &w, &d);
			if (why)
				return why;
			continue;
		}
		why = chain_add(q, c, &d);
		if (why || !(d.flags & DESC_F_NEXT))
			return why;
		w.index = d.next;
	}
}

struct chain *queue_pop(struct queue *q)
{
	struct avail *a = q->avail_host;
	const char *why;
	struct chain *c;
	uint16_t head;

	if (queue_waiting(q) <= 0)
		return NULL;
	head = load16(&a->ring[q->next_avail & (q->size - 1)]);
	if (head >= q->size) {
		queue_broken(q, "head out of range");
		return NULL;
	}
	c = &q->chains[head];
	if (c->busy) {
		queue_broken(q, "head is in flight already");
		return NULL;
	}
	*c = (struct chain){
		.head = head,
		.iov = q->iovs + (size_t)head * q->chain_max,
	};
	why = queue_walk(q, c);
	if (why) {
		queue_broken(q, why);
		return NULL;
	}
	c->busy = true;
	q->next_avail++;
	return c;
}

void queue_unpop(struct queue *q, struct chain *c)
{
	assert(c->busy);
	c->busy = false;
	q->next_avail--;
}

void queue_put(struct queue *q, struct chain *c, uint32_t written)
{
	struct used *u = q->used_host;
	struct used_elem *slot;

	assert(c->busy && written <= c->in_bytes);
	c->busy = false;
	/* Broken, or being reset: the guest is not told any more. */
	if (!q->ready || !virtio_live(q->v))
		return;
	slot = &u->ring[q->next_used & (q->size - 1)];
	__atomic_store_n(&slot->id, c->head, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->len, written, __ATOMIC_RELAXED);
	q->next_used++;
	/* Once around since the last interrupt: distances mean nothing now. */
	if (q->next_used == q->signalled_used)
		q->signalled_valid = false;
}

void queue_show(struct queue *q)
{
	struct used *u = q->used_host;

	if (!q->ready || !virtio_live(q->v))
		return;
	__atomic_store_n(&u->idx, q->next_used, __ATOMIC_RELEASE);
	q->pushed = true;
}

void queue_push(struct queue *q, struct chain *c, uint32_t written)
{
	queue_put(q, c, written);
	queue_show(q);
}

/* virtio 1.2, 2.7.7.2 and 2.7.10 */
static bool queue_wants_irq(struct queue *q, uint16_t old)
{
	struct avail *a = q->avail_host;
	uint16_t event;

	if (!q->event_idx)
		return !(load16(&a->flags) & AVAIL_F_NO_INTERRUPT);
	if (!q->signalled_valid)
		return true;
	event = load16(queue_used_event(q));
	return (uint16_t)(q->next_used - event - 1) <
	       (uint16_t)(q->next_used - old);
}

void queue_notify(struct queue *q)
{
	uint16_t old = q->signalled_used;

	if (!q->pushed || !q->ready || !virtio_live(q->v))
		return;
	q->pushed = false;
	/* Our used.idx is out before we look at what the driver wants. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (queue_wants_irq(q, old))
		virtio_interrupt(q->v, VIRTIO_IRQ_USED);
	q->signalled_used = q->next_used;
	q->signalled_valid = true;
}

bool queue_want_kick(struct queue *q)
{
	struct used *u = q->used_host;

	if (!q->ready || !virtio_live(q->v))
		return false;
	if (q->event_idx)
		store16(queue_avail_event(q), q->next_avail);
	else
		store16(&u->flags, 0);
	/* The wish is out before we look again; the driver does the reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return queue_has_work(q);
}

void queue_no_kick(struct queue *q)
{
	struct used *u = q->used_host;

	/* With EVENT_IDX the event word that is left behind says it. */
	if (!q->ready || !virtio_live(q->v) || q->event_idx)
		return;
	store16(&u->flags, USED_F_NO_NOTIFY);
}
