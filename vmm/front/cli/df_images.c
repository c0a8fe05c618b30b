/* SPDX-License-Identifier: Apache-2.0 */
/* What the store of images takes of the host's disk.
 *
 * Images share layers, so files are counted, not images. What no image that a
 * box was made from refers to is reclaimable. */
#include "cli/df.h"

#include "base/auto.h"
#include "cli/human.h"
#include "cli/imagerow.h"
#include "box/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 512 /* of st_blocks */
#define TREE_DIGITS 64 /* of a disk's name: which tree it holds */

/* Names of files that are needed, as the keys of an object. */
static void need(json_t *needed, const struct digest *d)
{
	json_object_set_new(needed, digest_hex(d), json_true());
}

static void need_all(json_t *needed, const struct imagerow *row)
{
	const struct manifest *m = &row->img.manifest;
	char key[IMAGE_KEY_MAX];

	need(needed, &row->entry->desc.digest);
	need(needed, &m->config.digest);
	for (size_t i = 0; i < m->nlayers; i++)
		need(needed, &m->layers[i].digest);
	image_disk_key(&row->img, "", key);
	key[TREE_DIGITS] = '\0';
	json_object_set_new(needed, key, json_true());
}

static unsigned boxes_of(const struct catalog *c, size_t entry,
			 const struct box_info *boxes, int n)
{
	unsigned users = 0;

	for (int i = 0; i < n; i++) {
		struct err ignored;
		int k = *boxes[i].image
			      ? catalog_find(c, boxes[i].image, &ignored)
			      : -1;

		users += k >= 0 && digest_equal(&c->v[k].id, &c->v[entry].id);
	}
	return users;
}

/* Whether an earlier entry, another name, stands for the same image. */
static bool seen(const struct catalog *c, size_t entry)
{
	for (size_t i = 0; i < entry; i++)
		if (digest_equal(&c->v[i].id, &c->v[entry].id))
			return true;
	return false;
}

static void look_at(struct df *f, struct store *s, const struct catalog *c,
		    size_t i, unsigned users, json_t *needed)
{
	struct imagerow row;
	json_t *cells;

	imagerow_init(&row, s, &c->v[i]);
	if (!seen(c, i)) {
		f->images.total++;
		f->images.active += users > 0;
	}
	if (users && *row.img.id.text)
		need_all(needed, &row);
	cells = imagerow_cells(&row, false);
	json_object_set_new(cells, "Containers", json_sprintf("%u", users));
	json_array_append_new(f->image_rows, cells);
	imagerow_fini(&row);
}

static void count_files(struct df *f, int folder, const json_t *needed)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *ent;
	struct stat st;

	if (!d && fd >= 0)
		close(fd);
	while (d && (ent = readdir(d))) {
		char name[sizeof(ent->d_name)];
		uint64_t bytes;

		if (fstatat(fd, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		bytes = (uint64_t)st.st_blocks * BLOCK;
		f->images.bytes += bytes;
		snprintf(name, sizeof(name), "%s", ent->d_name);
		if (strchr(name, '-'))
			name[strcspn(name, "-")] = '\0';
		if (!json_object_get(needed, name))
			f->images.reclaimable += bytes;
	}
	if (d)
		closedir(d);
}

int df_images(struct df *f, const struct box_info *boxes, int n, struct err *e)
{
	json_t *needed = json_object();
	struct catalog c = { .lock = -1 };
	struct store s;
	int r = imagerow_store(&s, e);

	if (r == 0) {
		r = catalog_load(&s, &c, e);
		for (size_t i = 0; r == 0 && i < c.n; i++)
			look_at(f, &s, &c, i, boxes_of(&c, i, boxes, n),
				needed);
		for (size_t i = 0; r == 0 && i < DIGEST_NALGS; i++)
			count_files(f, s.blobs[i], needed);
		if (r == 0)
			count_files(f, s.disks, needed);
		catalog_fini(&c);
		store_close(&s);
	}
	json_decref(needed);
	return r;
}
