/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include "base/auto.h"
#include "image/catalog.h"
#include "image/doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int read_manifest(struct store *s, const struct digest *d,
			 struct image *img, struct err *e)
{
	autofree char *text = NULL;
	ssize_t n = store_read(s, d, DOC_TEXT_MAX, &text, e);

	if (n < 0)
		return (int)n;
	if (manifest_parse(text, (size_t)n, NULL, &img->manifest, e) < 0)
		return -e->code;
	if (img->manifest.kind != MANIFEST_IMAGE)
		return err_set(e, EBADMSG, "%s is a list of manifests",
			       d->text);
	img->digest = *d;
	return 0;
}

static int read_config(struct store *s, struct image *img, struct err *e)
{
	const struct manifest_desc *d = &img->manifest.config;
	autofree char *text = NULL;
	ssize_t n = store_read(s, &d->digest, DOC_TEXT_MAX, &text, e);

	if (n < 0)
		return (int)n;
	if (config_parse(text, (size_t)n, &img->config, e) < 0)
		return -e->code;
	if (img->config.ndiff_ids != img->manifest.nlayers)
		return err_set(e, EBADMSG,
			       "the manifest has %zu layers, the "
			       "configuration %zu",
			       img->manifest.nlayers, img->config.ndiff_ids);
	img->id = d->digest;
	return 0;
}

int image_open_digest(struct store *s, const struct digest *manifest,
		      struct image *img, struct err *e)
{
	*img = (struct image){ 0 };
	if (read_manifest(s, manifest, img, e) < 0 ||
	    read_config(s, img, e) < 0) {
		image_fini(img);
		return -e->code;
	}
	return 0;
}

int image_open(struct store *s, const char *text, struct image *img,
	       struct err *e)
{
	struct catalog c;
	int i, r;

	*img = (struct image){ 0 };
	if (catalog_load(s, &c, e) < 0)
		return -e->code;
	i = catalog_find(&c, text, e);
	r = i < 0 ? i : image_open_digest(s, &c.v[i].desc.digest, img, e);
	if (r < 0 && i >= 0)
		err_wrap(e, "image %.80s", text);
	if (r == 0 && c.v[i].name) {
		img->name = strdup(c.v[i].name);
		if (!img->name)
			r = err_set(e, ENOMEM, "out of memory");
	}
	catalog_fini(&c);
	if (r < 0)
		image_fini(img);
	return r;
}

void image_fini(struct image *img)
{
	free(img->name);
	manifest_fini(&img->manifest);
	config_fini(&img->config);
	*img = (struct image){ 0 };
}

int image_layer_fd(struct store *s, const struct image *img, size_t i,
		   struct err *e)
{
	const struct manifest_desc *d;
	autoclose int fd = -1;
	uint64_t size;

	if (i >= img->manifest.nlayers)
		return err_set(e, EINVAL, "layer %zu of %zu", i + 1,
			       img->manifest.nlayers);
	d = &img->manifest.layers[i];
	fd = store_blob(s, &d->digest, &size, e);
	if (fd < 0)
		return err_wrap(e, "layer %zu", i + 1);
	if (size != d->size)
		return err_set(e, EBADMSG,
			       "layer %zu: %s has %llu bytes, not %llu", i + 1,
			       d->digest.text, (unsigned long long)size,
			       (unsigned long long)d->size);
	return take_fd(&fd);
}
