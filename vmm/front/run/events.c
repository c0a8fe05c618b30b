/* SPDX-License-Identifier: Apache-2.0 */
#include "run/run_priv.h"

#include "base/auto.h"
#include "proto/control.pb-c.h"
#include "box/events.h"
#include "guest/term.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* How long the monitor may take to say why the guest's agent fell silent. */
#define DRAIN_MS 10000
#define LOST_MS 5000

/* ---- the agent ---- */

static void on_failed(struct run *r, const Vial__Agent__Failed *f)
{
	if (r->copy_key && f->key == r->copy_key) {
		snprintf(r->copy_report->error, sizeof(r->copy_report->error),
			 "%s", *f->message ? f->message : "failed");
		report_clean(r->copy_report->error);
		r->archived = true;
	} else if (f->key == r->key && !r->exited) {
		report_failed(r->report, f, r->spec);
		r->cut = true;
	} else if (f->kind == VIAL__AGENT__FAILED__KIND__NO_ROOT) {
		r->report->show_console = true;
		run_fail(r, REPORT_ERROR, STATUS_VIAL,
			 "image %s: the guest cannot mount it: %s",
			 r->spec->image, f->message);
	} else if (sockets_failed(&r->sockets, f->key)) {
		run_fail(r, REPORT_ERROR, STATUS_VIAL,
			 "--forward: in the guest: %s", f->message);
	} else if (!r->exited) {
		run_fail(r, REPORT_ERROR, STATUS_VIAL, "the guest refuses: %s",
			 f->message);
	}
}

static void health_changed(struct health *h, const char *status,
			   unsigned failures)
{
	struct run *r = container_of(h, struct run, health);

	snprintf(r->launch.info.health, sizeof(r->launch.info.health), "%s",
		 status);
	r->launch.info.health_failures = failures;
	run_record(r, r->launch.info.status);
}

static void on_started(struct run *r)
{
	struct winsize size;
	struct err ignored;

	report_mark(r->report, TIME_STARTED);
	r->started = true;
	/* With its monitor, also of a brief box: so that it is listed, and so
	 * that whoever finds it dead knows it was not to be kept. */
	r->launch.info.started = state_now();
	run_record(r, "running");
	boxevents_add(&r->launch.info, "start", NULL, NULL);
	r->health.changed = health_changed;
	health_start(&r->health, &r->loop, &r->guest, r->spec, &ignored);
	if (!r->spec->tty || r->detached)
		return;
	if (r->spec->interactive)
		term_raw();
	/* It may have changed while the guest booted. */
	if (term_size(&size))
		guest_resize(&r->guest, r->key, &size);
}

static void on_stats(struct run *r, const Vial__Agent__StatsReply *s)
{
	r->report->guest_mem_total_bytes = s->mem_total_bytes;
	r->report->guest_mem_peak_bytes = s->mem_peak_bytes;
	r->stats = true;
}

/* What hung when the time was up, for `vial logs --report`. */
static void on_report(struct run *r, const char *text)
{
	struct err ignored;

	state_put(&r->launch.box, "report.txt", text, &ignored);
}

/* Streams end before Exited comes, so what is missing is on its way, unless
 * the guest lies. Our own side may be as slow as it likes. */
static void run_await_output(struct run *r)
{
	r->drained =
		stdio_bytes(&r->io, STDIO_OUT) + stdio_bytes(&r->io, STDIO_ERR);
	run_limit(r, LIMIT_DRAIN, DRAIN_MS);
}

static void output_is_late(struct run *r)
{
	uint64_t now =
		stdio_bytes(&r->io, STDIO_OUT) + stdio_bytes(&r->io, STDIO_ERR);

	if (stdio_starves(&r->io) && now == r->drained)
		run_fail(r, REPORT_GUEST, STATUS_VIAL,
			 "the command has ended, but the guest keeps its "
			 "output open");
	else if (!stdio_drained(&r->io))
		run_await_output(r);
}

static void on_exited(struct run *r, const Vial__Agent__Exited *x)
{
	if (x->key != r->key || r->exited)
		return;
	r->exited = true;
	health_stop(&r->health);
	term_restore();
	run_await_output(r);
	/* The end itself is told when the output is complete. */
	report_take_exit(r->report, x);
}

static void heard(struct guest *g, const Vial__Agent__Event *ev)
{
	struct run *r = container_of(g, struct run, guest);

	if (health_heard(&r->health, ev) || sockets_heard(&r->sockets, ev))
		return;
	switch (ev->ev_case) {
	case VIAL__AGENT__EVENT__EV_SETUP_DONE:
		report_mark(r->report, TIME_SETUP);
		r->report->guest_boot_us = ev->setup_done->boot_us;
		r->setup = true;
		sockets_ready(&r->sockets);
		timer_set(&r->limit, 0);
		break;
	case VIAL__AGENT__EVENT__EV_STARTED:
		if (ev->started->key == r->key && !r->started)
			on_started(r);
		break;
	case VIAL__AGENT__EVENT__EV_FAILED:
		on_failed(r, ev->failed);
		break;
	case VIAL__AGENT__EVENT__EV_EXITED:
		on_exited(r, ev->exited);
		break;
	case VIAL__AGENT__EVENT__EV_TAR_DONE:
		if (r->copy_key && ev->tar_done->key == r->copy_key)
			r->archived = true;
		break;
	case VIAL__AGENT__EVENT__EV_STATS:
		on_stats(r, ev->stats);
		break;
	case VIAL__AGENT__EVENT__EV_REPORT:
		if (ev->report->key == r->key)
			on_report(r, ev->report->text);
		break;
	default:
		break; /* Hello, and what newer agents may add */
	}
}

static void lost(struct guest *g, const struct err *why)
{
	struct run *r = container_of(g, struct run, guest);

	if (why->code != EPIPE && why->code != ECONNRESET) {
		run_fail(r, REPORT_GUEST, STATUS_VIAL, "%s", why->msg);
		return;
	}
	/* Mostly the guest itself has ended, and the monitor knows why. */
	r->limit_of = LIMIT_LOST;
	timer_set(&r->limit, LOST_MS);
}

int run_watch_guest(struct run *r, struct err *e)
{
	r->guest.heard = heard;
	r->guest.lost = lost;
	return guest_open(&r->guest, &r->loop, r->launch.box.dir, e);
}

/* ---- the monitor and the shim ---- */

static void on_ended(struct run *r, const Vial__Control__Ended *end)
{
	static const char *const words[] = {
		[VIAL__CONTROL__ENDED__REASON__POWEROFF] =
			"the guest switched itself off",
		[VIAL__CONTROL__ENDED__REASON__REBOOT] =
			"the guest asked for a reboot, which ends a box",
		[VIAL__CONTROL__ENDED__REASON__PANIC] =
			"the guest's kernel panicked",
		[VIAL__CONTROL__ENDED__REASON__CRASH] = "the guest crashed",
	};
	bool by_itself = end->reason ==
				 VIAL__CONTROL__ENDED__REASON__POWEROFF ||
			 end->reason == VIAL__CONTROL__ENDED__REASON__REBOOT;
	bool crash = end->reason == VIAL__CONTROL__ENDED__REASON__CRASH;

	r->report->monitor_cpu_us = end->cpu_us;
	r->report->monitor_rss_bytes = end->max_rss_bytes;
	r->stop_known = true;
	if (end->reason == VIAL__CONTROL__ENDED__REASON__STOPPED) {
		report_end(r->report, REPORT_STOPPED, STATUS_SIGNAL + SIGKILL,
			   "the box was stopped");
		return;
	}
	/* A kernel that gives up while it boots restarts before it could
	 * say that it panicked in any other way. */
	r->report->show_console = !by_itself || !r->setup;
	if (!r->setup && end->reason == VIAL__CONTROL__ENDED__REASON__REBOOT)
		report_end(r->report, REPORT_GUEST, STATUS_VIAL,
			   "the guest's kernel restarted while it booted");
	if ((size_t)end->reason < ARRAY_LEN(words) && words[end->reason])
		report_end(r->report, REPORT_GUEST, STATUS_VIAL, "%s%s%s",
			   words[end->reason], crash ? ": " : "",
			   crash ? end->detail : "");
	else
		report_end(r->report, REPORT_ERROR, STATUS_VIAL,
			   "the monitor could not go on: %s", end->detail);
}

static void on_notice(struct run *r, const Vial__Control__Notice *n)
{
	switch (n->of_case) {
	case VIAL__CONTROL__NOTICE__OF_RUNNING:
		report_mark(r->report, TIME_RUNNING);
		r->report->monitor_start_us = n->running->start_us;
		break;
	case VIAL__CONTROL__NOTICE__OF_REFUSED:
		r->stop_known = true;
		report_end(r->report, REPORT_ERROR, STATUS_VIAL, "%s",
			   n->refused->message);
		break;
	case VIAL__CONTROL__NOTICE__OF_ENDED:
		on_ended(r, n->ended);
		break;
	default:
		break;
	}
}

/* Takes what is there. False at the end. */
static bool read_notices(struct run *r)
{
	ProtobufCMessage *m;
	int got = chan_fill(&r->notices), bad;

	while ((m = chan_next(&r->notices, &vial__control__notice__descriptor,
			      &bad))) {
		on_notice(r, (const void *)m);
		protobuf_c_message_free_unpacked(m, NULL);
	}
	return got >= 0 && bad == 0;
}

static void plan_ready(struct watch *w, uint32_t events)
{
	struct run *r = container_of(w, struct run, plan_watch);

	(void)events;
	if (!read_notices(r))
		loop_del(&r->loop, w);
}

/* The monitor's last words, when it went without a notice. */
static void explain_monitor(struct run *r, int status)
{
	autofree char *log = state_tail(&r->launch.box, "vmm.log", 4096);
	const char *line = log ? log : "";
	char how[64];
	size_t len;

	if (log) {
		len = strlen(log);
		while (len > 0 && log[len - 1] == '\n')
			log[--len] = '\0';
		line = strrchr(log, '\n') ? strrchr(log, '\n') + 1 : log;
	}
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "was killed by signal %d",
			 WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "ended with status %d",
			 WEXITSTATUS(status));
	r->report->show_console = true;
	report_end(r->report, REPORT_ERROR, STATUS_VIAL, "the monitor %s%s%s",
		   how, *line ? ": " : "", line);
}

void run_monitor_ended(struct run *r, const struct shim_msg *m)
{
	if (m->kind != SHIM_ENDED)
		return;
	r->report->monitor_cpu_us = m->cpu_us;
	r->report->monitor_rss_bytes = m->max_rss_bytes;
}

static void leash_ready(struct watch *w, uint32_t events)
{
	struct run *r = container_of(w, struct run, leash_watch);
	struct shim_msg m;
	ssize_t n = recv(w->fd, &m, sizeof(m), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Its notices were sent before it ended. */
	while (r->plan_watch.added && read_notices(r))
		;
	loop_del(&r->loop, &r->plan_watch);
	if (n != sizeof(m)) {
		loop_del(&r->loop, w);
		/* Should the monitor still live, this ends it. */
		shutdown(r->launch.plan, SHUT_RDWR);
		r->no_drain = true;
		run_fail(r, REPORT_ERROR, STATUS_VIAL,
			 "the shim was killed, and the box with it");
	} else if (m.kind == SHIM_ENDED) {
		run_monitor_ended(r, &m);
		if (!r->stop_known && !r->exited)
			explain_monitor(r, m.wait_status);
	}
	r->monitor_gone = true;
}

int run_watch_box(struct run *r, struct err *e)
{
	chan_init(&r->notices, r->launch.plan);
	r->plan_watch = (struct watch){ .fd = r->launch.plan,
					.name = "plan",
					.ready = plan_ready };
	r->leash_watch = (struct watch){ .fd = r->launch.leash,
					 .name = "leash",
					 .ready = leash_ready };
	if (loop_add(&r->loop, &r->plan_watch, EPOLLIN, e) < 0)
		return -e->code;
	return loop_add(&r->loop, &r->leash_watch, EPOLLIN, e);
}

void run_unwatch(struct run *r)
{
	loop_del(&r->loop, &r->plan_watch);
	loop_del(&r->loop, &r->leash_watch);
	chan_fini(&r->notices);
}

/* ---- time and signals ---- */

void run_limit(struct run *r, unsigned of, uint64_t ms)
{
	r->limit_of = of;
	timer_set(&r->limit, ms);
}

void run_limit_fired(struct timer *t)
{
	struct run *r = container_of(t, struct run, limit);

	switch (r->limit_of) {
	case LIMIT_BOOT:
		r->report->show_console = true;
		run_fail(r, REPORT_GUEST, STATUS_VIAL,
			 "the guest did not answer in time (VIAL_BOOT_"
			 "TIMEOUT changes how long that is)");
		break;
	case LIMIT_OFF:
		r->cut = true; /* its end is known already */
		break;
	case LIMIT_COMMAND:
		run_fail(r, REPORT_TIMEOUT, STATUS_TIMEOUT,
			 "command timed out after %g s, and the guest did "
			 "not end it",
			 (double)r->spec->timeout_ms / 1000);
		break;
	case LIMIT_FLOW:
		run_flow_late(r);
		break;
	case LIMIT_DRAIN:
		output_is_late(r);
		break;
	case LIMIT_LOST:
		r->report->show_console = true;
		run_fail(r, REPORT_GUEST, STATUS_VIAL,
			 "the agent in the guest has gone");
		break;
	}
}

static void interrupted(struct run *r, int signo)
{
	char name[24];

	r->no_drain = true;
	run_fail(r, REPORT_INTERRUPTED, STATUS_SIGNAL + signo, "ended by %s",
		 signals_name(signo, name, sizeof(name)));
}

/* The command gets what we get. From the keyboard comes a signal for the whole
 * job; others are meant for one process. A second ^C does not ask any more. */
void run_signal(struct signals *s, int signo)
{
	struct run *r = container_of(s, struct run, signals);
	bool ends = signo == SIGINT || signo == SIGTERM || signo == SIGHUP ||
		    signo == SIGQUIT;
	struct winsize size;

	if (r->detached) {
		/* The host goes down, or somebody means the box. */
		if (ends && signo != SIGHUP)
			run_stop(r, 0, r->spec->stop_timeout_ms);
		return;
	}
	if (signo == SIGWINCH) {
		if (r->started && r->spec->tty && term_size(&size))
			guest_resize(&r->guest, r->key, &size);
		return;
	}
	if (!r->started || r->exited) {
		if (ends)
			interrupted(r, signo);
		return;
	}
	if (signo == SIGINT && ++r->interrupts > 1) {
		r->no_drain = true;
		run_fail(r, REPORT_INTERRUPTED, STATUS_SIGNAL + SIGKILL,
			 "killed by a second SIGINT");
		return;
	}
	if (r->spec->no_sig_proxy)
		return;
	guest_signal(&r->guest, r->key, signo,
		     signo == SIGINT || signo == SIGQUIT);
}
