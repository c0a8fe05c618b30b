/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/event.h"

#include "base/auto.h"

#include <stdio.h>

static char *features[] = { "exec",	 "tty",	   "tar",    "stats",
			    "kill_rest", "caps",   "tune",   "ps",
			    "stat",	 "report", "forward" };

static void event_send(struct reply r, Vial__Agent__Event__EvCase which,
		       void *body)
{
	Vial__Agent__Event ev = VIAL__AGENT__EVENT__INIT;

	if (!r.to)
		return;
	ev.ev_case = which;
	ev.hello = body; /* a union: they all lie in the same place */
	caller_send(r.callers, r.to, &ev.base);
}

void event_hello(struct reply r, uint32_t generation)
{
	Vial__Agent__Hello m = VIAL__AGENT__HELLO__INIT;
	char version[] = VIAL_VERSION;

	m.generation = generation;
	m.features = features;
	m.n_features = ARRAY_LEN(features);
	m.version = version;
	event_send(r, VIAL__AGENT__EVENT__EV_HELLO, &m);
}

void event_setup_done(struct reply r, uint64_t boot_us)
{
	Vial__Agent__SetupDone m = VIAL__AGENT__SETUP_DONE__INIT;

	m.boot_us = boot_us;
	event_send(r, VIAL__AGENT__EVENT__EV_SETUP_DONE, &m);
}

void event_started(struct reply r, pid_t pid)
{
	Vial__Agent__Started m = VIAL__AGENT__STARTED__INIT;

	m.key = r.key;
	m.pid = (uint32_t)pid;
	event_send(r, VIAL__AGENT__EVENT__EV_STARTED, &m);
}

void event_failed(struct reply r, Vial__Agent__Failed__Kind kind,
		  const char *stage, const struct err *why)
{
	Vial__Agent__Failed m = VIAL__AGENT__FAILED__INIT;
	struct err text = *why;
	char where[64];

	snprintf(where, sizeof(where), "%s", stage);
	m.key = r.key;
	m.kind = kind;
	m.error = (uint32_t)why->code;
	m.stage = where;
	m.message = text.msg;
	event_send(r, VIAL__AGENT__EVENT__EV_FAILED, &m);
}

void event_exited(struct reply r, Vial__Agent__Exited *x)
{
	x->key = r.key;
	event_send(r, VIAL__AGENT__EVENT__EV_EXITED, x);
}

void event_tar_done(struct reply r, uint64_t entries, uint64_t bytes)
{
	Vial__Agent__TarDone m = VIAL__AGENT__TAR_DONE__INIT;

	m.key = r.key;
	m.entries = entries;
	m.bytes = bytes;
	event_send(r, VIAL__AGENT__EVENT__EV_TAR_DONE, &m);
}

void event_stats(struct reply r, Vial__Agent__StatsReply *s)
{
	event_send(r, VIAL__AGENT__EVENT__EV_STATS, s);
}

void event_processes(struct reply r, Vial__Agent__ProcessList *l)
{
	event_send(r, VIAL__AGENT__EVENT__EV_PROCESSES, l);
}

void event_stat(struct reply r, Vial__Agent__StatReply *s)
{
	event_send(r, VIAL__AGENT__EVENT__EV_STAT, s);
}

void event_frozen(struct reply r)
{
	Vial__Agent__Frozen m = VIAL__AGENT__FROZEN__INIT;

	event_send(r, VIAL__AGENT__EVENT__EV_FROZEN, &m);
}

void event_link_done(struct reply r)
{
	Vial__Agent__LinkDone m = VIAL__AGENT__LINK_DONE__INIT;

	m.key = r.key;
	event_send(r, VIAL__AGENT__EVENT__EV_LINK_DONE, &m);
}

void event_called(struct reply r, uint64_t call)
{
	Vial__Agent__Called m = VIAL__AGENT__CALLED__INIT;

	m.key = r.key;
	m.call = call;
	event_send(r, VIAL__AGENT__EVENT__EV_CALLED, &m);
}

void event_report(struct reply r, char *text)
{
	Vial__Agent__Report m = VIAL__AGENT__REPORT__INIT;

	m.key = r.key;
	m.text = text;
	event_send(r, VIAL__AGENT__EVENT__EV_REPORT, &m);
}
