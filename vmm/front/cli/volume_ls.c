/* SPDX-License-Identifier: Apache-2.0 */
/* vial volume ls: the volumes there are. */
#include "base/auto.h"
#include "cli/boxjson.h"
#include "cli/human.h"
#include "cli/ls.h"
#include "cli/volume.h"
#include "box/volume_use.h"
#include "box/where.h"

#include <errno.h>
#include <string.h>

struct ls {
	bool quiet;
	const char *format;
	struct filter filter;
};

static const struct filter_key keys[] = {
	{ .name = "dangling", .values = "true|false|1|0" },
	{ .name = "driver" },
	{ .name = "label" },
	{ .name = "label!" },
	{ .name = "name" },
	{ .name = NULL },
};

static int set_filter(void *what, const char *value, struct err *e)
{
	return filter_add(&((struct ls *)what)->filter, keys, value, e);
}

static const struct opt opts[] = {
	OPT_LIST('f', "filter", set_filter, "FILTER",
		 "Only some: dangling=true (nobody mounts it), label=K=V, "
		 "name="),
	OPT_STR(0, "format", struct ls, format, "FORMAT",
		"'json', a Go template, or 'table TEMPLATE'"),
	OPT_FLAG('q', "quiet", struct ls, quiet, "Only names"), OPT_END
};

static const struct table_column columns[] = {
	{ "Driver", "DRIVER" }, { "Name", "VOLUME NAME" },
	{ "Scope", "SCOPE" },	{ "Mountpoint", "MOUNTPOINT" },
	{ "Labels", "LABELS" }, { "Links", "LINKS" },
	{ "Size", "SIZE" },	{ NULL, NULL },
};

static const struct table_kind kind = { columns,
					"table {{.Driver}}\t{{.Name}}" };

static bool wanted(const struct filter *f, const struct volume_info *v,
		   unsigned links)
{
	const char *dangling = filter_get(f, "dangling");
	json_t *labels = boxjson_labels(&v->labels);
	bool yes = filter_label(f, labels) && filter_name(f, v->name) &&
		   filter_is(f, "driver", "local");

	json_decref(labels);
	if (dangling)
		yes = yes && (*dangling == 't' || *dangling == '1') == !links;
	return yes;
}

/* "a=b,c=d" */
static json_t *labels_text(const struct strv *labels)
{
	autofree char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	for (size_t i = 0; f && i < labels->n; i++)
		fprintf(f, "%s%s", i ? "," : "", labels->v[i]);
	return f && fclose(f) == 0 ? json_string(text) : NULL;
}

static int show(struct table *t, const struct volume_info *v, unsigned links,
		struct err *e)
{
	char path[PATH_MAX], size[HUMAN_MAX];
	json_t *row;
	int r;

	row = json_pack("{s:s s:s s:s s:o s:o s:o s:s}", "Driver", "local",
			"Name", v->name, "Scope", "local", "Mountpoint",
			json_string(volume_path(v->name, path)), "Labels",
			labels_text(&v->labels), "Links",
			json_sprintf("%u", links), "Size",
			human_size(v->used, 4, size));
	if (!row)
		return err_set(e, ENOMEM, "out of memory");
	r = table_row(t, row, e);
	json_decref(row);
	return r;
}

/* One that is gone meanwhile, or damaged, is no reason to fail. */
static int list_one(const struct ls *ls, struct table *t,
		    const struct volume_uses *uses, const char *name,
		    struct err *e)
{
	unsigned links = volume_use_count(uses, name);
	struct volume_info v;
	struct err ignored;
	int r = 0;

	if (volume_get(name, &v, &ignored) < 0) {
		if (ignored.code != ENOENT)
			cmd_fail(&ignored);
		return 0;
	}
	if (!wanted(&ls->filter, &v, links))
		;
	else if (ls->quiet)
		printf("%s\n", name);
	else
		r = show(t, &v, links, e);
	volume_info_fini(&v);
	return r;
}

static int list(void *what, struct table *t, struct err *e)
{
	const struct ls *ls = what;
	struct volume_uses uses = { 0 };
	struct strv names = { 0 };
	int r = volume_names(&names, e);

	if (r == 0)
		r = volume_use_scan(&uses, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = list_one(ls, t, &uses, names.v[i], e);
	volume_use_fini(&uses);
	strv_fini(&names);
	return r < 0 || ls->quiet ? r : table_print(t, stdout, e);
}

static int ls_main(const struct cmd *c, int argc, char **argv)
{
	struct ls ls = { .quiet = false };
	int status;

	if (ls_parse(c, argc, argv, &ls, &status) < 0)
		return status;
	return ls_run(c, &kind, ls.format, list, &ls);
}

const struct cmd cmd_volume_ls = {
	.name = "volume ls",
	.usage = "[OPTIONS]",
	.summary = "List the volumes.",
	.opts = opts,
	.example = "vial volume ls --filter dangling=true --format "
		   "'{{.Name}} {{.Size}}'\n",
	.run = ls_main,
};
