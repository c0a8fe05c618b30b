/* SPDX-License-Identifier: Apache-2.0 */
/* vial volume rm. */
#include "cli/each.h"
#include "cli/volume.h"
#include "box/volume_use.h"

#include <errno.h>

struct rm {
	bool force;
	struct volume_uses uses;
};

static const struct opt rm_opts[] = { OPT_FLAG('f', "force", struct rm, force,
					       "One that is not there is fine"),
				      OPT_END };

static int remove_one(void *arg, const char *name, struct err *e)
{
	const struct rm *rm = arg;

	if (volume_exists(name) && volume_use_check(&rm->uses, name, e) < 0)
		return err_wrap(e, "remove %s", name);
	if (volume_remove(name, NULL, e) < 0)
		return rm->force && e->code == ENOENT ? 0 : -e->code;
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
		err_set(&e, EINVAL, "'vial volume rm' needs a VOLUME");
		return cmd_misused(c, &e);
	}
	if (volume_use_scan(&rm.uses, &e) < 0)
		return cmd_error(&e);
	status = each_box(argv + first, argc - first, remove_one, &rm);
	volume_use_fini(&rm.uses);
	return status;
}

const struct cmd cmd_volume_rm = {
	.name = "volume rm",
	.usage = "[OPTIONS] VOLUME...",
	.summary = "Remove volumes that nobody mounts.",
	.opts = rm_opts,
	.mixed = true,
	.example = "vial volume rm cache\n",
	.run = rm_main,
};
