/* SPDX-License-Identifier: Apache-2.0 */
/* vial volume inspect: all there is to know about volumes. */
#include "base/auto.h"
#include "cli/boxjson.h"
#include "cli/human.h"
#include "cli/look.h"
#include "cli/volume.h"
#include "box/volume_use.h"

#include <errno.h>
#include <string.h>

static const struct opt opts[] = LOOK_OPTS;

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

static json_t *look(void *arg, const char *name, struct err *e)
{
	(void)arg;
	return volume_json(name, e);
}

static int inspect_main(const struct cmd *c, int argc, char **argv)
{
	return look_main(c, argc, argv, "a VOLUME", look);
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
