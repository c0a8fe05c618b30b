/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/ask.h"

#include "base/auto.h"
#include "base/fd.h"
#include "guest/guest.h"

#include <errno.h>
#include <stdlib.h>

#define PATIENCE_MS 60000

struct ask {
	struct loop loop;
	struct guest guest;
	bool done;
	struct err why; /* code 0: answered */
	Vial__Agent__StatsReply stats;
	Vial__Agent__ProcessList *processes;
	ProtobufCMessage *link; /* that is asked for */
	bool linked;
};

/* The event goes, the list stays. */
static void take_processes(struct ask *a, const Vial__Agent__ProcessList *m)
{
	size_t len = vial__agent__process_list__get_packed_size(m);
	autofree uint8_t *bytes = malloc(len + 1);

	if (bytes) {
		vial__agent__process_list__pack(m, bytes);
		a->processes =
			vial__agent__process_list__unpack(NULL, len, bytes);
	}
	if (!a->processes)
		err_set(&a->why, ENOMEM, "out of memory");
	a->done = true;
}

static void heard(struct guest *g, const Vial__Agent__Event *ev)
{
	struct ask *a = container_of(g, struct ask, guest);

	if (a->done)
		return;
	switch (ev->ev_case) {
	case VIAL__AGENT__EVENT__EV_PROCESSES:
		take_processes(a, ev->processes);
		break;
	case VIAL__AGENT__EVENT__EV_STATS:
		a->stats = *ev->stats;
		a->done = true;
		break;
	case VIAL__AGENT__EVENT__EV_LINK_DONE:
		a->linked = a->done = true;
		break;
	case VIAL__AGENT__EVENT__EV_FAILED:
		err_set(&a->why, EPROTO, "the guest refuses: %s",
			ev->failed->message);
		a->done = true;
		break;
	default:
		break;
	}
}

static void lost(struct guest *g, const struct err *why)
{
	struct ask *a = container_of(g, struct ask, guest);

	a->why = *why;
	a->done = true;
}

static int ask(struct ask *a, int boxdir, unsigned patience_ms,
	       void (*question)(struct guest *g), struct err *e)
{
	uint64_t until = now_us() + patience_ms * 1000ull, now;
	int r = loop_init(&a->loop, NULL, e);

	a->guest.heard = heard;
	a->guest.lost = lost;
	if (r == 0)
		r = guest_open(&a->guest, &a->loop, boxdir, e);
	if (r == 0)
		question(&a->guest);
	while (r == 0 && !a->done) {
		now = now_us();
		if (now >= until)
			r = err_set(e, ETIME, "the guest does not answer");
		else if (loop_once(&a->loop, (int)((until - now) / 1000) + 1) <
			 0)
			r = err_set(e, EIO, "wait for the guest");
	}
	guest_close(&a->guest);
	loop_fini(&a->loop);
	if (r == 0 && a->why.code) {
		*e = a->why;
		r = -e->code;
	}
	return r;
}

int ask_processes(int boxdir, unsigned patience_ms,
		  Vial__Agent__ProcessList **out, struct err *e)
{
	struct ask a = { .done = false };
	int r = ask(&a, boxdir, patience_ms, guest_processes, e);

	if (r == 0 && !a.processes)
		r = err_set(e, EPROTO, "the guest answers something else");
	*out = a.processes;
	return r;
}

int ask_stats(int boxdir, unsigned patience_ms, Vial__Agent__StatsReply *out,
	      struct err *e)
{
	struct ask a = { .stats = VIAL__AGENT__STATS_REPLY__INIT };
	int r = ask(&a, boxdir, patience_ms, guest_stats, e);

	if (a.processes)
		vial__agent__process_list__free_unpacked(a.processes, NULL);
	*out = a.stats;
	return r;
}

static void send_link(struct guest *g)
{
	guest_send(g, container_of(g, struct ask, guest)->link);
}

static int ask_link(int boxdir, unsigned patience_ms, ProtobufCMessage *m,
		    struct err *e)
{
	struct ask a = { .link = m };
	int r = ask(&a, boxdir, patience_ms, send_link, e);

	if (a.processes)
		vial__agent__process_list__free_unpacked(a.processes, NULL);
	if (r == 0 && !a.linked)
		r = err_set(e, EPROTO, "the guest answers something else");
	return r;
}

int ask_add_link(int boxdir, unsigned patience_ms, Vial__Agent__AddLink *m,
		 struct err *e)
{
	return ask_link(boxdir, patience_ms, &m->base, e);
}

int ask_remove_link(int boxdir, unsigned patience_ms, uint64_t device,
		    struct err *e)
{
	Vial__Agent__RemoveLink m = VIAL__AGENT__REMOVE_LINK__INIT;

	m.device = device;
	return ask_link(boxdir, patience_ms, &m.base, e);
}

int ask_alive(int boxdir, unsigned patience_ms, struct err *e)
{
	Vial__Agent__StatsReply ignored;

	return ask_stats(boxdir, patience_ms, &ignored, e);
}

unsigned ask_patience_ms(void)
{
	const char *env = getenv("VIAL_ANSWER_TIMEOUT");
	struct err ignored;
	uint64_t ms;

	if (env && parse_duration(env, &ms, &ignored) == 0 && ms > 0 &&
	    ms <= INT32_MAX)
		return (unsigned)ms;
	return PATIENCE_MS;
}
