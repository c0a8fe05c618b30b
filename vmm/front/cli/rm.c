/* SPDX-License-Identifier: Apache-2.0 */
/* vial rm: removes boxes that have ended, with -f those that run. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "run/boxmounts.h"
#include "box/create.h"
#include "run/stop.h"

#include <errno.h>

struct rm {
	bool force, volumes, link;
};

static const struct opt opts[] = {
	OPT_FLAG('f', "force", struct rm, force, "End a box that runs"),
	OPT_FLAG('v', "volumes", struct rm, volumes,
		 "And the volumes without a name that came with it"),
	OPT_IGNORED('l', "link", NULL, NULL, "boxes have no links"), OPT_END
};

/* A volume goes when nobody has it open any more, so after its box. */
static void remove_all(struct box *b, bool volumes)
{
	struct err ignored;
	struct spec s;

	spec_init(&s);
	if (volumes && box_load(b, &s, &ignored) < 0)
		volumes = false;
	state_remove(b);
	if (volumes)
		boxmounts_remove_anonymous(&s.mounts);
	spec_fini(&s);
}

/* A guest that goes at once loses what it has not written yet, which matters
 * in a volume alone. */
static int end(const struct box_info *info, struct err *e)
{
	struct err ignored;
	bool volumes = false;
	struct spec s;
	struct box b;

	if (state_open(&b, info->id, &ignored) == 0) {
		volumes = box_load(&b, &s, &ignored) == 0 &&
			  boxmounts_outlive(&s.mounts, info->brief);
		spec_fini(&s);
		state_close(&b);
	}
	return volumes ? stop_kill(info, e) : stop_box(info->id, e);
}

static int remove_box(void *arg, const char *what, struct err *e)
{
	const struct rm *rm = arg;
	struct box_info info;
	struct box b;
	int r;

	if (state_find(what, &info, e) < 0) {
		if (!rm->force || e->code != ENOENT)
			return -e->code;
		cmd_fail(e); /* said, and no error */
		return 1;
	}
	if (info.alive && !rm->force)
		return err_set(e, EBUSY,
			       "box %s runs: stop it first, or use -f", what);
	if (info.alive && end(&info, e) < 0)
		return -e->code;
	/* A brief box has removed itself. */
	if (state_open(&b, info.id, e) < 0)
		return e->code == ENOENT ? 0 : -e->code;
	/* Not under the hands of one who starts it this moment. */
	r = state_lock(&b, e);
	if (r < 0)
		state_close(&b);
	else
		remove_all(&b, rm->volumes);
	return r;
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
	return each_box(argv + first, argc - first, remove_box, &rm);
}

const struct cmd cmd_rm = {
	.name = "rm",
	.usage = "[OPTIONS] BOX...",
	.summary = "Remove boxes.",
	.opts = opts,
	.mixed = true,
	.example = "vial rm -f job\n",
	.run = rm_main,
};
