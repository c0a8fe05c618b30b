/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/decode.h"

#include "agent/unpack/inflate.h"
#include "base/auto.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define BLOCK (256u << 10)
#define INPUT (128u << 10)
#define NBLOCKS 8

struct decode {
	/* the thread's */
	struct decode_conf conf;
	struct inflate inflate;
	union {
		struct sha256_ctx sha256;
		struct sha512_ctx sha512;
	} hash;
	uint8_t input[INPUT];
	uint64_t left; /* of the blob */

	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;

	/* under lock */
	size_t len[NBLOCKS];
	unsigned filled,
		given; /* how many ever were; the reader has given - 1 */
	bool ended, stop;
	uint64_t taken, bytes;
	struct err err;

	char digest[8 + 2 * SHA512_DIGEST_SIZE];
	uint8_t block[NBLOCKS][BLOCK];
};

/* ---- the thread ---- */

/* A block to fill; NULL: nobody wants more. */
static uint8_t *block_wait(struct decode *d)
{
	bool stop;

	pthread_mutex_lock(&d->lock);
	/* The one given last is still being read. */
	while (!d->stop && d->filled - d->given >= NBLOCKS - 1)
		pthread_cond_wait(&d->moved, &d->lock);
	stop = d->stop;
	pthread_mutex_unlock(&d->lock);
	return stop ? NULL : d->block[d->filled % NBLOCKS];
}

static int block_send(struct decode *d, size_t len, struct err *e)
{
	bool full;

	if (d->conf.sha512)
		sha512_update(&d->hash.sha512, len,
			      d->block[d->filled % NBLOCKS]);
	else
		sha256_update(&d->hash.sha256, len,
			      d->block[d->filled % NBLOCKS]);
	pthread_mutex_lock(&d->lock);
	d->bytes += len;
	full = d->bytes > d->conf.limit;
	if (!full) {
		d->len[d->filled++ % NBLOCKS] = len;
		d->taken = d->conf.size - d->left;
		pthread_cond_signal(&d->moved);
	}
	pthread_mutex_unlock(&d->lock);
	if (full)
		return err_set(e, EFBIG,
			       "unpacks to more than %" PRIu64 " bytes",
			       d->conf.limit);
	return 0;
}

static int input_read(struct decode *d, struct err *e)
{
	size_t want = (size_t)MIN(d->left, (uint64_t)INPUT);
	ssize_t n;

	do
		n = read(d->conf.fd, d->input, want);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read");
	if (n == 0)
		return err_set(e, EPIPE,
			       "truncated: %" PRIu64 " of its %" PRIu64
			       " bytes are missing",
			       d->left, d->conf.size);
	d->left -= (uint64_t)n;
	inflate_feed(&d->inflate, d->input, (size_t)n);
	return 0;
}

/* Fills out as far as the blob goes. */
static int fill(struct decode *d, uint8_t *out, size_t *len, struct err *e)
{
	*len = 0;
	while (*len < BLOCK) {
		ssize_t n =
			inflate_take(&d->inflate, out + *len, BLOCK - *len, e);

		if (n < 0)
			return (int)n;
		*len += (size_t)n;
		if (n > 0)
			continue;
		if (d->left == 0)
			return inflate_end(&d->inflate, e);
		if (input_read(d, e) < 0)
			return -e->code;
	}
	return 0;
}

static int decode_all(struct decode *d, struct err *e)
{
	for (;;) {
		uint8_t *out = block_wait(d);
		size_t len;

		if (!out)
			return err_set(e, ECANCELED, "not wanted any more");
		if (fill(d, out, &len, e) < 0)
			return -e->code;
		if (len == 0)
			return 0;
		if (block_send(d, len, e) < 0)
			return -e->code;
	}
}

static void take_digest(struct decode *d)
{
	size_t n = d->conf.sha512 ? SHA512_DIGEST_SIZE : SHA256_DIGEST_SIZE;
	uint8_t raw[SHA512_DIGEST_SIZE];

	if (d->conf.sha512)
		sha512_digest(&d->hash.sha512, n, raw);
	else
		sha256_digest(&d->hash.sha256, n, raw);
	snprintf(d->digest, sizeof(d->digest),
		 "sha%s:", d->conf.sha512 ? "512" : "256");
	for (size_t i = 0; i < n; i++)
		snprintf(d->digest + 7 + 2 * i, 3, "%02x", raw[i]);
}

static void *decode_main(void *arg)
{
	struct decode *d = arg;
	struct err e = { 0 };

	if (decode_all(d, &e) == 0)
		take_digest(d);
	pthread_mutex_lock(&d->lock);
	d->ended = true;
	d->taken = d->conf.size - d->left;
	d->err = e;
	pthread_cond_signal(&d->moved);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* ---- the reader ---- */

struct decode *decode_new(const struct decode_conf *c, struct err *e)
{
	struct decode *d = calloc(1, sizeof(*d));
	int r;

	if (!d) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	d->conf = *c;
	d->left = c->size;
	inflate_init(&d->inflate, c->kind);
	if (c->sha512)
		sha512_init(&d->hash.sha512);
	else
		sha256_init(&d->hash.sha256);
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->moved, NULL);
	r = pthread_create(&d->thread, NULL, decode_main, d);
	if (r == 0)
		return d;
	err_set(e, r, "start a thread: %s", strerror(r));
	inflate_fini(&d->inflate);
	free(d);
	return NULL;
}

ssize_t decode_read(struct decode *d, const void **block, struct err *e)
{
	ssize_t n = 0;

	pthread_mutex_lock(&d->lock);
	while (d->given == d->filled && !d->ended)
		pthread_cond_wait(&d->moved, &d->lock);
	if (d->given < d->filled) {
		*block = d->block[d->given % NBLOCKS];
		n = (ssize_t)d->len[d->given++ % NBLOCKS];
	} else if (d->err.code) {
		*e = d->err;
		n = -d->err.code;
	}
	pthread_cond_signal(&d->moved);
	pthread_mutex_unlock(&d->lock);
	return n;
}

uint64_t decode_taken(struct decode *d)
{
	uint64_t n;

	pthread_mutex_lock(&d->lock);
	n = d->taken;
	pthread_mutex_unlock(&d->lock);
	return n;
}

const char *decode_digest(const struct decode *d)
{
	return d->digest;
}

uint64_t decode_bytes(const struct decode *d)
{
	return d->bytes;
}

void decode_free(struct decode *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->moved);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->moved);
	pthread_mutex_destroy(&d->lock);
	inflate_fini(&d->inflate);
	free(d);
}
