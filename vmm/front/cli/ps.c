/* SPDX-License-Identifier: Apache-2.0 */
/* vial ps: the boxes there are. */
#include "base/auto.h"
#include "cli/boxrow.h"
#include "cli/cmd.h"
#include "cli/filter.h"
#include "cli/ls.h"
#include "box/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ps {
	bool all, quiet, last, whole, size;
	int64_t limit; /* 0: none */
	const char *format;
	struct filter filter;
	int64_t before, since; /* created, of the boxes that were named */
};

static const struct filter_key keys[] = {
	{ .name = "id" },
	{ .name = "name" },
	{ .name = "label" },
	{ .name = "label!" },
	{ .name = "status",
	  .values = "created|restarting|running|removing|paused|exited|dead" },
	{ .name = "exited", .number = true },
	{ .name = "ancestor" },
	{ .name = "before" },
	{ .name = "since" },
	{ .name = "volume" },
	{ .name = "network" },
	{ .name = "publish" },
	{ .name = "expose" },
	{ .name = "health", .values = "starting|healthy|unhealthy|none" },
	{ .name = NULL },
};

static int set_filter(void *what, const char *value, struct err *e)
{
	return filter_add(&((struct ps *)what)->filter, keys, value, e);
}

static int set_limit(void *what, const char *value, struct err *e)
{
	struct ps *ps = what;
	char *end;

	ps->limit = strtoll(value, &end, 10);
	if (end == value || *end)
		return err_set(e, EINVAL, "'%s' is not a number", value);
	return 0;
}

static const struct opt opts[] = {
	OPT_FLAG('a', "all", struct ps, all, "Those that do not run, too"),
	OPT_LIST('f', "filter", set_filter, "FILTER",
		 "Only some: status=exited, label=K=V, name=, id=, ancestor="),
	OPT_STR(0, "format", struct ps, format, "FORMAT",
		"'json', a Go template, or 'table TEMPLATE'"),
	OPT_SET('n', "last", set_limit, "N", "The N that were created last"),
	OPT_FLAG('l', "latest", struct ps, last, "The one created last"),
	OPT_FLAG(0, "no-trunc", struct ps, whole, "Nothing cut short"),
	OPT_FLAG('q', "quiet", struct ps, quiet, "Only ids"),
	OPT_FLAG('s', "size", struct ps, size, "And what their disks take"),
	OPT_END
};

#define LAYOUT                                                                 \
	"table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t"           \
	"{{.Status}}\t{{.Ports}}\t{{.Names}}"

static const struct table_kind plain = { boxrow_columns, LAYOUT };
static const struct table_kind with_size = { boxrow_columns,
					     LAYOUT "\t{{.Size}}" };

static bool shows(const struct ps *ps, const char *word)
{
	return ps->format && !ps->quiet &&
	       (strstr(ps->format, word) || strcmp(ps->format, "json") == 0);
}

/* What a row needs beyond state.json costs a file more for each box. */
static unsigned needs(const struct ps *ps)
{
	static const char *const filters[] = { "label", "label!", "volume",
					       "network" };
	static const char *const columns[] = { "Label", "Mounts",
					       "LocalVolumes", "Networks" };
	const struct filter *f = &ps->filter;
	unsigned need = 0;

	for (size_t i = 0; i < ARRAY_LEN(filters); i++)
		if (filter_has(f, filters[i]) || shows(ps, columns[i]))
			need |= BOXROW_SPEC;
	if ((!ps->format && !ps->quiet) || shows(ps, "Ports") ||
	    filter_has(f, "publish") || filter_has(f, "expose"))
		need |= BOXROW_PORTS;
	if (ps->size || shows(ps, "Size"))
		need |= BOXROW_SIZE;
	if (ps->whole)
		need |= BOXROW_WHOLE;
	/* A path is in the way of the name, where people look. */
	if (!ps->format && !ps->whole)
		need |= BOXROW_SHORT_IMAGE;
	return need;
}

static int named(const struct ps *ps, const char *key, int64_t *created,
		 struct err *e)
{
	const char *what = filter_get(&ps->filter, key);
	struct box_info info;

	if (!what)
		return 0;
	if (state_find(what, &info, e) < 0)
		return -e->code;
	*created = info.created;
	return 0;
}

static bool wanted_state(const struct ps *ps, const struct box_info *b)
{
	if (ps->all || ps->limit > 0 || filter_has(&ps->filter, "status"))
		return true;
	return state_is(b, "running") || state_is(b, "paused");
}

/* By what is in state.json. */
static bool wanted(const struct ps *ps, const struct box_info *b)
{
	const struct filter *f = &ps->filter;
	bool exited = state_is(b, "exited");

	if (filter_has(f, "exited") &&
	    (!exited || !filter_number(f, "exited", b->exit_status)))
		return false;
	if ((ps->before && b->created >= ps->before) ||
	    (ps->since && b->created <= ps->since))
		return false;
	return wanted_state(ps, b) && filter_begins(f, "id", b->id) &&
	       filter_name(f, b->name) && filter_is(f, "status", b->status) &&
	       filter_image(f, "ancestor", b->image) &&
	       filter_is(f, "health", *b->health ? b->health : "none");
}

/* One that is gone meanwhile is no reason to fail. */
static int show(const struct ps *ps, struct table *t, const struct box_info *b,
		unsigned need, struct err *e)
{
	struct boxrow row;
	int r = 0;

	if (boxrow_init(&row, b, need) < 0)
		return 0;
	if (filter_label(&ps->filter, row.labels) &&
	    boxrow_mounts(&row, &ps->filter) &&
	    boxrow_ports(&row, &ps->filter) &&
	    boxrow_network(&row, &ps->filter)) {
		r = 1;
		if (ps->quiet)
			printf("%.*s\n", ps->whole ? BOX_ID_LEN : BOX_SHORT_LEN,
			       b->id);
		else if (table_row(t, row.cells, e) < 0)
			r = -e->code;
	}
	boxrow_fini(&row);
	return r;
}

static int list(void *what, struct table *t, struct err *e)
{
	struct ps *ps = what;
	autofree struct box_info *all = NULL;
	unsigned need = needs(ps);
	int64_t shown = 0;
	int n;

	n = state_list(&all, e);
	if (n < 0 || named(ps, "before", &ps->before, e) < 0 ||
	    named(ps, "since", &ps->since, e) < 0)
		return -e->code;
	for (int i = 0; i < n; i++) {
		int r = wanted(ps, &all[i]) ? show(ps, t, &all[i], need, e) : 0;

		if (r < 0)
			return r;
		shown += r;
		if (ps->limit > 0 && shown == ps->limit)
			break;
	}
	return ps->quiet ? 0 : table_print(t, stdout, e);
}

static int ps_main(const struct cmd *c, int argc, char **argv)
{
	struct ps ps = { 0 };
	int status;

	if (ls_parse(c, argc, argv, &ps, &status) < 0)
		return status;
	if (ps.last)
		ps.limit = 1;
	return ls_run(c, ps.size ? &with_size : &plain, ps.format, list, &ps);
}

const struct cmd cmd_ps = {
	.name = "ps",
	.usage = "[OPTIONS]",
	.summary = "List the boxes that run.",
	.opts = opts,
	.example = "vial ps -a --filter label=job=42 --format '{{.ID}} "
		   "{{.Status}}'\n",
	.run = ps_main,
};
