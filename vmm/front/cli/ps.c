/* SPDX-License-Identifier: Apache-2.0 */
/* vial ps: the boxes there are. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "run/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct ps {
	bool all, quiet;
};

static const struct opt opts[] = {
	OPT_FLAG('a', "all", struct ps, all, "Those that have ended, too"),
	OPT_FLAG('q', "quiet", struct ps, quiet, "Only ids"), OPT_END
};

static const char *ago(int64_t then, char *buf, size_t size)
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = {
		{ 86400, "day" },
		{ 3600, "hour" },
		{ 60, "minute" },
		{ 1, "second" },
	};
	int64_t s = (state_now() - then) / 1000;

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = s / units[i].seconds;

		if (n < 1)
			continue;
		snprintf(buf, size, "%" PRId64 " %s%s ago", n, units[i].name,
			 n == 1 ? "" : "s");
		return buf;
	}
	return "now";
}

static void print_box(const struct box_info *b)
{
	char created[32], status[32] = "Up";
	const char *image;

	if (state_is(b, "created"))
		snprintf(status, sizeof(status), "Created");
	else if (!b->alive)
		snprintf(status, sizeof(status), "Exited (%d)", b->exit_status);
	/* The path is in the way of the name. */
	image = strrchr(b->image, '/');
	image = image ? image + 1 : b->image;
	printf("%-12.12s  %-20s  %-12s  %-16s  %-24.24s  %.40s\n", b->id,
	       b->name, status, ago(b->created, created, sizeof(created)),
	       image, b->command);
}

static int ps_main(const struct cmd *c, int argc, char **argv)
{
	autofree struct box_info *all = NULL;
	struct ps ps = { 0 };
	struct err e = { 0 };
	int status, n;

	if (cmd_parse(c, argc, argv, &ps, &status) < 0)
		return status;
	n = state_list(&all, &e);
	if (n < 0)
		return cmd_fail(&e);
	if (!ps.quiet)
		printf("%-12s  %-20s  %-12s  %-16s  %-24s  %s\n", "BOX ID",
		       "NAME", "STATUS", "CREATED", "IMAGE", "COMMAND");
	for (int i = 0; i < n; i++) {
		if (!all[i].alive && !ps.all)
			continue;
		if (ps.quiet)
			printf("%.12s\n", all[i].id);
		else
			print_box(&all[i]);
	}
	return 0;
}

const struct cmd cmd_ps = {
	.name = "ps",
	.usage = "[OPTIONS]",
	.summary = "List the boxes that run.",
	.opts = opts,
	.run = ps_main,
};
