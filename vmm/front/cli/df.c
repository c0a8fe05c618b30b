/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/df.h"

#include "base/auto.h"
#include "cli/boxrow.h"
#include "cli/human.h"
#include "box/usage.h"
#include "box/volume_use.h"

static void count(struct df_sum *s, bool active, uint64_t bytes)
{
	s->total++;
	s->active += active;
	s->bytes += bytes;
	s->reclaimable += active ? 0 : bytes;
}

/* One that is gone meanwhile takes nothing. */
static void look_at_box(struct df *f, const struct box_info *info)
{
	const unsigned need = BOXROW_SPEC | BOXROW_SHORT_IMAGE;
	char size[HUMAN_MAX];
	struct boxrow row;
	struct err ignored;
	uint64_t bytes;
	struct box b;

	if (state_open(&b, info->id, &ignored) < 0)
		return;
	bytes = usage_box(&b, info);
	state_close(&b);
	count(&f->boxes, info->alive, bytes);
	if (boxrow_init(&row, info, need) < 0)
		return;
	json_object_set_new(row.cells, "Size",
			    json_string(human_size(bytes, 3, size)));
	json_array_append(f->box_rows, row.cells);
	boxrow_fini(&row);
}

static void look_at_volume(struct df *f, const char *name, unsigned links)
{
	char size[HUMAN_MAX];
	struct volume_info v;
	struct err ignored;

	if (volume_get(name, &v, &ignored) < 0)
		return;
	count(&f->volumes, links > 0 || v.busy, v.used);
	json_array_append_new(f->volume_rows,
			      json_pack("{s:s s:s s:o s:s}", "Driver", "local",
					"Name", name, "Links",
					json_sprintf("%u", links), "Size",
					human_size(v.used, 4, size)));
	volume_info_fini(&v);
}

int df_look(struct df *f, struct err *e)
{
	autofree struct box_info *all = NULL;
	struct volume_uses uses = { 0 };
	struct strv names = { 0 };
	int n = state_list(&all, e), r;

	*f = (struct df){ .image_rows = json_array(),
			  .box_rows = json_array(),
			  .volume_rows = json_array() };
	for (int i = 0; i < n; i++)
		look_at_box(f, &all[i]);
	r = n < 0 ? n : df_images(f, all, n, e);
	if (r == 0)
		r = volume_use_scan(&uses, e);
	if (r == 0)
		r = volume_names(&names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		look_at_volume(f, names.v[i],
			       volume_use_count(&uses, names.v[i]));
	volume_use_fini(&uses);
	strv_fini(&names);
	return r;
}

void df_fini(struct df *f)
{
	json_decref(f->image_rows);
	json_decref(f->box_rows);
	json_decref(f->volume_rows);
	*f = (struct df){ .box_rows = NULL };
}
