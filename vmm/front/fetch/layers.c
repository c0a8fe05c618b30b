/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/layers.h"

#include "base/auto.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* docker's max-concurrent-downloads. */
#define THREADS 3
#define PROGRESS_MS 200

struct job {
	const struct manifest_desc *desc;
	bool is_layer;
};

struct layers {
	struct registry *registry;
	struct store *store;
	struct job *jobs;
	size_t njobs;
	bool quiet, progress;
	uint64_t total;
	atomic_ullong done; /* bytes */
	atomic_size_t next; /* job */
	atomic_bool stop;
	pthread_mutex_t lock; /* of what follows, and of stdout */
	pthread_cond_t ended;
	unsigned running;
	struct err err; /* the first */
};

/* ---- one blob ---- */

struct sink {
	struct layers *all;
	struct blob blob;
};

static int on_data(void *ctx, uint64_t offset, const void *data, size_t len,
		   struct err *e)
{
	struct sink *k = ctx;

	if (atomic_load(&k->all->stop))
		return err_set(e, ECANCELED, "another layer failed");
	if (offset == 0 && k->blob.bytes > 0) {
		atomic_fetch_sub(&k->all->done, k->blob.bytes);
		if (blob_restart(&k->blob, e) < 0)
			return -e->code;
	}
	if (offset != k->blob.bytes)
		return err_set(e, EPROTO, "it goes on in another place");
	if (blob_write(&k->blob, data, len, e) < 0)
		return -e->code;
	atomic_fetch_add(&k->all->done, len);
	return 0;
}

static int fetch(struct layers *l, const struct manifest_desc *d, struct err *e)
{
	struct sink k = { .all = l };
	int r = blob_new(&k.blob, l->store, digest_get_alg(&d->digest), d->size,
			 e);

	if (r == 0)
		r = registry_blob(l->registry, d, on_data, &k, e);
	if (r == 0)
		r = blob_commit(&k.blob, &d->digest, NULL, e);
	blob_end(&k.blob);
	return r;
}

/* ---- many ---- */

static void say(struct layers *l, const struct job *job, const char *what)
{
	pthread_mutex_lock(&l->lock);
	if (!l->quiet && job->is_layer)
		printf("%.12s: %s\n", digest_hex(&job->desc->digest), what);
	pthread_mutex_unlock(&l->lock);
}

static int do_job(struct layers *l, const struct job *job, struct err *e)
{
	uint64_t size;

	if (store_has(l->store, &job->desc->digest, &size) &&
	    size == job->desc->size) {
		atomic_fetch_add(&l->done, size);
		say(l, job, "Already exists");
		return 0;
	}
	if (fetch(l, job->desc, e) < 0)
		return err_wrap(e, "%s %.19s",
				job->is_layer ? "layer" : "configuration",
				job->desc->digest.text);
	say(l, job, "Pull complete");
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
	l->jobs[l->njobs++] = (struct job){ d, is_layer };
	l->total += d->size;
}

/* ---- waiting ---- */

static void show(struct layers *l)
{
	double mb = 1e6, done = (double)atomic_load(&l->done);

	if (l->progress)
		fprintf(stderr, "\r\033[KPulling  %.1fMB of %.1fMB", done / mb,
			(double)l->total / mb);
}

/* Under the lock. */
static void wait_for(struct layers *l)
{
	while (l->running > 0) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += PROGRESS_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&l->ended, &l->lock, &until);
		show(l);
	}
	if (l->progress)
		fprintf(stderr, "\r\033[K");
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

int layers_fetch(struct registry *r, struct store *s, const struct manifest *m,
		 bool quiet, struct err *e)
{
	struct layers l = { .registry = r, .store = s, .quiet = quiet };
	int n;

	l.jobs = calloc(m->nlayers + 1, sizeof(*l.jobs));
	if (!l.jobs)
		return err_set(e, ENOMEM, "out of memory");
	l.progress = !quiet && isatty(STDERR_FILENO);
	pthread_mutex_init(&l.lock, NULL);
	pthread_cond_init(&l.ended, NULL);
	list(&l, &m->config, false);
	for (size_t i = 0; i < m->nlayers; i++)
		list(&l, &m->layers[i], true);
	n = run(&l, e);
	pthread_cond_destroy(&l.ended);
	pthread_mutex_destroy(&l.lock);
	free(l.jobs);
	return n;
}
