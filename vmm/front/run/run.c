/* SPDX-License-Identifier: Apache-2.0 */
#include "run/run.h"

#include "base/auto.h"
#include "base/log.h"
#include "box/events.h"
#include "box/create.h"
#include "run/plan.h"
#include "run/run_priv.h"
#include "guest/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

void run_record(struct run *r, const char *status)
{
	struct box_info *info = &r->launch.info;
	const struct box_info before = *info;
	struct err ignored;

	snprintf(info->status, sizeof(info->status), "%s", status);
	/* A brief box has nobody to read it but `vial ps`. */
	if (r->launch.box.dir >= 0)
		state_write(&r->launch.box, info, &ignored);
	boxevents_changed(&before, info);
}

void run_tell(struct run *r, int status, const char *message)
{
	if (r->told || !r->how->started)
		return;
	r->told = true;
	r->how->started(r->how->arg, status, message);
}

/* A disk without a name is ours to hand out (serve.c). */
static int run_keep_disk(struct run *r, const struct plan *plan, struct err *e)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", plan->overlay);
	r->disk = open(path, O_RDONLY | O_CLOEXEC);
	return r->disk < 0 ? err_sys(e, "disk of the box") : 0;
}

/* A box of our own, or the one we were given, with its disk. */
static int run_take(struct run *r, struct plan *plan, struct box *b,
		    struct box_info *info, struct err *e)
{
	bool mem;

	if (r->how->box) {
		*b = *r->how->box;
		*info = *r->how->info;
		*r->how->box = (struct box)BOX_INIT;
	} else {
		box_describe(info, r->spec);
		snprintf(info->status, sizeof(info->status), "running");
		info->started = info->created;
		if (box_make(b, info, r->spec, e) < 0)
			return -e->code;
	}
	/* From here on it is ours to end. */
	r->launch.box = *b;
	r->launch.info = *info;
	/* A brief box has a disk when somebody has copied into it before. */
	mem = info->brief && faccessat(b->dir, "disk", F_OK, 0) < 0;
	if (plan_open_disk(plan, mem ? -1 : b->dir, e) < 0)
		return -e->code;
	return mem ? run_keep_disk(r, plan, e) : 0;
}

/* The share outlives the plan: it is a child, and ends with the box. */
static int run_mount(struct run *r, struct plan *plan, const struct box *b,
		     const struct box_info *info, struct err *e)
{
	autoclose int log = openat(b->dir, "vmm.log",
				   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
				   0600);

	plan->mounts = &r->mounts;
	plan->net = &r->net;
	if (boxmounts_open(&r->mounts, &r->spec->mounts, info->name,
			   info->brief, log, e) < 0)
		return -e->code;
	/* Who only visits it needs no network. */
	if (r->how->visit)
		return 0;
	if (boxnet_open(&r->net, r->spec, b, info->name, plan->vcpus, log, e) <
	    0)
		return -e->code;
	if (*r->net.missing && !r->spec->quiet)
		log_warn("the box has no network: %s", r->net.missing);
	if (*r->net.warning && !r->spec->quiet)
		log_warn("network %s: %s", r->net.info.mode, r->net.warning);
	return 0;
}

/* From a spec to a box whose guest is on its way. */
static int run_launch(struct run *r, struct err *e)
{
	struct plan plan = PLAN_INIT;
	struct box_info info;
	struct box b = BOX_INIT;
	int n;

	if (!r->how->visit && sockets_open(&r->sockets, r->spec, e) < 0)
		return -e->code;
	if (plan_open(&plan, r->spec, e) < 0)
		return -e->code;
	plan.sockets = &r->sockets;
	r->report->cpus = plan.vcpus;
	r->report->ram_bytes = plan.ram_bytes;
	n = run_take(r, &plan, &b, &info, e);
	if (n == 0)
		n = run_mount(r, &plan, &b, &info, e);
	if (n == 0)
		n = launch_start(&r->launch, &plan, &b, &info, e);
	plan_close(&plan);
	boxmounts_hand_on(&r->mounts);
	boxnet_hand_on(&r->net);
	if (n < 0)
		return n;
	report_mark(r->report, TIME_READY);
	r->report->box = r->launch.info;
	return 0;
}

static int run_greet(struct run *r, struct err *e)
{
	const char *name = r->spec->hostname;

	char id[BOX_SHORT_LEN + 1];

	snprintf(id, sizeof(id), "%.*s", BOX_SHORT_LEN, r->launch.info.id);
	if (run_watch_box(r, e) < 0 || run_watch_guest(r, e) < 0 ||
	    run_serve(r, e) < 0)
		return -e->code;
	run_limit(r, LIMIT_BOOT, boot_limit_ms());
	if (guest_setup(&r->guest, r->spec, &r->net, name ? name : id, e) < 0)
		return -e->code;
	return sockets_start(&r->sockets, &r->loop, &r->guest,
			     r->launch.box.dir, e);
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

	/* Without them the command goes out before the guest is up. */
	if (r->spec->in.n > 0)
		run_wait(r, is_setup);
	if (r->setup)
		run_copy_in(r);
	if (r->cut || r->monitor_gone)
		return;
	if (boxnet_check(&r->net, &e) < 0) {
		run_fail(r, REPORT_ERROR, STATUS_VIAL, "%s", e.msg);
		return;
	}
	if (run_start_command(r, &e) < 0) {
		run_unreached(r, &e);
		return;
	}
	run_wait(r, is_started);
	if (r->started)
		run_tell(r, -1, "");
	if (r->started && !r->exited && r->spec->timeout_ms)
		run_limit(r, LIMIT_COMMAND,
			  r->spec->timeout_ms + r->spec->grace_ms +
				  COMMAND_MARGIN_MS);
	run_wait(r, is_exited);
	if (!is_exited(r))
		return;
	report_mark(r->report, TIME_EXITED);
	run_flow(r);
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

/* A command that never ran leaves a box that was created, as docker has it. */
static void run_record_end(struct run *r)
{
	struct box_info *info = &r->launch.info;
	bool ran = r->started || r->report->reason != REPORT_NOT_STARTED;

	if (r->how->visit)
		return;
	snprintf(info->reason, sizeof(info->reason), "%s", r->report->message);
	info->finished = state_now();
	info->exit_status = r->report->status;
	info->oom_killed = r->report->oom_killed;
	info->pid = 0;
	if (r->launch.box.dir >= 0 && !info->brief)
		run_record(r, ran ? "exited" : "created");
	if (ran && r->launch.box.dir >= 0)
		boxevents_ended(info);
	if (ran && r->stopping)
		boxevents_add(info, "stop", NULL, NULL);
}

static void run_close(struct run *r)
{
	struct shim_msg last = { .kind = SHIM_READY };

	term_restore();
	copy_fini(&r->copy);
	stdio_fini(&r->io);
	sockets_hang_up(&r->sockets);
	guest_close(&r->guest);
	health_stop(&r->health);
	run_unwatch(r);
	report_end(r->report, REPORT_ERROR, STATUS_VIAL,
		   "the box ended before the command");
	run_logs(r);
	boxlog_close(&r->log);
	run_record_end(r);
	launch_end(&r->launch, &last);
	sockets_close(&r->sockets);
	auto_close_(&r->disk);
	boxmounts_close(&r->mounts);
	boxnet_close(&r->net);
	run_monitor_ended(r, &last);
	/* Whoever hears of the end finds it so. */
	run_tell(r, r->report->status, r->report->message);
	keep_ended(&r->keep, r->report->status, r->report->oom_killed,
		   r->report->message);
	run_unserve(r);
	timer_fini(&r->limit, &r->loop);
	signals_close(&r->signals);
	loop_fini(&r->loop);
	report_mark(r->report, TIME_END);
}

void run_box(const struct spec *s, struct report *report,
	     const struct run_how *how)
{
	struct run r = { .spec = s,
			 .how = how,
			 .report = report,
			 .detached = how->detached,
			 .launch = LAUNCH_INIT,
			 .disk = -1,
			 .mounts = BOXMOUNTS_INIT,
			 .net = BOXNET_INIT,
			 .log = BOXLOG_INIT,
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
	} else if (how->visit) {
		run_visited(&r);
	} else {
		run_command(&r);
		run_copy_out(&r);
		if (s->json)
			run_stats(&r);
		run_power_off(&r);
	}
	run_close(&r);
}
