/* SPDX-License-Identifier: Apache-2.0 */
/* vial system df: what images, boxes and volumes take of the host's disk. */
#include "cli/boxrow.h"
#include "cli/df.h"
#include "cli/human.h"
#include "cli/imagerow.h"
#include "cli/system.h"
#include "cli/tmpl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct show {
	bool verbose;
	const char *format;
};

static const struct opt opts[] = {
	OPT_STR(0, "format", struct show, format, "FORMAT",
		"'json', a Go template, or 'table TEMPLATE'"),
	OPT_FLAG('v', "verbose", struct show, verbose, "Each of them"), OPT_END
};

static const struct table_column columns[] = {
	{ "Type", "TYPE" },
	{ "TotalCount", "TOTAL" },
	{ "Active", "ACTIVE" },
	{ "Size", "SIZE" },
	{ "Reclaimable", "RECLAIMABLE" },
	{ NULL, NULL },
};

static const struct table_kind kind = {
	columns, "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t"
		 "{{.Reclaimable}}"
};

static const struct table_kind image_kind = {
	imagerow_columns,
	"table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t"
	"{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}"
};

static const struct table_kind box_kind = {
	boxrow_columns,
	"table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}"
	"\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}"
};

static const struct table_column volume_columns[] = {
	{ "Name", "VOLUME NAME" },
	{ "Links", "LINKS" },
	{ "Size", "SIZE" },
	{ NULL, NULL },
};

static const struct table_kind volume_kind = {
	volume_columns, "table {{.Name}}\t{{.Links}}\t{{.Size}}"
};

static int add(struct table *t, const char *type, const struct df_sum *s,
	       struct err *e)
{
	char size[HUMAN_MAX], free_size[HUMAN_MAX], part[16] = "";
	json_t *row;
	int r;

	if (s->bytes)
		snprintf(part, sizeof(part), " (%" PRIu64 "%%)",
			 s->reclaimable * 100 / s->bytes);
	row = json_pack("{s:s s:o s:o s:s s:o}", "Type", type, "TotalCount",
			json_sprintf("%u", s->total), "Active",
			json_sprintf("%u", s->active), "Size",
			human_size(s->bytes, 4, size), "Reclaimable",
			json_sprintf("%s%s",
				     human_size(s->reclaimable, 4, free_size),
				     part));
	r = row ? table_row(t, row, e) : err_set(e, ENOMEM, "out of memory");
	json_decref(row);
	return r;
}

static int show_sums(const struct df *f, const char *format, struct err *e)
{
	struct table *t = table_new(&kind, format, e);
	int r = t ? 0 : -e->code;

	if (r == 0)
		r = add(t, "Images", &f->images, e);
	if (r == 0)
		r = add(t, "Containers", &f->boxes, e);
	if (r == 0)
		r = add(t, "Local Volumes", &f->volumes, e);
	if (r == 0)
		r = table_print(t, stdout, e);
	table_free(t);
	return r;
}

static int show_rows(const char *title, const struct table_kind *k,
		     const json_t *rows, struct err *e)
{
	struct table *t = table_new(k, NULL, e);
	int r = t ? 0 : -e->code;

	printf("%s space usage:\n\n", title);
	for (size_t i = 0; r == 0 && i < json_array_size(rows); i++)
		r = table_row(t, json_array_get(rows, i), e);
	if (r == 0)
		r = table_print(t, stdout, e);
	table_free(t);
	return r;
}

static int show_each(const struct df *f, const char *format, struct err *e)
{
	json_t *o;
	int r;

	if (!format) {
		r = show_rows("Images", &image_kind, f->image_rows, e);
		if (r == 0)
			r = show_rows("\nContainers", &box_kind, f->box_rows,
				      e);
		return r < 0 ? r
			     : show_rows("\nLocal Volumes", &volume_kind,
					 f->volume_rows, e);
	}
	o = json_pack("{s:O s:O s:O s:[]}", "Images", f->image_rows,
		      "Containers", f->box_rows, "Volumes", f->volume_rows,
		      "BuildCache");
	r = tmpl_print(stdout,
		       strcmp(format, "json") == 0 ? "{{json .}}" : format, o,
		       e);
	json_decref(o);
	return r;
}

static int df_main(const struct cmd *c, int argc, char **argv)
{
	struct show show = { 0 };
	struct df df = { 0 };
	struct err e = { 0 };
	int status, r, first = cmd_parse(c, argc, argv, &show, &status);

	if (first < 0)
		return status;
	if (first < argc) {
		err_set(&e, EINVAL, "'vial system df' takes no words");
		return cmd_misused(c, &e);
	}
	r = df_look(&df, &e);
	if (r == 0)
		r = (show.verbose ? show_each : show_sums)(&df, show.format,
							   &e);
	df_fini(&df);
	if (r < 0)
		return cmd_error(&e);
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

const struct cmd cmd_system_df = {
	.name = "system df",
	.usage = "[OPTIONS]",
	.summary = "Show what is taken of the host's disk.",
	.opts = opts,
	.example = "vial system df -v\n",
	.run = df_main,
};
