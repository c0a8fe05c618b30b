/* SPDX-License-Identifier: Apache-2.0 */
/* vial volume: grow, and the group of all its commands. */
#include "cli/volume.h"

#include "spec/parse.h"
#include "box/volume.h"

#include <errno.h>
#include <stdio.h>

static const struct opt no_opts[] = { OPT_END };

static int grow_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	uint64_t size = 0;
	int status, first = cmd_parse(c, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (argc - first != 2)
		err_set(&e, EINVAL, "'vial volume grow' needs VOLUME and SIZE");
	else
		parse_size(argv[first + 1], &size, &e);
	if (e.code)
		return cmd_misused(c, &e);
	if (volume_grow(argv[first], size, &e) < 0)
		return cmd_error(&e);
	printf("%s\n", argv[first]);
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_volume_grow = {
	.name = "volume grow",
	.usage = "VOLUME SIZE",
	.summary = "Make a volume larger.",
	.opts = no_opts,
	.mixed = true,
	.example = "vial volume grow cache 80g\n",
	.more = "No box may have it open. The next one that mounts it for "
		"writing sees the space.\n",
	.run = grow_main,
};

static const struct cmd *const commands[] = {
	&cmd_volume_create,
	&cmd_volume_grow,
	&cmd_volume_inspect,
	&cmd_volume_ls,
	&cmd_volume_prune,
	&cmd_volume_rm,
	NULL,
};

const struct cmd cmd_volume = {
	.name = "volume",
	.usage = "COMMAND",
	.summary = "Make, list and remove disks that outlive boxes.",
	.sub = commands,
	.example = "vial volume create cache\n"
		   "vial run --rm -v cache:/cache debian.ext4 touch /cache/x\n",
	.run = cmd_group,
};
