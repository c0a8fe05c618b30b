/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load_priv.h"

#include "base/auto.h"
#include "image/config.h"
#include "image/doc.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static json_t *desc(const char *media, const struct part *part)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", media, "digest",
			 part->digest.text, "size", (json_int_t)part->size);
}

static const struct part *need(struct load *l, const char *path, struct err *e)
{
	char name[TAR_NAME_MAX];
	const struct part *part;

	if (parts_clean("", path, name, e) < 0)
		return NULL;
	part = parts_find(&l->parts, name);
	if (!part)
		err_set(e, ENOENT, "%.100s is missing", name);
	return part;
}

static json_t *layer(const struct part *part, struct err *e)
{
	static const char *const media[] = {
		[PACK_NONE] = MEDIA_OCI_LAYER,
		[PACK_GZIP] = MEDIA_OCI_LAYER "+gzip",
		[PACK_ZSTD] = MEDIA_OCI_LAYER "+zstd",
	};
	json_t *o;

	if (part->odd_pack) {
		err_set(e, EPROTONOSUPPORT,
			"it is compressed by neither gzip nor zstd");
		return NULL;
	}
	o = desc(media[part->pack], part);
	if (!o)
		err_set(e, ENOMEM, "out of memory");
	return o;
}

static int add_layers(struct load *l, json_t *to, const char *const *paths,
		      size_t n, struct err *e)
{
	if (n > MANIFEST_LAYERS_MAX)
		return err_set(e, EFBIG, "more than %d layers",
			       MANIFEST_LAYERS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct part *part = need(l, paths[i], e);
		json_t *o = part ? layer(part, e) : NULL;

		if (!o)
			return err_wrap(e, "layer %zu", i + 1);
		json_array_append_new(to, o);
	}
	return 0;
}

/* docker's archive has no manifest in OCI's sense: here is one. */
static int write_manifest(struct load *l, json_t *m, struct manifest_desc *d,
			  struct err *e)
{
	autofree char *text = json_dumps(m, JSON_COMPACT);

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	d->size = strlen(text);
	return store_write(l->store, text, strlen(text), &d->digest, e);
}

static int make_manifest(struct load *l, json_t *o, struct manifest_desc *d,
			 struct err *e)
{
	autofree const char **paths = NULL;
	const char *config = NULL;
	const struct part *part;
	json_t *m, *layers;
	size_t n = 0;
	int r;

	if (doc_str(o, "Config", &config, e) < 0 ||
	    doc_strs(o, "Layers", &paths, &n, e) < 0)
		return -e->code;
	if (!config)
		return err_set(e, EBADMSG, "it has no Config");
	part = need(l, config, e);
	if (!part)
		return -e->code;
	layers = json_array();
	m = json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType",
		      MEDIA_OCI_MANIFEST, "config",
		      desc(MEDIA_OCI_CONFIG, part), "layers", layers);
	r = m ? add_layers(l, layers, paths, n, e)
	      : err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = write_manifest(l, m, d, e);
	json_decref(m);
	return r;
}

static int load_one(struct load *l, json_t *o, struct err *e)
{
	autofree const char **tags = NULL;
	struct manifest_desc d = { .media = MEDIA_OCI_MANIFEST };
	size_t n = 0;

	if (!json_is_object(o))
		return err_set(e, EBADMSG, "no object");
	if (doc_strs(o, "RepoTags", &tags, &n, e) < 0 ||
	    make_manifest(l, o, &d, e) < 0)
		return -e->code;
	if (n == 0 || l->how->name)
		return load_done(l, &d, NULL, e);
	for (size_t i = 0; i < n; i++)
		if (load_done(l, &d, tags[i], e) < 0)
			return -e->code;
	return 0;
}

int load_docker(struct load *l, struct err *e)
{
	autofree char *text = NULL;
	json_t *list, *v;
	ssize_t n;
	size_t i;
	int r = 0;

	if (l->dir >= 0)
		return err_set(e, EINVAL,
			       "what docker save writes is a file, not a "
			       "folder: tar it");
	n = load_file(l, "manifest.json", &text, e);
	if (n < 0)
		return (int)n;
	list = doc_text_any(text, (size_t)n, "manifest.json", e);
	if (!list)
		return -e->code;
	if (!json_is_array(list) || json_array_size(list) == 0)
		r = err_set(e, EBADMSG, "manifest.json is no list of images");
	json_array_foreach(list, i, v)
	{
		if (r == 0 && load_one(l, v, e) < 0)
			r = err_wrap(e, "image %zu", i + 1);
	}
	json_decref(list);
	return r;
}
