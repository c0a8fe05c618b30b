/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/down.h"

#include "agent/agent.h"
#include "agent/job.h"
#include "agent/mounts.h"
#include "base/auto.h"
#include "base/log.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

/* PID 1 reaches everybody; another agent, what it started. */
static void down_signal(struct agent *a, int sig)
{
	if (a->init)
		kill(-1, sig);
	else
		jobs_signal(a, sig);
}

static void down_next(struct agent *a)
{
	struct down *d = &a->down;

	if (reap_none_left() || d->state == DOWN_KILL) {
		d->state = DOWN_READY;
		loop_stop(&a->loop);
		return;
	}
	if (d->state == DOWN_TERM) {
		d->state = DOWN_KILL;
		down_signal(a, SIGKILL);
	} else {
		d->state = DOWN_TERM;
		down_signal(a, SIGTERM);
		/* What is stopped hears the rest only when it goes on. */
		down_signal(a, SIGCONT);
	}
	timer_set(&d->timer, DOWN_GRACE_MS);
}

static void down_fired(struct timer *t)
{
	struct down *d = container_of(t, struct down, timer);

	down_next(container_of(d, struct agent, down));
}

void down_begin(struct agent *a)
{
	struct err e;

	if (a->down.state != DOWN_NOT)
		return;
	loop_del(&a->loop, &a->listener);
	if (timer_init(&a->down.timer, &a->loop, "shutdown", down_fired, &e) <
	    0) {
		log_err("%s", e.msg);
		loop_stop(&a->loop);
		return;
	}
	down_next(a);
}

void down_check(struct agent *a)
{
	if (a->down.state != DOWN_NOT && reap_none_left())
		down_next(a);
}

void down_finish(struct agent *a)
{
	timer_fini(&a->down.timer, &a->loop);
	if (!a->init)
		return;
	sync();
	mounts_close();
	/* Read-only is as good as unmounted: the journal is closed. */
	if (a->was_set_up && chdir("/") == 0)
		mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	reboot(RB_POWER_OFF);
	/* No register to write to, then: end the machine the other way. */
	log_err("power off: not possible, restarting instead");
	reboot(RB_AUTOBOOT);
}
