/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/rootdisk.h"

#include "base/auto.h"
#include "image/image.h"
#include "image/ref.h"
#include "builder/builder.h"
#include "box/where.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Changes when another unpacker would make another disk. */
#define BUILDER_VERSION 1

/* Layers seldom unpack to more than so many times what they are. */
#define UNPACKS_TO 6

/* ---- the disk ---- */

/* The same for an image wherever it is. It is holes; a box that wants more
 * room grows its own copy. */
static uint64_t disk_bytes(const struct image *img)
{
	uint64_t n = 0;

	for (size_t i = 0; i < img->manifest.nlayers; i++)
		n += img->manifest.layers[i].size;
	n = MIN(n, BUILDER_DISK_MAX / UNPACKS_TO) * UNPACKS_TO;
	n -= n % (1u << 20);
	return MAX(n, BUILDER_DISK_DEFAULT);
}

struct disk_layers {
	struct builder_layer v[MANIFEST_LAYERS_MAX];
	size_t n;
};

static void layers_close(struct disk_layers *l)
{
	while (l->n > 0)
		close(l->v[--l->n].fd);
}

/* What a layer is packed with shows in its first bytes; media types have been
 * seen to lie. */
static int layers_open(struct disk_layers *l, struct store *st,
		       const struct image *img, struct err *e)
{
	for (size_t i = 0; i < img->manifest.nlayers; i++) {
		struct builder_layer *one = &l->v[i];
		int fd = image_layer_fd(st, img, i, e);

		if (fd < 0)
			return fd;
		*one = (struct builder_layer){
			.fd = fd,
			.size = img->manifest.layers[i].size,
			.kind = BUILDER_AUTO,
			.diff_id = img->config.diff_ids[i].text,
		};
		l->n++;
	}
	return 0;
}

static int fill(struct store *st, const struct image *img, int out,
		uint64_t bytes, const struct rootdisk_how *how, struct err *e)
{
	struct disk_layers *l = calloc(1, sizeof(*l));
	struct builder b = { .out = out, .bytes = bytes };
	int r;

	if (!l)
		return err_set(e, ENOMEM, "out of memory");
	if (how) {
		b.progress = how->progress;
		b.arg = how->arg;
	}
	r = layers_open(l, st, img, e);
	b.layers = l->v;
	b.nlayers = l->n;
	if (r == 0)
		r = builder_run(&b, e);
	layers_close(l);
	free(l);
	return r;
}

/* The finished disk, made when it is missing. */
static int disk_get(struct store *st, const struct image *img, const char *key,
		    uint64_t bytes, const struct rootdisk_how *how,
		    struct err *e)
{
	int fd = image_disk_open(st, key, e);

	while (fd == -ENOENT) {
		struct image_disk making = { 0 };
		int r = image_disk_begin(st, key, &making, e);

		if (r == 0 && fill(st, img, making.fd, bytes, how, e) < 0)
			r = -e->code;
		if (r == 0)
			r = image_disk_commit(&making, e);
		image_disk_end(&making);
		if (r < 0 && r != -EEXIST)
			return r;
		fd = image_disk_open(st, key, e);
	}
	return fd;
}

/* ---- the image ---- */

static int keep_text(struct spec *s, const char **out, const char *text,
		     struct err *e)
{
	json_t *o = json_stringn_nocheck(text, strlen(text));

	if (!o || json_array_append_new(s->held, o) < 0)
		return err_set(e, ENOMEM, "out of memory");
	*out = json_string_value(o);
	return 0;
}

static int use_image(struct spec *s, struct store *st, const struct image *img,
		     const struct rootdisk_how *how, struct err *e)
{
	uint64_t bytes = disk_bytes(img);
	char options[64], key[IMAGE_KEY_MAX], path[PATH_MAX + 128];
	autoclose int fd = -1;

	snprintf(options, sizeof(options), "%d %" PRIu64, BUILDER_VERSION,
		 bytes);
	image_disk_key(img, options, key);
	if (rootdisk_config(s, &img->config, e) < 0)
		return -e->code;
	fd = disk_get(st, img, key, bytes, how, e);
	if (fd < 0)
		return -e->code;
	snprintf(path, sizeof(path), "%s/disks/%s.ext4", st->path, key);
	if (keep_text(s, &s->image_path, path, e) < 0 ||
	    keep_text(s, &s->image_id, img->id.text, e) < 0)
		return -e->code;
	return 0;
}

/* As docker says it, with the tag it looked for. */
static int not_found(const char *text, struct err *e)
{
	char shown[REF_TEXT_MAX];
	struct ref ref;

	if (ref_parse(text, &ref, e) < 0)
		return -e->code;
	ref_print_familiar(&ref, shown);
	if (strchr(text, '@') || !*ref.tag)
		snprintf(shown, sizeof(shown), "%s", text);
	return err_set(e, ENOENT, "Unable to find image '%.150s%s%s' locally",
		       shown, strchr(text, '@') ? "" : ":",
		       strchr(text, '@') ? "" : ref.tag);
}

bool rootdisk_is_file(const char *text)
{
	struct stat st;

	if (*text == '/' || strncmp(text, "./", 2) == 0 ||
	    strncmp(text, "../", 3) == 0)
		return true;
	return stat(text, &st) == 0 && !S_ISDIR(st.st_mode);
}

int rootdisk_find(struct spec *s, const struct rootdisk_how *how, struct err *e)
{
	char data[PATH_MAX];
	struct image img = { 0 };
	struct store st;
	int fd, r;

	if (!*s->image || rootdisk_is_file(s->image))
		return 0;
	fd = where_data(data, e);
	if (fd < 0)
		return fd;
	close(fd);
	if (store_open(&st, data, e) < 0)
		return -e->code;
	r = image_open(&st, s->image, &img, e);
	if (r == -ENOENT)
		r = not_found(s->image, e);
	if (r == 0 && use_image(s, &st, &img, how, e) < 0) {
		/* What was not found then is not the image. */
		if (e->code == ENOENT)
			e->code = EIO;
		r = err_wrap(e, "image %.80s", s->image);
	}
	image_fini(&img);
	store_close(&st);
	return r;
}
