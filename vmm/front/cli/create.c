/* SPDX-License-Identifier: Apache-2.0 */
/* vial create: a box that waits to be started. */
#include "cli/box_opts.h"
#include "cli/boxspec.h"
#include "cli/cmd.h"
#include "box/create.h"

#include <stdio.h>

static const struct opt opts[] = {
	BOX_OPTS,
	OPT_FLAG('q', "quiet", struct spec, quiet,
		 "Do not show how an image is pulled"),
	OPT_END
};

static int create_spec(const struct spec *s, struct err *e)
{
	struct box_info info;

	if (box_create(s, &info, e) < 0)
		return cmd_error(e);
	printf("%s\n", info.id);
	return 0;
}

static int create_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct spec s;
	int status, first;
	bool misused;

	spec_init(&s);
	first = cmd_parse(c, argc, argv, &s, &status);
	if (first < 0)
		;
	else if (boxspec_take(&s, argc - first, argv + first, &misused, &e) < 0)
		status = misused ? cmd_misused(c, &e) : cmd_error(&e);
	else
		status = create_spec(&s, &e);
	spec_fini(&s);
	return status;
}

const struct cmd cmd_create = {
	.name = "create",
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Make a box, to be started later.",
	.opts = opts,
	.more = "Prints its id. 'vial cp' puts files into it, 'vial start' runs\n"
		"its command, as often as you like, on the same disk.\n",
	.example = "vial create --name job -i image.ext4 sh\n",
	.run = create_main,
};
