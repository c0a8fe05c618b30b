/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/reap.h"

#include "base/auto.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap_one(struct reap *r, pid_t pid, int status,
		     const struct rusage *ru)
{
	for (struct child **p = &r->children; *p; p = &(*p)->next) {
		struct child *c = *p;

		if (c->pid != pid)
			continue;
		*p = c->next;
		c->pid = -1;
		c->exited(c, status, ru);
		return;
	}
	/* An orphan: nobody asks how it ended. */
}

static void reap_ready(struct watch *w, uint32_t events)
{
	struct reap *r = container_of(w, struct reap, watch);
	struct signalfd_siginfo si;
	bool any = false;

	(void)events;
	/* One record stands for any number of children: the signal does not
	 * queue. It is taken first, so that a later exit raises it again. */
	if (read(w->fd, &si, sizeof(si)) < 0 && errno != EAGAIN)
		return;
	for (;;) {
		struct rusage ru;
		int status;
		pid_t pid = wait4(-1, &status, WNOHANG, &ru);

		if (pid <= 0)
			break;
		any = true;
		reap_one(r, pid, status, &ru);
	}
	if (any && r->round)
		r->round(r);
}

int reap_init(struct reap *r, struct loop *l, struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	*r = (struct reap){
		.watch = { .fd = fd, .name = "children", .ready = reap_ready },
		.loop = l,
	};
	if (fd < 0)
		return err_sys(e, "signalfd");
	return loop_add(l, &r->watch, EPOLLIN, e);
}

void reap_fini(struct reap *r)
{
	if (!r->loop)
		return;
	loop_del(r->loop, &r->watch);
	if (r->watch.fd >= 0)
		close(r->watch.fd);
	r->loop = NULL;
}

void reap_add(struct reap *r, struct child *c)
{
	c->next = r->children;
	r->children = c;
}

void reap_drop(struct reap *r, struct child *c)
{
	for (struct child **p = &r->children; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		return;
	}
}

bool reap_none_left(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	       errno == ECHILD;
}
