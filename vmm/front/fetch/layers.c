/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/layers.h"

#include "base/auto.h"
#include "fetch/bars.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* docker's max-concurrent-downloads. */
#define THREADS 3
#define REDRAW_MS 150
#define LINE_MAX_BYTES 256

struct job {
	const struct manifest_desc *desc;
	bool is_layer;
	atomic_int state;    /* enum bar_state */
	atomic_ullong bytes; /* that came */
};

struct layers {
	struct registry *registry;
	struct store *store;
	struct job *jobs;
	size_t njobs;
	bool quiet;
	struct bars bars;
	atomic_size_t next; /* job */
	atomic_bool stop;
	pthread_mutex_t lock; /* of what follows, and of stdout */
	pthread_cond_t ended;
	unsigned running;
	struct err err; /* the first */
};

bool layers_may_resume(int r)
{
	return r == -EAGAIN || r == -EIO;
}

/* ---- one blob ---- */

struct sink {
	struct layers *all;
	struct job *job;
	struct blob blob;
};

static int on_data(void *ctx, uint64_t offset, const void *data, size_t len,
		   struct err *e)
{
	struct sink *k = ctx;

	if (atomic_load(&k->all->stop))
		return err_set(e, ECANCELED, "another layer failed");
	if (offset == 0 && k->blob.bytes > 0 && blob_restart(&k->blob, e) < 0)
		return -e->code;
	if (offset != k->blob.bytes)
		return err_set(e, EPROTO, "it goes on in another place");
	if (blob_write(&k->blob, data, len, e) < 0)
		return -e->code;
	atomic_store(&k->job->bytes, k->blob.bytes);
	return 0;
}

static int get(struct sink *k, struct err *e)
{
	const struct manifest_desc *d = k->job->desc;
	int r;

	atomic_store(&k->job->bytes, k->blob.bytes);
	r = registry_blob(k->all->registry, d, k->blob.bytes, on_data, k, e);
	return r < 0 ? r : blob_commit(&k->blob, &d->digest, NULL, e);
}

static int fetch(struct layers *l, struct job *job, struct err *e)
{
	const struct manifest_desc *d = job->desc;
	struct sink k = { .all = l, .job = job };
	int r = blob_resume(&k.blob, l->store, &d->digest, d->size, e);
	uint64_t had = k.blob.bytes;

	atomic_store(&job->state, BAR_DOWNLOADING);
	if (r == 0)
		r = get(&k, e);
	/* What was left from another time may be what is wrong. */
	if (r == -EBADMSG && had > 0 && blob_restart(&k.blob, e) == 0)
		r = get(&k, e);
	/* The rest may come another time, if it is not the bytes' fault. */
	k.blob.keep = layers_may_resume(r) || r == -ECANCELED;
	blob_end(&k.blob);
	return r;
}

/* ---- many ---- */

static void say(struct layers *l, struct job *job, enum bar_state state,
		const char *what)
{
	atomic_store(&job->state, state);
	pthread_mutex_lock(&l->lock);
	if (!l->quiet && !l->bars.live && job->is_layer) {
		printf("%.12s: %s\n", digest_hex(&job->desc->digest), what);
		fflush(stdout);
	}
	pthread_mutex_unlock(&l->lock);
}

static int do_job(struct layers *l, struct job *job, struct err *e)
{
	uint64_t size;

	if (store_has(l->store, &job->desc->digest, &size) &&
	    size == job->desc->size) {
		say(l, job, BAR_THERE, "Already exists");
		return 0;
	}
	if (fetch(l, job, e) < 0)
		return err_wrap(e, "%s %.19s",
				job->is_layer ? "layer" : "configuration",
				job->desc->digest.text);
	say(l, job, BAR_DONE, "Pull complete");
	return 0;
}

static void *work(void *arg)
{
	struct layers *l = arg;

	while (!atomic_load(&l->stop)) {
		size_t i = atomic_fetch_add(&l->next, 1);
		struct err e = { 0 };

		if (i >= l->njobs)
			break;
		if (do_job(l, &l->jobs[i], &e) >= 0)
			continue;
		pthread_mutex_lock(&l->lock);
		if (!l->err.code)
			l->err = e;
		pthread_mutex_unlock(&l->lock);
		atomic_store(&l->stop, true);
	}
	http_done();
	pthread_mutex_lock(&l->lock);
	l->running--;
	pthread_cond_signal(&l->ended);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static bool listed(const struct layers *l, const struct digest *d)
{
	for (size_t i = 0; i < l->njobs; i++)
		if (digest_equal(&l->jobs[i].desc->digest, d))
			return true;
	return false;
}

static void list(struct layers *l, const struct manifest_desc *d, bool is_layer)
{
	if (listed(l, &d->digest))
		return;
	l->jobs[l->njobs].desc = d;
	l->jobs[l->njobs++].is_layer = is_layer;
}

/* ---- waiting ---- */

/* Under the lock. */
static void draw(struct layers *l)
{
	char line[LINE_MAX_BYTES];

	if (!l->bars.live)
		return;
	bars_begin(&l->bars);
	for (size_t i = 0; i < l->njobs; i++) {
		struct job *j = &l->jobs[i];

		if (!j->is_layer)
			continue;
		bar_line(digest_hex(&j->desc->digest),
			 (enum bar_state)atomic_load(&j->state),
			 atomic_load(&j->bytes), j->desc->size, l->bars.width,
			 line, sizeof(line));
		bars_add(&l->bars, line);
	}
	fflush(stdout);
}

/* Under the lock. */
static void wait_for(struct layers *l)
{
	while (l->running > 0) {
		struct timespec until;

		draw(l);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += REDRAW_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&l->ended, &l->lock, &until);
	}
	draw(l);
}

static int run(struct layers *l, struct err *e)
{
	pthread_t threads[THREADS];
	size_t n = 0;

	pthread_mutex_lock(&l->lock);
	while (n < THREADS && n < l->njobs) {
		int r = pthread_create(&threads[n], NULL, work, l);

		if (r != 0 && n == 0) {
			pthread_mutex_unlock(&l->lock);
			return err_set(e, r, "start a thread: %s", strerror(r));
		}
		if (r != 0)
			break;
		n++;
		l->running++;
	}
	wait_for(l);
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	if (l->err.code)
		*e = l->err;
	return -l->err.code;
}

/* Of an image that is no good nothing is kept; one whose connection failed
 * goes on the next time. */
static void forget(struct layers *l)
{
	for (size_t i = 0; i < l->njobs; i++)
		store_drop_partial(l->store, &l->jobs[i].desc->digest);
}

int layers_fetch(struct registry *r, struct store *s, const struct manifest *m,
		 bool quiet, struct err *e)
{
	struct layers l = { .registry = r, .store = s, .quiet = quiet };
	int n;

	l.jobs = calloc(m->nlayers + 1, sizeof(*l.jobs));
	if (!l.jobs)
		return err_set(e, ENOMEM, "out of memory");
	pthread_mutex_init(&l.lock, NULL);
	pthread_cond_init(&l.ended, NULL);
	list(&l, &m->config, false);
	for (size_t i = 0; i < m->nlayers; i++)
		list(&l, &m->layers[i], true);
	if (!quiet)
		bars_init(&l.bars, l.njobs);
	r->conf.stop = &l.stop;
	n = run(&l, e);
	r->conf.stop = NULL;
	if (n < 0 && !layers_may_resume(n))
		forget(&l);
	pthread_cond_destroy(&l.ended);
	pthread_mutex_destroy(&l.lock);
	free(l.jobs);
	return n;
}
