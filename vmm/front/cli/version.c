/* SPDX-License-Identifier: Apache-2.0 */
/* vial version: what is installed. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "run/guest.h"
#include "run/where.h"

#include <stdio.h>

#define PLAN_GENERATION 1

struct version {
	bool brief;
};

static const struct opt opts[] = { OPT_FLAG('s', "short", struct version, brief,
					    "Only the number"),
				   OPT_END };

static void print_part(const char *what, enum where_part part)
{
	char path[PATH_MAX];
	struct err e;

	printf("%-12s%s\n", what,
	       where_part(part, path, &e) < 0 ? "not found" : path);
}

static int version_main(const struct cmd *c, int argc, char **argv)
{
	struct version v = { 0 };
	int status;

	if (cmd_parse(c, argc, argv, &v, &status) < 0)
		return status;
	if (v.brief) {
		printf("%s\n", VIAL_VERSION);
		return 0;
	}
	printf("%-12s%s\n", "vial", VIAL_VERSION);
	printf("%-12splan %d, agent %d\n", "protocol", PLAN_GENERATION,
	       GUEST_GENERATION);
	print_part("monitor", WHERE_VMM);
	print_part("initramfs", WHERE_INITRAMFS);
	print_part("kernel", WHERE_KERNEL);
	return 0;
}

const struct cmd cmd_version = {
	.name = "version",
	.usage = "[OPTIONS]",
	.summary = "Say what is installed.",
	.opts = opts,
	.run = version_main,
};
