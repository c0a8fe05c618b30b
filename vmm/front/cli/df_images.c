/* SPDX-License-Identifier: Apache-2.0 */
/* What the store of images takes of the host's disk.
 *
 * What only images have from which no box was made is reclaimable, and so is
 * what no image has: blobs whose connection failed. */
#include "cli/df.h"

#include "base/auto.h"
#include "cli/human.h"
#include "cli/imagerow.h"
#include "cli/imageuse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put_size(json_t *cells, const char *field, uint64_t bytes)
{
	char text[HUMAN_MAX];

	json_object_set_new(cells, field,
			    json_string(human_size(bytes, 4, text)));
}

/* Of the host's disk, unlike in `vial images`. */
static int add_row(struct df *f, const struct imageuse *u, struct store *s,
		   const struct catalog_entry *en)
{
	const struct imageuse_image *img = imageuse_find(u, &en->desc.digest);
	uint64_t unique, shared;
	struct imagerow row;
	json_t *cells;

	if (!img)
		return 0;
	unique = imageuse_unique(u, img);
	shared = imageuse_shared(u, img);
	imagerow_init(&row, s, en);
	cells = imagerow_cells(&row, false);
	imagerow_fini(&row);
	put_size(cells, "Size", unique + shared);
	put_size(cells, "SharedSize", shared);
	put_size(cells, "UniqueSize", unique);
	json_object_set_new(cells, "Containers",
			    json_sprintf("%u", img->boxes));
	return json_array_append_new(f->image_rows, cells);
}

static uint64_t needed(const struct imageuse *u)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < u->nfiles; i++) {
		bool need = u->files[i].boxed;

		for (size_t k = 0; !need && k < u->nimages; k++)
			for (size_t j = 0; j < u->images[k].nfiles; j++)
				need |= u->images[k].boxes > 0 &&
					u->images[k].files[j] == i;
		bytes += need ? u->files[i].bytes : 0;
	}
	return bytes;
}

static int look(struct df *f, struct store *s, const struct catalog *c,
		const struct box_info *boxes, int n, struct err *e)
{
	struct imageuse u = { 0 };
	int r = imageuse_look(&u, s, c, boxes, n, e);

	if (r < 0)
		return r;
	f->images.total = (unsigned)u.nimages;
	for (size_t i = 0; i < u.nimages; i++)
		f->images.active += u.images[i].boxes > 0 || u.images[i].boxed;
	f->images.bytes = u.bytes;
	f->images.reclaimable = u.bytes - needed(&u);
	for (size_t i = 0; r == 0 && i < c->n; i++)
		if (add_row(f, &u, s, &c->v[i]) < 0)
			r = err_set(e, ENOMEM, "out of memory");
	imageuse_fini(&u);
	return r;
}

int df_images(struct df *f, const struct box_info *boxes, int n, struct err *e)
{
	struct catalog c = { .lock = -1 };
	struct store s;
	int r = imagerow_store(&s, e);

	if (r < 0)
		return r;
	r = catalog_load(&s, &c, e);
	if (r == 0)
		r = look(f, &s, &c, boxes, n, e);
	catalog_fini(&c);
	store_close(&s);
	return r;
}
