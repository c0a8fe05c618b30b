/* SPDX-License-Identifier: Apache-2.0 */
/* loop.h - one epoll loop; everything is a descriptor.
 *
 * A watch is embedded in its owner and named; it does not own its fd. When a
 * lock is given, it is held while ready() runs, and dropped while waiting.
 * A ready() may add, change or remove any watch, its own included, and may
 * free the owner after loop_del(). */
#pragma once

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

struct watch {
	int fd;
	const char *name;
	void (*ready)(struct watch *w, uint32_t events);
	uint32_t events;	/* the loop's: what epoll was told */
	bool added;		/* the loop's */
};

#define LOOP_BATCH 32

struct loop {
	int epfd;
	bool stop;
	pthread_mutex_t *lock;	/* may be NULL */
	struct epoll_event batch[LOOP_BATCH];
	int nbatch;
};

int loop_init(struct loop *l, pthread_mutex_t *lock, struct err *e);
void loop_fini(struct loop *l);

int loop_add(struct loop *l, struct watch *w, uint32_t events, struct err *e);
/* Changing to the same events costs nothing; 0 events keeps the watch asleep
 * (errors and hang-ups are still told). */
void loop_mod(struct loop *l, struct watch *w, uint32_t events);
/* Safe on a watch that was never added. */
void loop_del(struct loop *l, struct watch *w);

/* One wait (-1: for ever) and its callbacks. Returns 0 or -errno. */
int loop_once(struct loop *l, int timeout_ms);
/* Until loop_stop(). */
int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* A one-shot timer: a timerfd behind a watch. fired() runs in the loop. */
struct timer {
	struct watch watch;
	void (*fired)(struct timer *t);
};
int timer_init(struct timer *t, struct loop *l, const char *name,
	       void (*fired)(struct timer *t), struct err *e);
/* After ms milliseconds (0: disarm). */
void timer_set(struct timer *t, uint64_t ms);
void timer_fini(struct timer *t, struct loop *l);
