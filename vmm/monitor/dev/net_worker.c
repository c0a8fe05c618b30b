/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/net_worker.h"

#include "base/auto.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

#define STACK_SIZE (256u << 10)

/* Somebody has it: until he lets go. */
static void worker_pause(struct net_worker *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->wanted)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

static bool worker_enter(struct net_worker *w)
{
	struct err e = { 0 };
	bool ok = w->threads->enter(w->threads->ctx, &e) == 0;

	pthread_mutex_lock(&w->lock);
	w->entered = true;
	w->why = e;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return ok;
}

static void *worker_main(void *arg)
{
	struct net_worker *w = arg;
	int r = worker_enter(w) ? 0 : -EPERM;

	while (r == 0 && !w->stop) {
		if (w->wanted)
			worker_pause(w);
		r = loop_once(&w->loop, -1);
	}
	if (r < 0 && !w->why.code)
		log_err("net: epoll_wait: %s", strerror(-r));
	return NULL;
}

int net_worker_init(struct net_worker *w, struct watch *wake, struct err *e)
{
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	if (loop_init(&w->loop, &w->lock, e) < 0)
		return -e->code;
	return loop_add(&w->loop, wake, EPOLLIN, e);
}

int net_worker_start(struct net_worker *w, const struct dev_threads *t,
		     struct err *e)
{
	pthread_attr_t attr;
	int r;

	w->threads = t;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	r = pthread_create(&w->thread, &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	if (r != 0)
		return err_set(e, r, "thread: %s", strerror(r));
	w->started = true;
	pthread_mutex_lock(&w->lock);
	while (!w->entered)
		pthread_cond_wait(&w->changed, &w->lock);
	*e = w->why;
	pthread_mutex_unlock(&w->lock);
	return -e->code;
}

void net_worker_hold(struct net_worker *w)
{
	w->wanted = true;
	pthread_mutex_lock(&w->lock);
}

void net_worker_let(struct net_worker *w)
{
	w->wanted = false;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void net_worker_fini(struct net_worker *w, struct watch *wake)
{
	uint64_t one = 1;

	w->stop = true;
	if (w->started && write(wake->fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(w->thread, NULL);
	w->started = false;
	loop_del(&w->loop, wake);
	loop_fini(&w->loop);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
}
