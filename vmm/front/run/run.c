/* SPDX-License-Identifier: Apache-2.0 */
#include "run/run.h"

#include "base/auto.h"
#include "run/plan.h"
#include "run/run_priv.h"
#include "run/term.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOOT_SECONDS 120
#define COMMAND_MARGIN_MS 30000
#define UNREACHED_MS 5000
#define CONSOLE_TAIL 8192
#define LOG_TAIL 8192

static uint64_t boot_limit_ms(void)
{
	const char *env = getenv("VIAL_BOOT_TIMEOUT");
	struct err ignored;
	uint64_t ms;

	if (env && parse_duration(env, &ms, &ignored) == 0 && ms > 0)
		return ms;
	return BOOT_SECONDS * 1000ull;
}

/* What 'vial ps' shows of the command. */
static void describe(struct box_info *info, const struct spec *s)
{
	size_t used = 0;

	*info = (struct box_info){ 0 };
	state_new_id(info->id);
	info->created = time(NULL);
	if (s->name)
		snprintf(info->name, sizeof(info->name), "%s", s->name);
	snprintf(info->image, sizeof(info->image), "%s", s->image);
	for (size_t i = 0; i < s->argv.n && used < sizeof(info->command); i++)
		used += (size_t)snprintf(info->command + used,
					 sizeof(info->command) - used, "%s%s",
					 i ? " " : "", s->argv.v[i]);
}

/* From a spec to a box whose guest is on its way. */
static int run_launch(struct run *r, struct err *e)
{
	struct plan plan = PLAN_INIT;
	struct box_info info;
	int n;

	describe(&info, r->spec);
	if (plan_open(&plan, r->spec, e) < 0)
		return -e->code;
	r->report->cpus = plan.vcpus;
	r->report->ram_bytes = plan.ram_bytes;
	n = launch_start(&r->launch, &plan, &info, e);
	plan_close(&plan);
	if (n < 0)
		return n;
	report_mark(r->report, TIME_READY);
	r->report->box = r->launch.info;
	return 0;
}

static int run_greet(struct run *r, struct err *e)
{
	const char *name = r->spec->hostname;

	if (run_watch_box(r, e) < 0 || run_watch_guest(r, e) < 0)
		return -e->code;
	run_limit(r, LIMIT_BOOT, boot_limit_ms());
	return guest_setup(&r->guest, r->spec, name ? name : r->launch.info.id,
			   e);
}

/* A box that cannot be reached any more has mostly ended, and the monitor's
 * reason for that is the better one. */
static bool never(const struct run *r)
{
	(void)r;
	return false;
}

static void run_unreached(struct run *r, const struct err *e)
{
	if (e->code == ECONNREFUSED || e->code == ECONNRESET ||
	    e->code == EPIPE) {
		run_limit(r, LIMIT_LOST, UNREACHED_MS);
		run_wait(r, never);
	}
	run_fail(r, REPORT_ERROR, STATUS_VIAL, "%s", e->msg);
}

static bool is_setup(const struct run *r)
{
	return r->setup;
}

static bool is_started(const struct run *r)
{
	return r->started || r->exited;
}

static bool is_exited(const struct run *r)
{
	return r->exited && stdio_drained(&r->io);
}

static void run_command(struct run *r)
{
	struct err e = { 0 };

	/* Without copies the command goes out before the guest is up. */
	if (r->spec->in.n > 0) {
		run_wait(r, is_setup);
		if (r->setup)
			run_copy_in(r);
	}
	if (r->cut || r->monitor_gone)
		return;
	if (run_start_command(r, &e) < 0) {
		run_unreached(r, &e);
		return;
	}
	run_wait(r, is_started);
	if (r->started && r->spec->timeout_ms)
		run_limit(r, LIMIT_COMMAND,
			  r->spec->timeout_ms + r->spec->grace_ms +
				  COMMAND_MARGIN_MS);
	run_wait(r, is_exited);
	if (!is_exited(r))
		return;
	report_mark(r->report, TIME_EXITED);
	if (stdio_check(&r->io, &e) < 0)
		report_end(r->report, REPORT_ERROR, STATUS_VIAL, "%s", e.msg);
	report_exited(r->report, r->spec);
}

/* What explains the end, while the box is there to be asked. */
static void run_logs(struct run *r)
{
	autofree char *log = NULL;

	if (r->launch.box.dir < 0)
		return;
	log = state_tail(&r->launch.box, "vmm.log", LOG_TAIL);
	report_disk(r->report, log);
	if (!r->report->show_console)
		return;
	r->report->console =
		state_tail(&r->launch.box, "console.log", CONSOLE_TAIL);
	if (r->report->reason == REPORT_GUEST)
		report_panic(r->report);
}

static void run_record(struct run *r)
{
	struct box_info *info = &r->launch.info;

	snprintf(info->status, sizeof(info->status), "exited");
	snprintf(info->reason, sizeof(info->reason), "%s", r->report->message);
	info->finished = time(NULL);
	info->exit_status = r->report->status;
}

static void run_close(struct run *r)
{
	bool keep = !r->spec->rm && r->launch.box.dir >= 0;
	struct shim_msg last = { .kind = SHIM_READY };

	term_restore();
	copy_fini(&r->copy);
	stdio_fini(&r->io);
	guest_close(&r->guest);
	run_unwatch(r);
	report_end(r->report, REPORT_ERROR, STATUS_VIAL,
		   "the box ended before the command");
	run_logs(r);
	run_record(r);
	launch_end(&r->launch, keep, &last);
	run_monitor_ended(r, &last);
	timer_fini(&r->limit, &r->loop);
	signals_close(&r->signals);
	loop_fini(&r->loop);
	report_mark(r->report, TIME_END);
}

void run_box(const struct spec *s, struct report *report)
{
	struct run r = { .spec = s,
			 .report = report,
			 .launch = LAUNCH_INIT,
			 .io = STDIO_INIT };
	struct err e = { 0 };

	r.key = guest_key();
	if (loop_init(&r.loop, NULL, &e) < 0 ||
	    signals_open(&r.signals, &r.loop, run_signal, &e) < 0 ||
	    timer_init(&r.limit, &r.loop, "limit", run_limit_fired, &e) < 0 ||
	    run_launch(&r, &e) < 0) {
		report_end(report, REPORT_ERROR, STATUS_VIAL, "%s", e.msg);
	} else if (run_greet(&r, &e) < 0) {
		run_unreached(&r, &e);
	} else {
		run_command(&r);
		run_copy_out(&r);
		if (s->json)
			run_stats(&r);
	}
	run_close(&r);
}
