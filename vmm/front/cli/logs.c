/* SPDX-License-Identifier: Apache-2.0 */
/* vial logs: what a box's kernel and monitor have printed. */
#include "base/auto.h"
#include "base/fd.h"
#include "cli/cmd.h"
#include "run/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAX (4u << 20)

struct logs {
	bool console, monitor;
};

static const struct opt opts[] = { OPT_FLAG(0, "console", struct logs, console,
					    "What the guest's kernel printed"),
				   OPT_FLAG(0, "monitor", struct logs, monitor,
					    "What the monitor printed"),
				   OPT_END };

static int print_log(const struct box_info *info, const char *file,
		     struct err *e)
{
	autofree char *text = NULL;
	struct box b;
	int r;

	if (state_open(&b, info->id, e) < 0)
		return cmd_fail(e);
	text = state_tail(&b, file, LOG_MAX);
	state_close(&b);
	if (!text)
		return 0;
	r = fd_write_full(STDOUT_FILENO, text, strlen(text));
	if (r < 0) {
		err_set(e, -r, "write: %s", strerror(-r));
		return cmd_fail(e);
	}
	return 0;
}

static int logs_main(const struct cmd *c, int argc, char **argv)
{
	struct logs l = { 0 };
	struct err e = { 0 };
	struct box_info info;
	int status, first = cmd_parse(c, argc, argv, &l, &status);

	if (first < 0)
		return status;
	if (argc - first != 1)
		err_set(&e, EINVAL,
			"'vial logs' needs one BOX, behind the options");
	else if (l.console == l.monitor)
		err_set(&e, EINVAL,
			"say --console or --monitor: the "
			"command's own output is not kept");
	if (e.code)
		return cmd_misused(c, &e);
	if (state_find(argv[first], &info, &e) < 0)
		return cmd_fail(&e);
	return print_log(&info, l.console ? "console.log" : "vmm.log", &e);
}

const struct cmd cmd_logs = {
	.name = "logs",
	.usage = "(--console | --monitor) BOX",
	.summary = "Print what was kept of a box.",
	.opts = opts,
	.run = logs_main,
};
