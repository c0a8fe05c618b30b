/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/exec.h"

#include "base/auto.h"
#include "guest/ask.h"
#include "guest/guest.h"
#include "spec/signals.h"
#include "guest/stdio.h"
#include "guest/term.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* A signal is for the command. But who sends one wants an end: a guest that
 * does not answer some seconds later is not waited for. */
#define ANSWER_MS 5000

struct exec {
	const struct spec *spec;
	const struct box *box;
	struct report *report;
	struct loop loop;
	struct guest guest;
	struct signals signals;
	struct timer asked;
	struct stdio io;
	uint64_t key;
	bool started, exited, over;
	bool told; /* of a signal */
	unsigned interrupts;
};

static void on_started(struct exec *x)
{
	x->started = true;
	if (x->spec->detach) {
		report_end(x->report, REPORT_EXITED, 0, "%s", "");
		x->over = true;
	} else if (x->spec->tty && x->spec->interactive) {
		term_raw();
	}
}

static void heard(struct guest *g, const Vial__Agent__Event *ev)
{
	struct exec *x = container_of(g, struct exec, guest);

	switch (ev->ev_case) {
	case VIAL__AGENT__EVENT__EV_STARTED:
		if (ev->started->key == x->key && !x->started)
			on_started(x);
		break;
	case VIAL__AGENT__EVENT__EV_FAILED:
		if (ev->failed->key != x->key || x->exited)
			break;
		report_failed(x->report, ev->failed, x->spec);
		x->over = true;
		break;
	case VIAL__AGENT__EVENT__EV_EXITED:
		if (ev->exited->key != x->key || x->exited)
			break;
		x->exited = true;
		report_take_exit(x->report, ev->exited);
		break;
	default:
		break;
	}
}

static void lost(struct guest *g, const struct err *why)
{
	struct exec *x = container_of(g, struct exec, guest);

	(void)why;
	/* What has come is still written; a box that ends takes its commands
	 * along, as KILL would. */
	if (!x->exited)
		report_end(x->report, REPORT_STOPPED, STATUS_SIGNAL + SIGKILL,
			   "the box has ended, and the command with it");
	x->over = true;
}

static void got_signal(struct signals *s, int signo)
{
	struct exec *x = container_of(s, struct exec, signals);
	struct winsize size;

	if (signo == SIGWINCH) {
		if (x->started && x->spec->tty && term_size(&size))
			guest_resize(&x->guest, x->key, &size);
		return;
	}
	if (signo == SIGINT && ++x->interrupts > 1) {
		report_end(x->report, REPORT_INTERRUPTED,
			   STATUS_SIGNAL + SIGKILL,
			   "killed by a second SIGINT");
		x->over = true;
		return;
	}
	guest_signal(&x->guest, x->key, signo,
		     signo == SIGINT || signo == SIGQUIT);
	x->told = true;
	timer_set(&x->asked, ANSWER_MS);
}

static bool is_paused(const struct exec *x)
{
	struct box_info info;
	struct err ignored;

	return state_read(x->box, &info, &ignored) == 0 &&
	       state_is(&info, "paused");
}

/* It is late for the command to start, or for its end by a signal. */
static void asked(struct timer *t)
{
	struct exec *x = container_of(t, struct exec, asked);
	unsigned patience_ms = ask_patience_ms() / (x->told ? 6 : 2);
	struct err e;

	if (x->exited || x->over || !x->guest.open || (x->started && !x->told))
		return;
	if (ask_alive(x->box->dir, patience_ms, &e) == 0 || e.code != ETIME ||
	    (!x->told && is_paused(x))) {
		if (!x->started)
			timer_set(&x->asked, ask_patience_ms() / 2);
		return;
	}
	report_end(x->report, REPORT_ERROR, STATUS_VIAL,
		   "the guest does not answer%s (vial kill ends it)",
		   x->started ? "; the command may go on in it" : "");
	x->over = true;
}

static int exec_start(struct exec *x, const struct box *b, struct err *e)
{
	const struct spec *s = x->spec;
	struct stdio_conf c = { .in = s->interactive,
				.err = !s->tty,
				.fd = { 0, 1, 2 },
				.input_once = true };
	struct guest_exec how = { .rest = true,
				  .detach = s->detach,
				  .no_in = s->detach,
				  .no_out = s->detach };
	struct winsize size;

	x->guest.heard = heard;
	x->guest.lost = lost;
	if (timer_init(&x->asked, &x->loop, "asked", asked, e) < 0 ||
	    signals_open(&x->signals, &x->loop, got_signal, e) < 0 ||
	    guest_open(&x->guest, &x->loop, b->dir, e) < 0)
		return -e->code;
	if (s->tty && term_size(&size))
		how.size = &size;
	if (guest_exec(&x->guest, x->key, s, &how, e) < 0)
		return -e->code;
	timer_set(&x->asked, ask_patience_ms() / 2);
	return s->detach ? 0
			 : stdio_open(&x->io, &x->loop, b->dir, x->key, &c, e);
}

static bool done(const struct exec *x)
{
	if (x->exited)
		return stdio_drained(&x->io);
	return x->over;
}

void exec_run(const struct box *b, const struct spec *s, struct report *report)
{
	struct exec x = {
		.spec = s, .box = b, .report = report, .io = STDIO_INIT
	};
	struct err e = { 0 };
	int r;

	x.key = guest_key();
	r = loop_init(&x.loop, NULL, &e);
	if (r == 0)
		r = exec_start(&x, b, &e);
	while (r == 0 && !done(&x))
		r = loop_once(&x.loop, -1);
	term_restore();
	if (r < 0)
		report_end(report, REPORT_ERROR, STATUS_VIAL, "%s",
			   e.code ? e.msg : strerror(-r));
	else if (x.exited && stdio_check(&x.io, &e) < 0)
		report_end(report, REPORT_ERROR, STATUS_VIAL, "%s", e.msg);
	else if (x.exited)
		report_exited(report, s);
	stdio_fini(&x.io);
	guest_close(&x.guest);
	signals_close(&x.signals);
	timer_fini(&x.asked, &x.loop);
	loop_fini(&x.loop);
}
