/* SPDX-License-Identifier: Apache-2.0 */
/* vial logs: what a box's command, kernel and monitor have printed. */
#include "base/auto.h"
#include "base/fd.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/when.h"
#include "box/log.h"
#include "box/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAX (4u << 20)

struct logs {
	bool console, monitor, report, follow, times, details;
	int64_t since, until, tail;
};

static int set_since(void *what, const char *text, struct err *e)
{
	return when_parse(text, &((struct logs *)what)->since, e);
}

static int set_until(void *what, const char *text, struct err *e)
{
	return when_parse(text, &((struct logs *)what)->until, e);
}

/* docker takes what is no number for "all". */
static int set_tail(void *what, const char *text, struct err *e)
{
	struct logs *l = what;
	char *end;

	(void)e;
	l->tail = strtoll(text, &end, 10);
	if (end == text || *end || l->tail < 0)
		l->tail = -1;
	return 0;
}

static const struct opt opts[] = {
	OPT_FLAG('f', "follow", struct logs, follow, "Go on until it ends"),
	OPT_SET('n', "tail", set_tail, "N", "Only the last N lines (all)"),
	OPT_SET(0, "since", set_since, "WHEN",
		"From a time on: 2026-11-21T10:00:00, 10m (ago)"),
	OPT_SET(0, "until", set_until, "WHEN", "Up to a time"),
	OPT_FLAG('t', "timestamps", struct logs, times, "When each line began"),
	OPT_FLAG(0, "details", struct logs, details, "Nothing more is kept"),
	OPT_FLAG(0, "console", struct logs, console,
		 "What the guest's kernel printed instead"),
	OPT_FLAG(0, "monitor", struct logs, monitor,
		 "What the monitor printed instead"),
	OPT_FLAG(0, "report", struct logs, report,
		 "What still ran when the time of --timeout was up"),
	OPT_END
};

static int print_tail(const struct box *b, const char *file, struct err *e)
{
	autofree char *text = state_tail(b, file, LOG_MAX);
	int r = text ? fd_write_full(STDOUT_FILENO, text, strlen(text)) : 0;

	return r < 0 ? err_set(e, -r, "write: %s", strerror(-r)) : 0;
}

static bool has_ended(void *arg)
{
	return !state_alive(arg);
}

static int print_output(struct box *b, const struct logs *l, struct err *e)
{
	const struct boxlog_read how = { .since_ms = l->since,
					 .until_ms = l->until,
					 .tail = l->tail,
					 .times = l->times,
					 .follow = l->follow,
					 .ended = has_ended,
					 .arg = b,
					 .out = STDOUT_FILENO,
					 .err = STDERR_FILENO };

	if (!l->follow && faccessat(b->dir, "log", F_OK, 0) < 0 &&
	    faccessat(b->dir, "config.json", F_OK, 0) == 0) {
		struct box_info info = { 0 };

		if (state_read(b, &info, e) == 0 && !info.started)
			return 0;
		if (info.brief && info.alive)
			return err_set(e, ENOENT,
				       "box %s keeps no log of its output: it "
				       "goes to who started it (--log-driver "
				       "local)",
				       info.name);
	}
	return boxlog_print(b->dir, &how, e);
}

static int logs_main(const struct cmd *c, int argc, char **argv)
{
	struct logs l = { .tail = -1 };
	struct err e = { 0 };
	struct box_info info;
	struct box b;
	int status, r, first = cmd_parse(c, argc, argv, &l, &status);

	if (first < 0)
		return status;
	if (argc - first != 1)
		err_set(&e, EINVAL, "'vial logs' needs one BOX");
	else if (l.console + l.monitor + l.report > 1)
		err_set(&e, EINVAL, "one of --console, --monitor and --report");
	if (e.code)
		return cmd_misused(c, &e);
	if (each_open(argv[first], &info, &b, &e) < 0)
		return cmd_error(&e);
	if (l.console || l.monitor || l.report)
		r = print_tail(&b,
			       l.console   ? "console.log"
			       : l.monitor ? "vmm.log"
					   : "report.txt",
			       &e);
	else
		r = print_output(&b, &l, &e);
	state_close(&b);
	return r < 0 ? cmd_error(&e) : 0;
}

const struct cmd cmd_logs = {
	.name = "logs",
	.usage = "[OPTIONS] BOX",
	.summary = "Print what the command of a box has printed.",
	.opts = opts,
	.mixed = true,
	.more = "Standard output and error come out apart, as they went in.\n",
	.example = "vial logs --tail 20 -f job\n",
	.run = logs_main,
};
