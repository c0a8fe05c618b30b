/* SPDX-License-Identifier: Apache-2.0 */
/* vial stop, kill, restart: the ends of boxes. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/start.h"
#include "run/keep.h"
#include "spec/parse.h"
#include "spec/signals.h"
#include "run/stop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct stop {
	bool timed;
	uint64_t grace_ms;
	int signo;
};

static int set_time(void *what, const char *text, struct err *e)
{
	struct stop *o = what;

	o->timed = true;
	/* For ever, in docker's way. */
	if (strcmp(text, "-1") == 0) {
		o->grace_ms = UINT32_MAX;
		return 0;
	}
	return parse_duration(text, &o->grace_ms, e);
}

static int set_signal(void *what, const char *text, struct err *e)
{
	int n = signals_parse(text, e);

	((struct stop *)what)->signo = n;
	return n < 0 ? n : 0;
}

#define STOP_OPTS                                                              \
	OPT_SET('t', "time", set_time, "TIME",                                 \
		"From the signal to KILL (default: the box's, 10s)"),          \
		OPT_SET(0, "timeout", set_time, "TIME", "The same"),           \
		OPT_SET('s', "signal", set_signal, "SIGNAL",                   \
			"Instead of the box's stop signal"),                   \
		OPT_END

static const struct opt stop_opts[] = { STOP_OPTS };
static const struct opt restart_opts[] = { STOP_OPTS };
static const struct opt kill_opts[] = {
	OPT_SET('s', "signal", set_signal, "SIGNAL", "Which (KILL)"), OPT_END
};

/* Asks the keeper and hears the end; without a keeper it is the monitor's. */
static int stop_running(const struct box_info *info, const struct box *b,
			const struct stop *o, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Stop s = VIAL__KEEP__STOP__INIT;
	autoclose int fd = keep_dial(b->dir, e);
	Vial__Keep__Answer *a;
	bool ended = false;

	m.op_case = VIAL__KEEP__CALL__OP_STOP;
	m.stop = &s;
	s.signal = (uint32_t)o->signo;
	s.grace_ms = o->grace_ms;
	s.own_grace = !o->timed;
	if (fd < 0 || keep_send(fd, &m, NULL, 0, e) < 0)
		return stop_box(info->id, e);
	while (!ended && (a = keep_recv(fd)) != NULL) {
		ended = a->ended != NULL;
		vial__keep__answer__free_unpacked(a, NULL);
	}
	return 0;
}

static int stop_each(void *arg, const char *what, struct err *e)
{
	struct box_info info;
	struct box b;
	int r = 0;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	if (info.alive)
		r = stop_running(&info, &b, arg, e);
	state_close(&b);
	return r;
}

static int kill_each(void *arg, const char *what, struct err *e)
{
	const struct stop *o = arg;
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Signal s = VIAL__KEEP__SIGNAL__INIT;
	struct box_info info;
	struct box b;
	int r;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	m.op_case = VIAL__KEEP__CALL__OP_SIGNAL;
	m.signal = &s;
	s.signal = o->signo ? (uint32_t)o->signo : SIGKILL;
	r = each_running(&info, "kill", e);
	if (r == 0 && s.signal == SIGKILL)
		r = stop_running(
			&info, &b,
			&(struct stop){ .timed = true, .signo = SIGKILL }, e);
	else if (r == 0)
		r = keep_ask(b.dir, &m, e);
	state_close(&b);
	return r;
}

static int restart_each(void *arg, const char *what, struct err *e)
{
	int r = stop_each(arg, what, e);

	return r < 0 ? r : start_box(what, e);
}

static int end_main(const struct cmd *c, int argc, char **argv, each_fn *fn)
{
	struct stop o = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &o, &status);

	if (first < 0)
		return status;
	if (first == argc) {
		err_set(&e, EINVAL, "'vial %s' needs a BOX", c->name);
		return cmd_misused(c, &e);
	}
	return each_box(argv + first, argc - first, fn, &o);
}

static int stop_main(const struct cmd *c, int argc, char **argv)
{
	return end_main(c, argc, argv, stop_each);
}

static int kill_main(const struct cmd *c, int argc, char **argv)
{
	return end_main(c, argc, argv, kill_each);
}

static int restart_main(const struct cmd *c, int argc, char **argv)
{
	return end_main(c, argc, argv, restart_each);
}

const struct cmd cmd_stop = {
	.name = "stop",
	.usage = "[OPTIONS] BOX...",
	.summary = "Ask the commands of boxes to end, and see to it.",
	.opts = stop_opts,
	.mixed = true,
	.example = "vial stop -t 2 job\n",
	.run = stop_main,
};

const struct cmd cmd_kill = {
	.name = "kill",
	.usage = "[OPTIONS] BOX...",
	.summary = "Send a signal to the commands of boxes.",
	.opts = kill_opts,
	.mixed = true,
	.example = "vial kill -s HUP job\n",
	.run = kill_main,
};

const struct cmd cmd_restart = {
	.name = "restart",
	.usage = "[OPTIONS] BOX...",
	.summary = "Stop boxes and start them again.",
	.opts = restart_opts,
	.mixed = true,
	.example = "vial restart job\n",
	.run = restart_main,
};
