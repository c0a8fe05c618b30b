/* SPDX-License-Identifier: Apache-2.0 */
/* vial pull: an image from a registry. */
#include "cli/cmd.h"
#include "cli/imagelimit.h"
#include "builder/fetch.h"

#include <errno.h>
#include <stdio.h>

struct pull_args {
	bool all_tags, quiet;
	const char *platform;
};

static const struct opt opts[] = {
	OPT_STR(0, "platform", struct pull_args, platform, "OS/ARCH",
		"Which of an image for several; else this host's"),
	OPT_FLAG('q', "quiet", struct pull_args, quiet,
		 "Print the image's whole name only"),
	OPT_FLAG('a', "all-tags", struct pull_args, all_tags,
		 "All tags of NAME, which comes without one"),
	OPT_IGNORED(0, "disable-content-trust", NULL, "",
		    "digests are always checked, signatures never"),
	OPT_END
};

static int pull_main(const struct cmd *c, int argc, char **argv)
{
	struct pull_args a = { 0 };
	struct fetch_how how;
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &a, &status);

	if (first < 0)
		return status;
	if (argc - first != 1) {
		err_set(&e, EINVAL, "'vial %s' needs one IMAGE", c->name);
		return cmd_misused(c, &e);
	}
	how = (struct fetch_how){ .platform = a.platform,
				  .quiet = a.quiet,
				  .all_tags = a.all_tags };
	if (fetch_image(argv[first], &how, &e) < 0)
		return cmd_error(&e);
	imagelimit_apply();
	return 0;
}

#define PULL                                                                   \
	.usage = "[OPTIONS] NAME[:TAG|@DIGEST]",                               \
	.summary = "Get an image from a registry.", .opts = opts,              \
	.mixed = true,                                                         \
	.example = "vial pull debian:12\n"                                     \
		   "vial pull registry.example:5000/team/ci:1.4\n",           \
	.run = pull_main

const struct cmd cmd_pull = { .name = "pull", PULL };
const struct cmd cmd_image_pull = { .name = "image pull", PULL };
