/* SPDX-License-Identifier: Apache-2.0 */
/* vial network ls, inspect: the networks there are. */
#include "base/auto.h"
#include "box/netinfo.h"
#include "box/network.h"
#include "cli/boxjson.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/network.h"
#include "cli/table.h"
#include "cli/tmpl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- ls ---- */

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

static const struct opt ls_opts[] = {
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

static json_t *subnet_json(const struct network *n)
{
	char text[NETINFO_TEXT];

	return json_sprintf("%s/%u", netinfo_dotted(n->subnet, text),
			    n->prefix);
}

static int show(const struct ls *ls, struct table *t, const struct network *n,
		struct err *e)
{
	char id[HUMAN_MAX];
	const char *shown = ls->whole ? n->id : human_id(n->id, id);
	json_t *row;
	int r;

	if (ls->quiet) {
		printf("%s\n", shown);
		return 0;
	}
	row = json_pack("{s:s s:s s:s s:s s:o}", "ID", shown, "Name", n->name,
			"Driver", "bridge", "Scope", "local", "Subnet",
			subnet_json(n));
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

static int list(const struct ls *ls, struct table *t, struct err *e)
{
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
	struct err e = { 0 };
	int status, r, first = cmd_parse(c, argc, argv, &ls, &status);
	struct table *t;

	if (first < 0)
		return status;
	if (first < argc) {
		err_set(&e, EINVAL, "'vial network ls' takes no words");
		return cmd_misused(c, &e);
	}
	t = table_new(&kind, ls.format, &e);
	if (!t)
		return cmd_misused(c, &e);
	r = list(&ls, t, &e);
	table_free(t);
	return r < 0 ? cmd_error(&e) : 0;
}

const struct cmd cmd_network_ls = {
	.name = "network ls",
	.usage = "[OPTIONS]",
	.summary = "List the networks of several boxes.",
	.opts = ls_opts,
	.mixed = true,
	.example = "vial network ls\n",
	.run = ls_main,
};

/* ---- inspect ---- */

struct inspect {
	const char *format;
};

static const struct opt inspect_opts[] = {
	OPT_STR('f', "format", struct inspect, format, "TEMPLATE",
		"A Go template, or 'json'"),
	OPT_END
};

/* Those that run, as docker has it. */
static json_t *containers(const struct network *n)
{
	autofree struct network_user *users = NULL;
	json_t *o = json_object();
	struct err ignored;
	size_t count = 0;

	if (network_users(n, &users, &count, &ignored) < 0)
		return o;
	for (size_t i = 0; i < count; i++)
		if (users[i].runs)
			json_object_set_new(
				o, users[i].id,
				json_pack("{s:s s:o}", "Name", users[i].name,
					  "IPv4Address",
					  json_sprintf("%s/%u",
						       users[i].address,
						       n->prefix)));
	return o;
}

static json_t *describe(const struct network *n)
{
	char created[HUMAN_MAX];

	return json_pack(
		"{s:s s:s s:s s:s s:s s:b s:{s:s s:[{s:o}]} s:b s:o s:o}",
		"Name", n->name, "Id", n->id, "Created",
		human_rfc3339(n->created / 1000, 0, created), "Scope", "local",
		"Driver", "bridge", "EnableIPv6", 0, "IPAM", "Driver",
		"default", "Config", "Subnet", subnet_json(n), "Internal",
		(int)n->internal, "Containers", containers(n), "Labels",
		boxjson_labels(&n->labels));
}

static int collect(char **words, int n, json_t *all)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct network net;
		struct err e = { 0 };

		if (network_get(words[i], &net, &e) < 0) {
			status = cmd_error(&e);
			continue;
		}
		json_array_append_new(all, describe(&net));
		network_fini(&net);
	}
	return status;
}

static int inspect_main(const struct cmd *c, int argc, char **argv)
{
	struct inspect in = { .format = NULL };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &in, &status);
	json_t *all;

	if (first < 0)
		return status;
	if (first == argc)
		err_set(&e, EINVAL, "'vial network inspect' needs a NETWORK");
	else if (in.format)
		tmpl_free(tmpl_new(in.format, &e));
	if (e.code)
		return cmd_misused(c, &e);
	all = json_array();
	status = collect(argv + first, argc - first, all);
	if (tmpl_print_all(in.format, all, &e) < 0)
		status = cmd_error(&e);
	json_decref(all);
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

const struct cmd cmd_network_inspect = {
	.name = "network inspect",
	.usage = "[OPTIONS] NETWORK...",
	.summary = "Show all there is to know about networks, as JSON.",
	.opts = inspect_opts,
	.mixed = true,
	.example = "vial network inspect ci\n",
	.run = inspect_main,
};
