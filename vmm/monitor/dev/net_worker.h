/* SPDX-License-Identifier: Apache-2.0 */
/* net_worker.h - a thread with a loop, for a pair of queues that is not the
 * machine loop's to serve.
 *
 * Whatever runs in the loop runs under the worker's own lock, which nobody else
 * takes but who holds the worker: between net_worker_hold() and net_worker_let()
 * nothing of it runs, and what it works on may be changed. It is asked before
 * the lock is, so a worker that is never idle lets go after one turn as well.
 *
 * It need not have a thread: until net_worker_start() its loop is turned by
 * whoever likes to (tests do). */
#pragma once

#include "dev/dev.h"

#include <pthread.h>
#include <stdatomic.h>

struct net_worker {
	struct loop loop;
	pthread_mutex_t lock; /* the loop's */
	pthread_cond_t changed;
	atomic_bool wanted; /* by who holds it */
	atomic_bool stop;
	bool entered; /* under lock */
	struct err why; /* under lock: it did not */
	pthread_t thread;
	bool started;
	const struct dev_threads *threads; /* until it has entered */
};

/* wake is an eventfd that the loop watches, so that net_worker_fini() can end
 * its wait; borrowed. */
int net_worker_init(struct net_worker *w, struct watch *wake, struct err *e);
int net_worker_start(struct net_worker *w, const struct dev_threads *t,
		     struct err *e);
void net_worker_hold(struct net_worker *w);
void net_worker_let(struct net_worker *w);
/* Waits for its end. What its loop watches may then be closed. */
void net_worker_fini(struct net_worker *w, struct watch *wake);
