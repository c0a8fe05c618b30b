/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include "base/auto.h"
#include "base/log.h"

#include <errno.h>
#include <sys/timerfd.h>

int loop_init(struct loop *l, pthread_mutex_t *lock, struct err *e)
{
	l->stop = false;
	l->lock = lock;
	l->nbatch = 0;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return err_sys(e, "epoll_create1");
	return 0;
}

void loop_fini(struct loop *l)
{
	if (l->epfd > 0)
		close(l->epfd);
	l->epfd = -1;
}

int loop_add(struct loop *l, struct watch *w, uint32_t events, struct err *e)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
		return err_sys(e, "watch %s", w->name);
	w->events = events;
	w->added = true;
	return 0;
}

void loop_mod(struct loop *l, struct watch *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (!w->added || w->events == events)
		return;
	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &ev) < 0) {
		log_err("watch %s: epoll_ctl failed", w->name);
		return;
	}
	w->events = events;
}

void loop_del(struct loop *l, struct watch *w)
{
	if (!w->added)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->added = false;
	/* What is still in this batch must not reach a freed owner. */
	for (int i = 0; i < l->nbatch; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

int loop_once(struct loop *l, int timeout_ms)
{
	int n = epoll_wait(l->epfd, l->batch, LOOP_BATCH, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (l->lock)
		pthread_mutex_lock(l->lock);
	l->nbatch = n;
	for (int i = 0; i < n; i++) {
		struct watch *w = l->batch[i].data.ptr;

		if (w)
			w->ready(w, l->batch[i].events);
	}
	l->nbatch = 0;
	if (l->lock)
		pthread_mutex_unlock(l->lock);
	return 0;
}

int loop_run(struct loop *l)
{
	int r = 0;

	while (!l->stop && r == 0)
		r = loop_once(l, -1);
	return r;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

static void timer_ready(struct watch *w, uint32_t events)
{
	struct timer *t = container_of(w, struct timer, watch);
	uint64_t ticks;

	(void)events;
	if (read(w->fd, &ticks, sizeof(ticks)) == sizeof(ticks))
		t->fired(t);
}

int timer_init(struct timer *t, struct loop *l, const char *name,
	       void (*fired)(struct timer *t), struct err *e)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	t->watch =
		(struct watch){ .fd = fd, .name = name, .ready = timer_ready };
	t->fired = fired;
	if (fd < 0)
		return err_sys(e, "timer %s", name);
	return loop_add(l, &t->watch, EPOLLIN, e);
}

void timer_set(struct timer *t, uint64_t ms)
{
	struct itimerspec its = {
		.it_value = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 },
	};

	timerfd_settime(t->watch.fd, 0, &its, NULL);
}

void timer_fini(struct timer *t, struct loop *l)
{
	if (!t->fired)
		return;
	loop_del(l, &t->watch);
	if (t->watch.fd >= 0)
		close(t->watch.fd);
	t->watch.fd = -1;
	t->fired = NULL;
}
