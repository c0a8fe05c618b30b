/* SPDX-License-Identifier: Apache-2.0 */
/* vial network ls: the networks there are. */
#include "base/auto.h"
#include "box/netinfo.h"
#include "box/network.h"
#include "cli/boxjson.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/ls.h"
#include "cli/network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct ls {
	bool quiet, whole;
	const char *format;
	struct filter filter;
};

static const struct filter_key keys[] = {
	{ .name = "driver" }, { .name = "id" },	  { .name = "label" },
	{ .name = "label!" }, { .name = "name" }, { .name = NULL },
};

static int set_filter(void *what, const char *value, struct err *e)
{
	return filter_add(&((struct ls *)what)->filter, keys, value, e);
}

static const struct opt opts[] = {
	OPT_LIST('f', "filter", set_filter, "FILTER",
		 "Only some: name=, id=, label=K=V"),
	OPT_STR(0, "format", struct ls, format, "FORMAT",
		"'json', a Go template, or 'table TEMPLATE'"),
	OPT_FLAG(0, "no-trunc", struct ls, whole, "Whole ids"),
	OPT_FLAG('q', "quiet", struct ls, quiet, "Only ids"), OPT_END
};

static const struct table_column columns[] = {
	{ "ID", "NETWORK ID" }, { "Name", "NAME" },	{ "Driver", "DRIVER" },
	{ "Scope", "SCOPE" },	{ "Subnet", "SUBNET" }, { NULL, NULL },
};

static const struct table_kind kind = {
	columns, "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"
};

static int show(const struct ls *ls, struct table *t, const struct network *n,
		struct err *e)
{
	char id[HUMAN_MAX], subnet[NETINFO_TEXT];
	const char *shown = ls->whole ? n->id : human_id(n->id, id);
	json_t *row;
	int r;

	if (ls->quiet) {
		printf("%s\n", shown);
		return 0;
	}
	row = json_pack("{s:s s:s s:s s:s s:o}", "ID", shown, "Name", n->name,
			"Driver", "bridge", "Scope", "local", "Subnet",
			json_sprintf("%s/%u", netinfo_dotted(n->subnet, subnet),
				     n->prefix));
	r = row ? table_row(t, row, e) : err_set(e, ENOMEM, "out of memory");
	json_decref(row);
	return r;
}

static bool wanted(const struct filter *f, const struct network *n)
{
	json_t *labels = boxjson_labels(&n->labels);
	bool yes = filter_label(f, labels) && filter_name(f, n->name) &&
		   filter_begins(f, "id", n->id) &&
		   filter_is(f, "driver", "bridge");

	json_decref(labels);
	return yes;
}

static int list(void *what, struct table *t, struct err *e)
{
	const struct ls *ls = what;
	struct strv names;
	struct network n;
	struct err ignored;
	int r = network_names(&names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		/* One that is gone meanwhile is no reason to fail. */
		if (network_get(names.v[i], &n, &ignored) < 0)
			continue;
		if (wanted(&ls->filter, &n))
			r = show(ls, t, &n, e);
		network_fini(&n);
	}
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

const struct cmd cmd_network_ls = {
	.name = "network ls",
	.usage = "[OPTIONS]",
	.summary = "List the networks of several boxes.",
	.opts = opts,
	.mixed = true,
	.example = "vial network ls\n",
	.run = ls_main,
};
