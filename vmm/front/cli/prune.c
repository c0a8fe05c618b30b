/* SPDX-License-Identifier: Apache-2.0 */
/* vial prune: removes the boxes that do not run. */
#include "cli/prune.h"

#include "base/auto.h"
#include "cli/boxjson.h"
#include "cli/cmd.h"
#include "cli/human.h"
#include "cli/when.h"
#include "box/create.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct prune {
	bool force;
	struct prune_filter filter;
};

const struct filter_key prune_keys[] = {
	{ .name = "until" },
	{ .name = "label" },
	{ .name = "label!" },
	{ .name = NULL },
};

int prune_filter_add(struct prune_filter *f, const struct filter_key *keys,
		     const char *text, struct err *e)
{
	if (filter_add(&f->filter, keys, text, e) < 0)
		return -e->code;
	return filter_has(&f->filter, "until")
		     ? when_parse(filter_get(&f->filter, "until"), &f->until, e)
		     : 0;
}

static int set_filter(void *what, const char *text, struct err *e)
{
	return prune_filter_add(&((struct prune *)what)->filter, prune_keys,
				text, e);
}

static const struct opt opts[] = {
	OPT_FLAG('f', "force", struct prune, force, "Do not ask"),
	OPT_LIST(0, "filter", set_filter, "FILTER",
		 "Only some: until=24h (older than that), label=K=V"),
	OPT_END
};

bool prune_agreed(const char *what)
{
	char line[16] = "";

	printf("WARNING! This will remove%s"
	       "Are you sure you want to continue? [y/N] ",
	       what);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) &&
	       (*line == 'y' || *line == 'Y');
}

static bool wanted(const struct filter *f, const struct box *b)
{
	struct err ignored;
	struct spec s;
	bool yes = true;

	if (!filter_has(f, "label") && !filter_has(f, "label!"))
		return true;
	if (box_load(b, &s, &ignored) == 0) {
		json_t *labels = boxjson_labels(&s.labels);

		yes = filter_label(f, labels);
		json_decref(labels);
	} else {
		yes = false;
	}
	spec_fini(&s);
	return yes;
}

static uint64_t size_of(const struct box *b)
{
	struct stat st;

	if (fstatat(b->dir, "disk", &st, 0) < 0)
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

/* 1: it is gone. One that somebody starts this moment stays. */
static int prune_box(const struct prune_filter *f, const struct box_info *info,
		     uint64_t *bytes)
{
	struct err ignored;
	struct box b;

	if (info->alive || (f->until && info->created > f->until) ||
	    state_open(&b, info->id, &ignored) < 0)
		return 0;
	if (!wanted(&f->filter, &b) || state_lock(&b, &ignored) < 0) {
		state_close(&b);
		return 0;
	}
	*bytes += size_of(&b);
	state_remove(&b);
	return 1;
}

int prune_boxes(const struct prune_filter *f, uint64_t *bytes, struct err *e)
{
	autofree struct box_info *all = NULL;
	int n = state_list(&all, e), gone = 0;

	for (int i = 0; i < n; i++) {
		if (!prune_box(f, &all[i], bytes))
			continue;
		printf("%s%s\n", gone++ ? "" : "Deleted Containers:\n",
		       all[i].id);
	}
	if (gone)
		printf("\n");
	return n < 0 ? n : 0;
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
			"'vial prune' takes no words ('vial rm %s')",
			argv[first]);
		return cmd_misused(c, &e);
	}
	if (!p.force && !prune_agreed(" all boxes that do not run.\n"))
		return 0;
	if (prune_boxes(&p.filter, &bytes, &e) < 0)
		return cmd_error(&e);
	printf("Total reclaimed space: %s\n", human_size(bytes, 4, size));
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_prune = {
	.name = "prune",
	.usage = "[OPTIONS]",
	.summary = "Remove the boxes that do not run.",
	.opts = opts,
	.example = "vial prune -f --filter until=24h\n",
	.run = prune_main,
};
