/* SPDX-License-Identifier: Apache-2.0 */
/* vial start: runs the command of boxes that were created or have ended. */
#include "cli/start.h"

#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "run/attach.h"
#include "box/create.h"
#include "run/detach.h"
#include "spec/keys.h"
#include "run/leave.h"
#include "run/run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

struct start {
	bool attach, interactive;
	const char *detach_keys;
};

static const struct opt opts[] = {
	OPT_FLAG('a', "attach", struct start, attach,
		 "Show its output, hand on signals, return its exit status"),
	OPT_FLAG('i', "interactive", struct start, interactive,
		 "Hand standard input to it, too"),
	OPT_STR(0, "detach-keys", struct start, detach_keys, "KEYS",
		"What leaves it running (ctrl-p,ctrl-q)"),
	OPT_END
};

/* For one who starts it from here on: locked, its spec loaded. */
static int take(struct box *b, struct box_info *info, struct spec *s,
		struct err *e)
{
	if (state_lock(b, e) < 0)
		return -e->code;
	if (state_read(b, info, e) < 0 || box_load(b, s, e) < 0)
		return -e->code;
	snprintf(info->status, sizeof(info->status), "running");
	info->started = state_now();
	info->finished = 0;
	info->exit_status = 0;
	info->oom_killed = false;
	*info->reason = *info->health = '\0';
	return state_write(b, info, e);
}

int start_box(const char *what, struct err *e)
{
	struct box_info info;
	struct spec s;
	struct box b;
	int r;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	/* As docker has it: what runs is started. */
	if (info.alive) {
		state_close(&b);
		return 0;
	}
	spec_init(&s);
	r = take(&b, &info, &s, e);
	if (r == 0 && detach_run(&s, &b, &info, e) > 0)
		r = -EIO;
	state_close(&b);
	spec_fini(&s);
	return r;
}

static int start_each(void *arg, const char *what, struct err *e)
{
	(void)arg;
	return start_box(what, e);
}

static int foreground(const struct start *o, struct box *b,
		      struct box_info *info, const struct spec *s,
		      struct err *e)
{
	struct run_how how = { .box = b,
			       .info = info,
			       .no_in = !o->interactive,
			       .detach_keys = o->detach_keys };
	struct report r;
	int status;

	if (leave_possible(s, o->interactive)) {
		how.leavable = true;
		how.leave = leave_split(e);
	}
	if (how.leave < 0 || report_init(&r, s, e) < 0)
		return cmd_error(e);
	run_box(s, &r, &how);
	report_print(&r, STDERR_FILENO, !info->brief);
	status = r.status;
	report_fini(&r);
	return status;
}

static int start_attached(const struct start *o, const char *what)
{
	struct err e = { 0 };
	struct box_info info;
	struct spec s;
	struct box b;
	int status;

	if (each_open(what, &info, &b, &e) < 0)
		return cmd_error(&e);
	spec_init(&s);
	if (info.alive) {
		struct attach a = { .out = true,
				    .err = true,
				    .proxy = true,
				    .in = o->interactive,
				    .detach_keys = o->detach_keys };

		status = box_load(&b, &s, &e);
		a.tty = s.tty;
		a.in = a.in && s.interactive;
		if (status == 0)
			status = attach_box(&b, &a, &e);
		if (status < 0)
			status = cmd_error(&e);
	} else if (take(&b, &info, &s, &e) < 0) {
		status = cmd_error(&e);
	} else {
		/* Without -i its input is at its end. */
		s.interactive = s.interactive && o->interactive;
		status = foreground(o, &b, &info, &s, &e);
	}
	spec_fini(&s);
	state_close(&b);
	return status;
}

static int start_main(const struct cmd *c, int argc, char **argv)
{
	struct start o = { 0 };
	struct err e = { 0 };
	struct keys keys;
	int status, first = cmd_parse(c, argc, argv, &o, &status);

	if (first < 0)
		return status;
	if (keys_parse(&keys, o.detach_keys, &e) < 0)
		err_wrap(&e, "--detach-keys");
	else if (first == argc)
		err_set(&e, EINVAL, "'vial start' needs a BOX");
	else if ((o.attach || o.interactive) && argc - first > 1)
		err_set(&e, EINVAL,
			"you cannot start and attach multiple boxes at once");
	if (e.code)
		return cmd_misused(c, &e);
	if (o.attach || o.interactive)
		return start_attached(&o, argv[first]);
	return each_box(argv + first, argc - first, start_each, NULL);
}

const struct cmd cmd_start = {
	.name = "start",
	.usage = "[OPTIONS] BOX...",
	.summary = "Start boxes that were created or have ended.",
	.opts = opts,
	.mixed = true,
	.example = "vial start -a job\n",
	.run = start_main,
};
