/* SPDX-License-Identifier: Apache-2.0 */
#include "run/run_priv.h"

#include "base/auto.h"
#include "base/log.h"
#include "box/events.h"
#include "run/leave.h"
#include "guest/term.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATS_MS 5000
#define OFF_MS 10000
#define FLOW_MS 500
#define FLOWS 20 /* ten seconds */

/* A log is for those who come later: nobody does to a brief box that shows
 * its output to the one who started it. */
static bool wants_log(const struct run *r)
{
	const char *driver = r->spec->log.driver;

	if (driver)
		return strcmp(driver, "none") != 0;
	return r->detached || !r->launch.info.brief;
}

/* ---- leaving ---- */

static size_t typed(struct relay *in, uint8_t *bytes, size_t len)
{
	struct run *r = container_of(in, struct run, io.stream[STDIO_IN].relay);
	unsigned char raw[RELAY_FILTERED];

	memcpy(raw, bytes, len);
	r->leaving |= keys_feed(&r->keys, raw, len, bytes, &len);
	return len;
}

/* As if it had been started detached. A log is for those who come later, so
 * now there is one. */
static void leave(struct run *r)
{
	const struct spec *s = r->spec;
	struct err ignored;

	r->leaving = false;
	r->detached = true;
	term_restore();
	if (r->log.fd < 0 && wants_log(r))
		boxlog_open(&r->log, r->launch.box.dir, s->log.max_bytes,
			    s->log.files, &ignored);
	stdio_leave(&r->io, r->log.fd < 0 ? NULL : &r->log);
	/* What it is to bring out goes to where we were started. */
	if (s->out.n == 0 && chdir("/") < 0)
		log_debug("chdir /: %s", strerror(errno));
	boxevents_add(&r->launch.info, "detach", NULL, NULL);
	leave_now(r->how->leave);
}

/* ---- waiting ---- */

static bool over(const struct run *r)
{
	/* Output that has arrived is delivered, whatever the end was. */
	if (r->monitor_gone && !r->no_drain)
		return stdio_drained(&r->io);
	return r->cut;
}

void run_wait(struct run *r, bool (*done)(const struct run *r))
{
	while (!over(r) && !done(r)) {
		int n = loop_once(&r->loop, -1);

		if (n < 0)
			run_fail(r, REPORT_ERROR, STATUS_VIAL, "wait: %s",
				 strerror(-n));
		if (r->leaving)
			leave(r);
		if (!r->report->at[TIME_FIRST_OUTPUT] &&
		    stdio_bytes(&r->io, STDIO_OUT) > 0)
			report_mark(r->report, TIME_FIRST_OUTPUT);
	}
}

/* ---- the command ---- */

int run_start_command(struct run *r, struct err *e)
{
	const struct spec *s = r->spec;
	const struct run_how *how = r->how;
	bool mine = !how->detached;
	struct stdio_conf c = {
		.in = s->interactive,
		.err = !s->tty,
		.fd = { mine && !how->no_in ? STDIN_FILENO : -1,
			mine && !how->no_out ? STDOUT_FILENO : -1,
			mine && !how->no_err ? STDERR_FILENO : -1 },
		/* A box that was started detached may be given one input
		 * after the other; of others the end is the command's. */
		.input_once = mine || !s->detach,
	};
	struct guest_exec x = { .size = NULL };
	struct winsize size;

	if (wants_log(r)) {
		if (boxlog_open(&r->log, r->launch.box.dir, s->log.max_bytes,
				s->log.files, e) < 0)
			return -e->code;
		c.log = &r->log;
	}
	if (s->tty && mine && term_size(&size))
		x.size = &size;
	if (guest_exec(&r->guest, r->key, s, &x, e) < 0)
		return -e->code;
	if (stdio_open(&r->io, &r->loop, r->launch.box.dir, r->key, &c, e) < 0)
		return -e->code;
	if (!how->leavable)
		return 0;
	r->io.stream[STDIO_IN].relay.filter = typed;
	return keys_parse(&r->keys,
			  how->detach_keys ? how->detach_keys : s->detach_keys,
			  e);
}

/* ---- sockets ---- */

static bool is_still(const struct run *r)
{
	return r->still || sockets_calls(&r->sockets) == 0;
}

/* A connection that somebody in the background holds open is not waited for,
 * unless bytes come; nor a guest that lies about its command's end and sends
 * for ever. */
void run_flow_late(struct run *r)
{
	uint64_t now = sockets_moved(&r->sockets);

	if (now == r->flowed || ++r->flows == FLOWS) {
		r->still = true;
		return;
	}
	r->flowed = now;
	run_limit(r, LIMIT_FLOW, FLOW_MS);
}

void run_flow(struct run *r)
{
	if (is_still(r))
		return;
	r->flowed = sockets_moved(&r->sockets);
	run_limit(r, LIMIT_FLOW, FLOW_MS);
	run_wait(r, is_still);
	timer_set(&r->limit, 0);
}

/* ---- copies ---- */

/* The agent has stopped taking the archive, and is about to say why. */
static bool cut_by_agent(const struct err *e)
{
	return e->code == EPIPE || e->code == ECONNRESET;
}

static void copy_done(struct copy *c)
{
	struct run *r = container_of(c, struct run, copy);
	struct report_copy *rc = r->copy_report;

	rc->entries = c->result.entries;
	rc->bytes = c->result.bytes;
	/* What the agent says is nearer to the cause. */
	if (c->result.err.code && !*rc->error && !cut_by_agent(&c->result.err))
		snprintf(rc->error, sizeof(rc->error), "%s", c->result.err.msg);
	r->copied = true;
}

static bool copy_over(const struct run *r)
{
	return (r->copied && r->archived) || *r->copy_report->error;
}

static int ask_copy(struct run *r, const struct spec_copy *what, bool in,
		    struct err *e)
{
	Vial__Agent__PutTar put = VIAL__AGENT__PUT_TAR__INIT;
	Vial__Agent__GetTar get = VIAL__AGENT__GET_TAR__INIT;
	autofree char *target = in ? copy_in_target(what) : NULL;

	if (in && !target)
		return err_set(e, ENOMEM, "out of memory");
	put.key = get.key = r->copy_key;
	put.path = target;
	get.path = what->guest;
	guest_send(&r->guest, in ? &put.base : &get.base);
	return 0;
}

/* One tree, in or out. The reason of a failure is in the copy's report. */
static void copy_one(struct run *r, const struct spec_copy *what,
		     struct report_copy *rc, bool in)
{
	struct err e = { 0 };
	int fd = -1, n;

	r->copy_key = guest_key();
	r->copy_report = rc;
	r->copied = r->archived = false;
	r->copy.done = copy_done;
	n = ask_copy(r, what, in, &e);
	if (n == 0)
		n = fd = dial_stream(r->launch.box.dir, r->copy_key,
				     VIAL__AGENT__STREAM__WHICH__TAR, &e);
	if (fd >= 0)
		n = (in ? copy_in_start : copy_out_start)(&r->copy, &r->loop,
							  what, fd, &e);
	if (n >= 0)
		run_wait(r, copy_over);
	else
		snprintf(rc->error, sizeof(rc->error), "%s", e.msg);
	copy_fini(&r->copy);
	if (fd >= 0)
		close(fd);
	if (!copy_over(r))
		snprintf(rc->error, sizeof(rc->error),
			 "the box ended before the copy did");
	else if (r->copy.result.err.code && !*rc->error)
		snprintf(rc->error, sizeof(rc->error), "%s",
			 r->copy.result.err.msg);
	report_clean(rc->error);
	r->copy_key = 0;
}

void run_copy_in(struct run *r)
{
	for (size_t i = 0; i < r->spec->in.n && !over(r); i++) {
		struct report_copy *rc = &r->report->in[i];

		copy_one(r, &r->spec->in.v[i], rc, true);
		if (*rc->error)
			run_fail(r, REPORT_ERROR, STATUS_VIAL,
				 "copy %s to %s in the guest: %s",
				 r->spec->in.v[i].host, r->spec->in.v[i].guest,
				 rc->error);
	}
	if (r->spec->in.n > 0)
		report_mark(r->report, TIME_COPIED_IN);
}

/* Also after a command that failed: that is when people look. */
void run_copy_out(struct run *r)
{
	for (size_t i = 0; i < r->spec->out.n; i++) {
		const struct spec_copy *what = &r->spec->out.v[i];
		struct report_copy *rc = &r->report->out[i];

		if (over(r))
			snprintf(rc->error, sizeof(rc->error),
				 "the box ended before it was brought out");
		else
			copy_one(r, what, rc, false);
		/* A command that never ran left none, which is no news. */
		if (r->spec->quiet || !r->exited)
			continue;
		if (*rc->error)
			dprintf(STDERR_FILENO, "vial: artifact %s: %s\n",
				what->guest, rc->error);
		else if (r->copy.result.left_out > 0)
			dprintf(STDERR_FILENO,
				"vial: artifact %s: left out "
				"%llu entries that lead out of it or are no "
				"files (first: %s)\n",
				what->guest,
				(unsigned long long)r->copy.result.left_out,
				r->copy.result.first_left_out);
	}
	if (r->spec->out.n > 0)
		report_mark(r->report, TIME_COPIED_OUT);
}

static bool stats_done(const struct run *r)
{
	return r->stats || !r->guest.open;
}

void run_stats(struct run *r)
{
	if (over(r) || !r->guest.open)
		return;
	run_limit(r, LIMIT_LOST, STATS_MS);
	guest_stats(&r->guest);
	run_wait(r, stats_done);
	timer_set(&r->limit, 0);
}

static bool off(const struct run *r)
{
	return r->monitor_gone;
}

void run_power_off(struct run *r)
{
	/* What a brief box leaves undone is nobody's loss, but for what it
	 * wrote to a volume. */
	if (r->launch.info.brief && !boxmounts_outlive(&r->spec->mounts, true))
		return;
	if (over(r) || !r->guest.open || !r->setup)
		return;
	/* Whatever the end of the guest is now, it is not the command's. */
	r->stop_known = true;
	run_limit(r, LIMIT_OFF, OFF_MS);
	guest_shutdown(&r->guest);
	run_wait(r, off);
	timer_set(&r->limit, 0);
}
