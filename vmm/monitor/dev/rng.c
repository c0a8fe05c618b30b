/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/rng.h"

#include "base/auto.h"

#include <errno.h>
#include <sys/random.h>

#define RNG_QUEUE_SIZE 64
#define RNG_SEGMENTS   16

struct rng {
	struct virtio virtio;
	struct log_limit limit;
};

/* Random bytes into guest memory; returns how many. */
static uint32_t rng_fill(struct rng *r, uint8_t *dst, uint32_t len)
{
	uint32_t done = 0;

	while (done < len) {
		ssize_t n = getrandom(dst + done, len - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_limited(&r->limit, "rng %s: getrandom failed",
				    r->virtio.id);
			break;
		}
		done += (uint32_t)n;
	}
	return done;
}

static uint32_t rng_serve(struct rng *r, const struct chain *c)
{
	uint32_t done = 0;

	for (unsigned i = 0; i < c->nin && done < RNG_CHAIN_MAX; i++) {
		const struct iovec *seg = &c->iov[c->nout + i];
		size_t want = MIN(seg->iov_len, RNG_CHAIN_MAX - done);
		uint32_t n = rng_fill(r, seg->iov_base, (uint32_t)want);

		done += n;
		if (n < want)
			break;
	}
	return done;
}

static void rng_kick(struct virtio *v)
{
	struct rng *r = container_of(v, struct rng, virtio);
	struct queue *q = &v->queue[0];
	uint32_t budget = RNG_TURN_MAX, done;
	struct chain *c;

	do {
		while (budget && (c = queue_pop(q))) {
			if (!c->nin) {
				virtio_broken(v, "nothing to fill");
				return;
			}
			done = rng_serve(r, c);
			queue_push(q, c, done);
			budget -= MIN(budget, MAX(done, 1));
		}
	} while (budget && queue_want_kick(q));
	queue_notify(q);
	if (!budget)
		virtio_kick_self(v);
}

static const struct virtio_ops rng_ops = {
	.type = VIRTIO_ID_RNG,
	.name = "rng",
	.queues = 1,
	.queue_max = RNG_QUEUE_SIZE,
	.chain_max = RNG_SEGMENTS,
	.kick = rng_kick,
};

struct virtio *rng_create(const struct dev_conf *conf, const struct mem *mem,
			  struct loop *loop, struct err *e)
{
	struct rng *r = calloc(1, sizeof(*r));

	(void)conf;
	(void)loop;
	if (!r) {
		err_set(e, ENOMEM, "rng: no memory");
		return NULL;
	}
	if (virtio_init(&r->virtio, &rng_ops, "rng", mem, e) < 0) {
		free(r);
		return NULL;
	}
	return &r->virtio;
}

void rng_destroy(struct virtio *v)
{
	struct rng *r = container_of(v, struct rng, virtio);

	virtio_fini(v);
	free(r);
}
