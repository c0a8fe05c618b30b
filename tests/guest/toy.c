/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/toy.h"

#include "base/auto.h"

#include <assert.h>
#include <string.h>

static void toy_kick(struct virtio *v)
{
	container_of(v, struct toy, virtio)->kicks++;
}

static void toy_ready(struct virtio *v)
{
	container_of(v, struct toy, virtio)->readies++;
}

static void toy_reset(struct virtio *v)
{
	container_of(v, struct toy, virtio)->resets++;
}

static void toy_config_read(struct virtio *v, uint32_t off, void *dst,
			    uint32_t len)
{
	struct toy *t = container_of(v, struct toy, virtio);

	assert(len && off < sizeof(t->config) &&
	       len <= sizeof(t->config) - off);
	memcpy(dst, t->config + off, len);
}

static void toy_config_write(struct virtio *v, uint32_t off, const void *src,
			     uint32_t len)
{
	struct toy *t = container_of(v, struct toy, virtio);

	assert(len && off < sizeof(t->config) &&
	       len <= sizeof(t->config) - off);
	memcpy(t->config + off, src, len);
}

static const struct virtio_ops toy_ops = {
	.type = 42,
	.name = "toy",
	.queues = 2,
	.queue_max = TOY_QUEUE_MAX,
	.chain_max = TOY_SEGMENTS,
	.features = TOY_FEATURE,
	.kick = toy_kick,
	.ready = toy_ready,
	.reset = toy_reset,
	.config_size = sizeof(((struct toy *)0)->config),
	.config_read = toy_config_read,
	.config_write = toy_config_write,
};

void toy_init(struct toy *t, const struct mem *mem)
{
	struct err e = { 0 };
	int r;

	memset(t, 0, sizeof(*t));
	r = virtio_init(&t->virtio, &toy_ops, "test", mem, &e);
	assert(r == 0);
	(void)r;
	for (unsigned i = 0; i < sizeof(t->config); i++)
		t->config[i] = (uint8_t)(0xa0 + i);
}

void toy_fini(struct toy *t)
{
	virtio_fini(&t->virtio);
}

void bench_begin(struct bench *b, uint64_t features)
{
	bool ok;

	guest_init(&b->g);
	toy_init(&b->toy, &b->g.mem);
	b->v = &b->toy.virtio;
	b->q = &b->v->queue[0];
	ok = guest_start(b->v, features);
	ring_init(&b->r, &b->g, b->v, 0, 8);
	guest_go(b->v);
	b->buf = guest_alloc(&b->g, 65536, 4096);
	assert(ok && b->q->ready && virtio_live(b->v));
	(void)ok;
}

void bench_end(struct bench *b)
{
	toy_fini(&b->toy);
	guest_fini(&b->g);
}
