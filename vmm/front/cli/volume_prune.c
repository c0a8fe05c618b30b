/* SPDX-License-Identifier: Apache-2.0 */
/* vial volume prune. */
#include "cli/boxjson.h"
#include "cli/human.h"
#include "cli/prune.h"
#include "cli/volume.h"
#include "box/volume_use.h"

#include <errno.h>
#include <stdio.h>

struct prune {
	bool all, force;
	struct filter filter;
};

static const struct filter_key keys[] = {
	{ .name = "all", .values = "true|false|1|0" },
	{ .name = "label" },
	{ .name = "label!" },
	{ .name = NULL },
};

static int set_filter(void *what, const char *text, struct err *e)
{
	struct prune *p = what;
	const char *all;

	if (filter_add(&p->filter, keys, text, e) < 0)
		return -e->code;
	all = filter_get(&p->filter, "all");
	p->all |= all && (*all == 't' || *all == '1');
	return 0;
}

static const struct opt prune_opts[] = {
	OPT_FLAG('a', "all", struct prune, all, "Also those that have a name"),
	OPT_LIST(0, "filter", set_filter, "FILTER",
		 "Only some: label=K=V, label!=K"),
	OPT_FLAG('f', "force", struct prune, force, "Do not ask"), OPT_END
};

static bool wanted(const char *name, bool all, const struct filter *f)
{
	struct volume_info v;
	struct err ignored;
	json_t *labels;
	bool yes;

	if (volume_get(name, &v, &ignored) < 0)
		return false;
	labels = boxjson_labels(&v.labels);
	yes = !v.busy && (all || v.anonymous) && filter_label(f, labels);
	json_decref(labels);
	volume_info_fini(&v);
	return yes;
}

int volume_prune(bool all, const struct filter *f, uint64_t *bytes,
		 struct err *e)
{
	struct volume_uses uses = { 0 };
	struct strv names = { 0 };
	struct err ignored;
	uint64_t freed;
	int r = volume_names(&names, e), gone = 0;

	if (r == 0)
		r = volume_use_scan(&uses, e);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (volume_use_count(&uses, names.v[i]) > 0 ||
		    !wanted(names.v[i], all, f) ||
		    volume_remove(names.v[i], &freed, &ignored) < 0)
			continue;
		printf("%s%s\n", gone++ ? "" : "Deleted Volumes:\n",
		       names.v[i]);
		*bytes += freed;
	}
	if (gone)
		printf("\n");
	volume_use_fini(&uses);
	strv_fini(&names);
	return r;
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
	if (first < argc) {
		err_set(&e, EINVAL,
			"'vial volume prune' takes no words "
			"('vial volume rm %s')",
			argv[first]);
		return cmd_misused(c, &e);
	}
	if (!p.force &&
	    !prune_agreed(p.all ? " all volumes that no box mounts.\n"
				: " all volumes that got no name from anybody "
				  "and that no box mounts.\n"))
		return 0;
	if (volume_prune(p.all, &p.filter, &bytes, &e) < 0)
		return cmd_error(&e);
	printf("Total reclaimed space: %s\n", human_size(bytes, 4, size));
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_volume_prune = {
	.name = "volume prune",
	.usage = "[OPTIONS]",
	.summary = "Remove the volumes nobody gave a name and nobody mounts.",
	.opts = prune_opts,
	.example = "vial volume prune -f\n",
	.run = prune_main,
};
