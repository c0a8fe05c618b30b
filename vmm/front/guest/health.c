/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/health.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void told(struct health *h, const char *status)
{
	snprintf(h->status, sizeof(h->status), "%s", status);
	h->changed(h, h->status, h->failures);
}

static void judge(struct health *h, bool well)
{
	const struct spec_health *c = &h->spec->health;
	bool early = now_us() - h->start_us < c->start_period_ms * 1000;

	h->key = 0;
	timer_set(&h->timer, c->interval_ms);
	if (well) {
		h->failures = 0;
		told(h, "healthy");
	} else if (!early || strcmp(h->status, "starting") != 0) {
		h->failures++;
		told(h, h->failures >= c->retries ? "unhealthy" : h->status);
	}
}

/* Its output is nobody's; the time limit is the agent's to keep. */
static int check(struct health *h, struct err *e)
{
	const struct guest_exec how = { .no_in = true, .no_out = true };
	struct spec s = *h->spec;
	char sh[] = "/bin/sh", c[] = "-c";
	char *argv[] = { sh, c, NULL, NULL };

	memcpy(&argv[2], &h->spec->health.cmd, sizeof(argv[2]));
	s.argv = (struct strv){ .v = argv, .n = 3 };
	s.tty = false;
	s.timeout_ms = s.health.timeout_ms;
	s.grace_ms = 0;
	h->key = guest_key();
	return guest_exec(h->guest, h->key, &s, &how, e);
}

static void fired(struct timer *t)
{
	struct health *h = container_of(t, struct health, timer);
	struct err e;

	if (!h->key && check(h, &e) < 0)
		judge(h, false);
}

int health_start(struct health *h, struct loop *l, struct guest *g,
		 const struct spec *s, struct err *e)
{
	if (!s->health.cmd || s->health.none ||
	    strcmp(s->health.cmd, "none") == 0)
		return 0;
	h->guest = g;
	h->loop = l;
	h->start_us = now_us();
	if (timer_init(&h->timer, l, "health", fired, e) < 0)
		return -e->code;
	h->spec = s;
	told(h, "starting");
	timer_set(&h->timer, s->health.interval_ms);
	return 0;
}

void health_stop(struct health *h)
{
	if (!h->spec)
		return;
	timer_fini(&h->timer, h->loop);
	h->spec = NULL;
}

bool health_heard(struct health *h, const Vial__Agent__Event *ev)
{
	bool failed = ev->ev_case == VIAL__AGENT__EVENT__EV_FAILED;
	bool exited = ev->ev_case == VIAL__AGENT__EVENT__EV_EXITED;
	bool started = ev->ev_case == VIAL__AGENT__EVENT__EV_STARTED;
	uint64_t key = failed  ? ev->failed->key
		     : exited  ? ev->exited->key
		     : started ? ev->started->key
			       : 0;

	if (!h->spec || !h->key || key != h->key)
		return false;
	if (exited)
		judge(h, ev->exited->status == 0 && ev->exited->signal == 0 &&
				 !ev->exited->timed_out);
	else if (failed)
		judge(h, false);
	return true;
}
