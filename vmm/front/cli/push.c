/* SPDX-License-Identifier: Apache-2.0 */
/* vial push: an image to a registry. */
#include "cli/cmd.h"
#include "builder/fetch.h"

#include <errno.h>
#include <stdio.h>

struct push_args {
	bool all_tags, quiet;
};

static const struct opt opts[] = {
	OPT_FLAG('q', "quiet", struct push_args, quiet,
		 "Print the image's whole name only"),
	OPT_FLAG('a', "all-tags", struct push_args, all_tags,
		 "All tags of NAME, which comes without one"),
	OPT_IGNORED(0, "disable-content-trust", NULL, "",
		    "signatures are never made"),
	OPT_END
};

static int push_main(const struct cmd *c, int argc, char **argv)
{
	struct push_args a = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &a, &status);

	if (first < 0)
		return status;
	if (argc - first != 1) {
		err_set(&e, EINVAL, "'vial %s' needs one IMAGE", c->name);
		return cmd_misused(c, &e);
	}
	return fetch_push(argv[first], a.all_tags, a.quiet, &e) < 0
		     ? cmd_error(&e)
		     : 0;
}

#define PUSH                                                                   \
	.usage = "[OPTIONS] IMAGE[:TAG]",                                      \
	.summary = "Send an image to a registry.", .opts = opts,               \
	.mixed = true, .example = "vial push registry.example/team/ci:1.4\n",  \
	.run = push_main

const struct cmd cmd_push = { .name = "push", PUSH };
const struct cmd cmd_image_push = { .name = "image push", PUSH };
