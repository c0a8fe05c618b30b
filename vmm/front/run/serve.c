/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c - what other clients ask of a running box (keep.proto). */
#include "run/run_priv.h"

#include "base/auto.h"
#include "box/events.h"
#include "box/control.h"
#include "run/nic.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* What a guest that does not answer is given after KILL. */
#define DEAD_MS 5000

static struct run *run_of(struct keep_client *c)
{
	return container_of(c->keep, struct run, keep);
}

static void send_signal(struct run *r, int signo, bool group)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", signo);
	boxevents_add(&r->launch.info, "kill", "signal", text);
	guest_signal(&r->guest, r->key, signo, group);
}

/* ---- stopping ---- */

static void grace_fired(struct timer *t)
{
	struct run *r = container_of(t, struct run, grace);

	if (r->exited)
		return;
	if (r->grace_over) {
		r->no_drain = true;
		run_fail(r, REPORT_STOPPED, STATUS_SIGNAL + SIGKILL,
			 "the guest did not end its command: the box was "
			 "switched off");
		return;
	}
	r->grace_over = true;
	guest_signal(&r->guest, r->key, SIGKILL, false);
	timer_set(&r->grace, DEAD_MS);
}

void run_stop(struct run *r, int signo, uint64_t grace_ms)
{
	struct err ignored;

	if (!signo && r->spec->stop_signal)
		signo = signals_parse(r->spec->stop_signal, &ignored);
	if (signo <= 0)
		signo = SIGTERM;
	if (!r->started) {
		r->no_drain = true;
		run_fail(r, REPORT_STOPPED, STATUS_SIGNAL + signo,
			 "the box was stopped before its command started");
		return;
	}
	if (state_is(&r->launch.info, "paused")) {
		control_resume(r->launch.box.dir, &ignored);
		run_record(r, "running");
	}
	send_signal(r, signo, false);
	r->grace_over = signo == SIGKILL;
	timer_set(&r->grace, r->grace_over ? DEAD_MS : MAX(grace_ms, 1ull));
}

static void on_stop(struct run *r, struct keep_client *c,
		    const Vial__Keep__Stop *s)
{
	uint64_t grace = s->own_grace ? r->spec->stop_timeout_ms : s->grace_ms;

	if (r->exited) {
		keep_answer(c, 0, NULL);
		return;
	}
	c->waits = true;
	r->stopping = s->signal != SIGKILL;
	keep_answer(c, 0, NULL);
	run_stop(r, (int)s->signal, grace);
}

static void on_signal(struct run *r, struct keep_client *c,
		      const Vial__Keep__Signal *s)
{
	if (!r->started || r->exited) {
		keep_answer(c, ESRCH, "the command does not run");
		return;
	}
	keep_answer(c, 0, NULL);
	if (s->signal == SIGKILL)
		run_stop(r, SIGKILL, 0);
	else
		send_signal(r, (int)s->signal, s->group);
}

/* ---- attaching ---- */

static void sink_gone(struct relay_sink *s)
{
	(void)s; /* the client's own hang-up ends the rest */
}

static void on_attach(struct run *r, struct keep_client *c,
		      const Vial__Keep__Attach *a)
{
	const bool want[] = { a->stdin, a->stdout, a->stderr && !r->spec->tty };
	int at = 0, n = 0;

	if (r->exited && stdio_drained(&r->io)) {
		keep_answer(c, ESRCH, "the command has ended");
		return;
	}
	for (int i = 0; i < KEEP_FDS && n == 0; i++) {
		bool sent = i == 0 ? a->stdin : i == 1 ? a->stdout : a->stderr;
		int fd = sent && at < KEEP_FDS ? c->fd[at++] : -1;

		if (!want[i] || (i == STDIO_IN && !r->spec->interactive))
			continue;
		if (i > 0)
			c->sink[i - 1].gone = sink_gone;
		n = fd < 0	  ? -EBADF
		  : i == STDIO_IN ? stdio_add_input(&r->io, fd)
				  : stdio_add_output(&r->io, (unsigned)i,
						     &c->sink[i - 1], fd);
		/* An input that has ended, or has another source, is no
		 * reason not to watch. */
		if (i == STDIO_IN)
			n = 0;
	}
	if (a->rows && a->cols && r->spec->tty) {
		struct winsize size = { .ws_row = (unsigned short)a->rows,
					.ws_col = (unsigned short)a->cols };

		guest_resize(&r->guest, r->key, &size);
	}
	c->waits = true;
	keep_answer(c, n < 0 ? -n : 0, n < 0 ? strerror(-n) : NULL);
}

static void let_input_go(struct keep_client *c)
{
	struct run *r = run_of(c);

	for (int i = 0; i < KEEP_FDS; i++)
		if (c->fd[i] >= 0)
			stdio_drop_input(&r->io, c->fd[i]);
}

/* ---- the rest ---- */

static void on_pause(struct run *r, struct keep_client *c, bool pause)
{
	bool paused = state_is(&r->launch.info, "paused");
	struct err e = { 0 };
	int n;

	if (!r->started || r->exited || paused == pause) {
		keep_answer(c, EINVAL,
			    paused == pause && r->started
				    ? pause ? "the box is already paused"
					    : "the box is not paused"
				    : "the command does not run");
		return;
	}
	n = pause ? control_pause(r->launch.box.dir, &e)
		  : control_resume(r->launch.box.dir, &e);
	if (n == 0)
		run_record(r, pause ? "paused" : "running");
	keep_answer(c, n < 0 ? -n : 0, e.msg);
}

static void on_rename(struct run *r, struct keep_client *c, const char *name)
{
	struct err e = { 0 };
	int n = state_rename(&r->launch.box, &r->launch.info, name, &e);

	keep_answer(c, n < 0 ? -n : 0, n < 0 ? e.msg : NULL);
}

static void on_disk(const struct run *r, struct keep_client *c)
{
	if (r->disk < 0)
		keep_answer(c, ENOENT, "its disk has a name");
	else
		keep_answer_fd(c, r->disk);
}

static void on_network(struct run *r, struct keep_client *c,
		       const Vial__Keep__Network *m)
{
	const struct netlate_who who = {
		.id = r->launch.info.id,
		.name = r->launch.info.name,
		.ip = *m->ip ? m->ip : NULL,
		.aliases = m->aliases,
		.naliases = m->n_aliases,
	};
	struct err e = { 0 };
	int dir = r->launch.box.dir, n;

	if (!r->setup || r->exited)
		n = err_set(&e, ESRCH, "the command does not run");
	else if (state_is(&r->launch.info, "paused"))
		n = err_set(&e, EBUSY, "the box is paused");
	else
		n = m->leave ? nic_leave(&r->net, dir, m->name, &e)
			     : nic_join(&r->net, dir, m->name, &who, &e);

	if (n == 0)
		n = netinfo_write(&r->net.info, &r->launch.box, &e);
	keep_answer(c, n < 0 ? -n : 0, n < 0 ? e.msg : NULL);
}

static void on_probe(const struct run *r, struct keep_client *c, unsigned port)
{
	struct err e = { 0 };
	int n = boxnet_probe(&r->net, port, &e);

	keep_answer(c, n < 0 ? -n : 0, n < 0 ? e.msg : NULL);
}

static void called(struct keep_client *c, const Vial__Keep__Call *m)
{
	struct run *r = run_of(c);

	switch (m->op_case) {
	case VIAL__KEEP__CALL__OP_ATTACH:
		on_attach(r, c, m->attach);
		break;
	case VIAL__KEEP__CALL__OP_DETACH:
		let_input_go(c);
		keep_answer(c, 0, NULL);
		break;
	case VIAL__KEEP__CALL__OP_SIGNAL:
		on_signal(r, c, m->signal);
		break;
	case VIAL__KEEP__CALL__OP_STOP:
		on_stop(r, c, m->stop);
		break;
	case VIAL__KEEP__CALL__OP_RESIZE: {
		struct winsize size = {
			.ws_row = (unsigned short)m->resize->rows,
			.ws_col = (unsigned short)m->resize->cols,
		};

		if (r->started && r->spec->tty)
			guest_resize(&r->guest, r->key, &size);
		keep_answer(c, 0, NULL);
		break;
	}
	case VIAL__KEEP__CALL__OP_PAUSE:
	case VIAL__KEEP__CALL__OP_UNPAUSE:
		on_pause(r, c, m->op_case == VIAL__KEEP__CALL__OP_PAUSE);
		break;
	case VIAL__KEEP__CALL__OP_RENAME:
		on_rename(r, c, m->rename->name);
		break;
	case VIAL__KEEP__CALL__OP_NETWORK:
		on_network(r, c, m->network);
		break;
	case VIAL__KEEP__CALL__OP_PROBE:
		on_probe(r, c, m->probe);
		break;
	case VIAL__KEEP__CALL__OP_WAIT:
		c->waits = true;
		break;
	case VIAL__KEEP__CALL__OP_DISK:
		on_disk(r, c);
		break;
	default:
		keep_answer(c, ENOSYS, "this box's keeper does not know that");
		break;
	}
}

int run_serve(struct run *r, struct err *e)
{
	r->keep.called = called;
	r->keep.left = let_input_go;
	if (timer_init(&r->grace, &r->loop, "grace", grace_fired, e) < 0)
		return -e->code;
	return keep_open(&r->keep, &r->loop, r->launch.box.dir, e);
}

void run_unserve(struct run *r)
{
	if (!r->keep.loop)
		return;
	keep_close(&r->keep);
	timer_fini(&r->grace, &r->loop);
}
