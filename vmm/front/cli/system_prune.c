/* SPDX-License-Identifier: Apache-2.0 */
/* vial system prune: removes what nobody uses. */
#include "cli/human.h"
#include "cli/prune.h"
#include "cli/system.h"
#include "cli/volume.h"

#include <errno.h>
#include <stdio.h>

struct prune {
	bool all, force, volumes;
	struct prune_filter filter;
};

static int set_filter(void *what, const char *text, struct err *e)
{
	return prune_filter_add(&((struct prune *)what)->filter, prune_keys,
				text, e);
}

static const struct opt opts[] = {
	OPT_FLAG('a', "all", struct prune, all,
		 "Images and, with --volumes, volumes that have a name, too"),
	OPT_LIST(0, "filter", set_filter, "FILTER",
		 "Only some: until=24h (older than that), label=K=V"),
	OPT_FLAG('f', "force", struct prune, force, "Do not ask"),
	OPT_FLAG(0, "volumes", struct prune, volumes,
		 "And volumes that no box mounts"),
	OPT_END
};

static bool agreed(const struct prune *p)
{
	char what[320];

	snprintf(what, sizeof(what),
		 ":\n  - all boxes that do not run\n%s  - all images %s\n\n",
		 !p->volumes ? ""
		 : p->all    ? "  - all volumes that no box mounts\n"
			     : "  - all volumes that got no name from anybody "
			       "and that no box mounts\n",
		 p->all ? "that no box uses" : "without a name");
	return prune_agreed(what);
}

static int check(const struct prune *p, int words, struct err *e)
{
	if (words)
		return err_set(e, EINVAL, "'vial system prune' takes no words");
	if (p->volumes && p->filter.until)
		return err_set(e, EINVAL,
			       "the \"until\" filter is not supported with "
			       "\"--volumes\"");
	return 0;
}

static int prune_main(const struct cmd *c, int argc, char **argv)
{
	struct prune p = { 0 };
	struct err e = { 0 };
	char size[HUMAN_MAX];
	uint64_t bytes = 0;
	int status, first = cmd_parse(c, argc, argv, &p, &status);

	if (first < 0)
		return status;
	if (check(&p, argc - first, &e) < 0)
		return cmd_misused(c, &e);
	if (!p.force && !agreed(&p))
		return 0;
	/* Boxes first: then nobody uses their volumes and images any more. */
	if (prune_boxes(&p.filter, &bytes, &e) < 0 ||
	    (p.volumes &&
	     volume_prune(p.all, &p.filter.filter, &bytes, &e) < 0) ||
	    prune_images(p.all, &p.filter, &bytes, &e) < 0)
		return cmd_error(&e);
	printf("Total reclaimed space: %s\n", human_size(bytes, 4, size));
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_system_prune = {
	.name = "system prune",
	.usage = "[OPTIONS]",
	.summary = "Remove what nobody uses.",
	.opts = opts,
	.example = "vial system prune -f --volumes\n",
	.run = prune_main,
};
