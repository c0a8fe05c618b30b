/* SPDX-License-Identifier: Apache-2.0 */
/* reap.h - the only place that waits for processes.
 *
 * PID 1 gets every orphan of the guest. Two waiters would steal each other's
 * children, so all ends come through here and are matched by pid. A child must
 * be added before control returns to the loop; then no exit, however fast, is
 * missed. */
#pragma once

#include "base/loop.h"

#include <sys/resource.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	void (*exited)(struct child *c, int status, const struct rusage *ru);
	struct child *next;
};

struct reap {
	struct watch watch;
	struct loop *loop;
	struct child *children;
	/* After a round in which something ended; may be NULL. */
	void (*round)(struct reap *r);
};

/* Takes SIGCHLD; every signal must be blocked already. */
int reap_init(struct reap *r, struct loop *l, struct err *e);
void reap_fini(struct reap *r);
/* The caller keeps the storage until exited() was called or reap_drop(). */
void reap_add(struct reap *r, struct child *c);
void reap_drop(struct reap *r, struct child *c);
/* True when the agent has no process left to wait for. */
bool reap_none_left(void);
