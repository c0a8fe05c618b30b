/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/imageuse.h"

#include "base/auto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define BLOCK 512 /* of st_blocks */

/* ---- the files ---- */

static int by_name(const void *x, const void *y)
{
	const struct imageuse_file *a = x, *b = y;

	return strcmp(a->name, b->name);
}

static int add_file(struct imageuse *u, const char *name, const struct stat *st,
		    bool listed, struct err *e)
{
	struct imageuse_file *more;

	u->bytes += (uint64_t)st->st_blocks * BLOCK;
	if (!listed || strlen(name) >= sizeof(more->name))
		return 0;
	/* Doubled at each power of two. */
	if ((u->nfiles & (u->nfiles - 1)) == 0) {
		more = realloc(u->files,
			       (u->nfiles ? 2 * u->nfiles : 1) * sizeof(*more));
		if (!more)
			return err_set(e, ENOMEM, "out of memory");
		u->files = more;
	}
	more = &u->files[u->nfiles++];
	*more = (struct imageuse_file){
		.bytes = (uint64_t)st->st_blocks * BLOCK,
		.boxed = st->st_nlink > 1,
	};
	snprintf(more->name, sizeof(more->name), "%.*s",
		 (int)sizeof(more->name) - 1, name);
	return 0;
}

static int scan(struct imageuse *u, int folder, bool listed, struct err *e)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	struct stat st;
	int r = 0;

	if (!d) {
		err_sys(e, "read the store");
		auto_close_(&fd);
		return -e->code;
	}
	while (r == 0 && (de = readdir(d)))
		if (fstatat(fd, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			r = add_file(u, de->d_name, &st, listed, e);
	closedir(d);
	return r;
}

static int scan_all(struct imageuse *u, struct store *s, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < DIGEST_NALGS; i++)
		r = scan(u, s->blobs[i], true, e);
	if (r == 0)
		r = scan(u, s->disks, true, e);
	if (r == 0)
		r = scan(u, s->partial, false, e);
	if (u->nfiles > 0)
		qsort(u->files, u->nfiles, sizeof(*u->files), by_name);
	return r;
}

/* ---- the images ---- */

static size_t first_from(const struct imageuse *u, const char *name)
{
	size_t lo = 0, hi = u->nfiles;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(u->files[mid].name, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* All files whose names begin so, once each. */
static int own(struct imageuse *u, struct imageuse_image *img, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = first_from(u, name);
	     i < u->nfiles && strncmp(u->files[i].name, name, len) == 0; i++) {
		size_t *more, k = 0;

		while (k < img->nfiles && img->files[k] != i)
			k++;
		if (k < img->nfiles)
			continue;
		more = realloc(img->files, (k + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		img->files = more;
		more[img->nfiles++] = i;
		u->files[i].refs++;
	}
	return 0;
}

static int own_disks(struct imageuse *u, struct store *s,
		     struct imageuse_image *img, const char *tree)
{
	size_t before = img->nfiles;
	int r = own(u, img, tree);

	for (size_t i = before; i < img->nfiles; i++) {
		const struct imageuse_file *f = &u->files[img->files[i]];
		struct stat st;

		img->boxed |= f->boxed;
		if (strstr(f->name, ".ext4") &&
		    fstatat(s->disks, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			img->used = MAX(img->used, st.st_mtime);
	}
	return r;
}

static int own_all(struct imageuse *u, struct store *s,
		   struct imageuse_image *out, const struct image *img)
{
	const struct manifest *m = &img->manifest;
	char tree[IMAGE_KEY_MAX];
	int r = own(u, out, digest_hex(&out->manifest));

	if (r == 0)
		r = own(u, out, digest_hex(&m->config.digest));
	for (size_t i = 0; r == 0 && i < m->nlayers; i++)
		r = own(u, out, digest_hex(&m->layers[i].digest));
	/* "TREE-OPTIONS": with every option. */
	image_disk_key(img, "", tree);
	tree[strcspn(tree, "-") + 1] = '\0';
	return r < 0 ? r : own_disks(u, s, out, tree);
}

static unsigned boxes_of(const struct catalog *c, const struct digest *id,
			 const struct box_info *boxes, int n)
{
	unsigned users = 0;

	for (int i = 0; i < n; i++) {
		struct err ignored;
		int k = *boxes[i].image
			      ? catalog_find(c, boxes[i].image, &ignored)
			      : -1;

		users += k >= 0 && digest_equal(&c->v[k].id, id);
	}
	return users;
}

struct imageuse_image *imageuse_find(const struct imageuse *u,
				     const struct digest *manifest)
{
	for (size_t i = 0; i < u->nimages; i++)
		if (digest_equal(&u->images[i].manifest, manifest))
			return &u->images[i];
	return NULL;
}

static int add_image(struct imageuse *u, struct store *s,
		     const struct catalog_entry *en)
{
	struct imageuse_image *mine = imageuse_find(u, &en->desc.digest);
	struct err ignored;
	struct image img;
	int r;

	if (mine) {
		mine->used = MAX(mine->used, en->added);
		return 0;
	}
	mine = &u->images[u->nimages++];
	*mine = (struct imageuse_image){ .manifest = en->desc.digest,
					 .id = en->id,
					 .used = en->added };
	/* One that is damaged has what can be read of it. */
	if (image_open_digest(s, &en->desc.digest, &img, &ignored) < 0)
		return own(u, mine, digest_hex(&en->desc.digest));
	r = own_all(u, s, mine, &img);
	image_fini(&img);
	return r;
}

int imageuse_look(struct imageuse *u, struct store *s, const struct catalog *c,
		  const struct box_info *boxes, int n, struct err *e)
{
	int r;

	*u = (struct imageuse){ 0 };
	u->images = calloc(c->n + 1, sizeof(*u->images));
	r = u->images ? scan_all(u, s, e) : err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < c->n; i++)
		if (add_image(u, s, &c->v[i]) < 0)
			r = err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < u->nimages; i++)
		u->images[i].boxes = boxes_of(c, &u->images[i].id, boxes, n);
	if (r < 0)
		imageuse_fini(u);
	return r;
}

void imageuse_fini(struct imageuse *u)
{
	for (size_t i = 0; u->images && i < u->nimages; i++)
		free(u->images[i].files);
	free(u->images);
	free(u->files);
	*u = (struct imageuse){ 0 };
}

/* ---- sums ---- */

static uint64_t sum(const struct imageuse *u, const struct imageuse_image *img,
		    bool shared)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < img->nfiles; i++) {
		const struct imageuse_file *f = &u->files[img->files[i]];

		if ((f->refs > 1) == shared)
			bytes += f->bytes;
	}
	return bytes;
}

uint64_t imageuse_unique(const struct imageuse *u,
			 const struct imageuse_image *img)
{
	return sum(u, img, false);
}

uint64_t imageuse_shared(const struct imageuse *u,
			 const struct imageuse_image *img)
{
	return sum(u, img, true);
}

void imageuse_drop(struct imageuse *u, struct imageuse_image *img)
{
	for (size_t i = 0; i < img->nfiles; i++) {
		struct imageuse_file *f = &u->files[img->files[i]];

		if (--f->refs == 0)
			u->bytes -= f->bytes;
	}
	free(img->files);
	img->files = NULL;
	img->nfiles = 0;
}
