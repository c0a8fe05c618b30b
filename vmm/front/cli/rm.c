/* SPDX-License-Identifier: Apache-2.0 */
/* vial rm: removes boxes that have ended, with -f those that run. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "run/state.h"
#include "run/stop.h"

#include <errno.h>
#include <stdio.h>

struct rm {
	bool force;
};

static const struct opt opts[] = {
	OPT_FLAG('f', "force", struct rm, force, "End a box that runs"), OPT_END
};

static int remove_box(const char *what, bool force, struct err *e)
{
	struct box_info info;
	struct box b;

	if (state_find(what, &info, e) < 0)
		return force && e->code == ENOENT ? 0 : -e->code;
	if (info.alive && !force)
		return err_set(e, EBUSY,
			       "box %s runs: end it first, or use "
			       "-f",
			       what);
	if (info.alive && stop_box(info.id, e) < 0)
		return -e->code;
	/* A box that was run with --rm has removed itself. */
	if (state_open(&b, info.id, e) < 0)
		return e->code == ENOENT ? 0 : -e->code;
	state_remove(&b);
	return 0;
}

static int rm_main(const struct cmd *c, int argc, char **argv)
{
	struct rm rm = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &rm, &status);

	if (first < 0)
		return status;
	if (first == argc) {
		err_set(&e, EINVAL, "'vial rm' needs a BOX");
		return cmd_misused(c, &e);
	}
	status = 0;
	for (int i = first; i < argc; i++) {
		if (remove_box(argv[i], rm.force, &e) < 0)
			status = cmd_fail(&e);
		else
			printf("%s\n", argv[i]);
	}
	return status;
}

const struct cmd cmd_rm = {
	.name = "rm",
	.usage = "[-f] BOX...",
	.summary = "Remove boxes.",
	.opts = opts,
	.run = rm_main,
};
