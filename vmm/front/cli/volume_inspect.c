/* SPDX-License-Identifier: Apache-2.0 */
/* vial volume inspect: all there is to know about volumes. */
#include "base/auto.h"
#include "cli/boxjson.h"
#include "cli/human.h"
#include "cli/tmpl.h"
#include "cli/volume.h"
#include "box/volume_use.h"

#include <errno.h>
#include <string.h>

struct inspect {
	const char *format;
};

static const struct opt opts[] = { OPT_STR('f', "format", struct inspect,
					   format, "TEMPLATE",
					   "A Go template, or 'json'"),
				   OPT_END };

static json_t *users(const struct volume_uses *u, const char *name)
{
	json_t *a = json_array();

	for (size_t i = 0; i < u->n; i++)
		if (strcmp(u->v[i].volume, name) == 0)
			json_array_append_new(a, json_string(u->v[i].name));
	return a;
}

/* docker's, and in Status what only a disk has. */
static json_t *describe(const struct volume_info *v,
			const struct volume_uses *u)
{
	char path[PATH_MAX], created[HUMAN_MAX];

	return json_pack("{s:s s:s s:o s:s s:s s:o s:s s:{s:I s:I s:b s:o}}",
			 "CreatedAt", human_rfc3339(v->created, 0, created),
			 "Driver", "local", "Labels",
			 boxjson_labels(&v->labels), "Mountpoint",
			 volume_path(v->name, path), "Name", v->name, "Options",
			 boxjson_labels(&v->options), "Scope", "local",
			 "Status", "Size", (json_int_t)v->size, "Used",
			 (json_int_t)v->used, "Busy", (int)v->busy, "Boxes",
			 users(u, v->name));
}

json_t *volume_json(const char *name, struct err *e)
{
	struct volume_uses uses;
	struct volume_info v;
	json_t *o = NULL;

	if (volume_use_scan(&uses, e) < 0)
		return NULL;
	if (volume_get(name, &v, e) == 0) {
		o = describe(&v, &uses);
		volume_info_fini(&v);
		if (!o)
			err_set(e, ENOMEM, "out of memory");
	}
	volume_use_fini(&uses);
	return o;
}

/* The first that fails says so; those that are there are shown. */
static int collect(char **words, int n, json_t *all)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct err e = { 0 };
		json_t *o = volume_json(words[i], &e);

		if (o)
			json_array_append_new(all, o);
		else if (e.code == ENOENT)
			fprintf(stderr, "Error: %s\n", e.msg);
		else
			cmd_error(&e);
		if (!o)
			status = CMD_ERROR;
	}
	return status;
}

static int inspect_main(const struct cmd *c, int argc, char **argv)
{
	struct inspect in = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &in, &status);
	json_t *all;

	if (first < 0)
		return status;
	if (first == argc)
		err_set(&e, EINVAL, "'vial volume inspect' needs a VOLUME");
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

const struct cmd cmd_volume_inspect = {
	.name = "volume inspect",
	.usage = "[OPTIONS] VOLUME...",
	.summary = "Show all there is to know about volumes, as JSON.",
	.opts = opts,
	.mixed = true,
	.example = "vial volume inspect -f '{{.Status.Size}}' cache\n",
	.run = inspect_main,
};
