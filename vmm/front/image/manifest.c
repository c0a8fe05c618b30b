/* SPDX-License-Identifier: Apache-2.0 */
#include "image/manifest.h"

#include "base/auto.h"
#include "image/doc.h"
#include "image/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- media types ---- */

static const struct layer_type {
	const char *media;
	enum manifest_pack pack;
} layer_types[] = {
	{ MEDIA_OCI_LAYER, PACK_NONE },
	{ MEDIA_OCI_LAYER "+gzip", PACK_GZIP },
	{ MEDIA_OCI_LAYER "+zstd", PACK_ZSTD },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar",
	  PACK_NONE },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	  PACK_GZIP },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	  PACK_ZSTD },
	{ "application/vnd.docker.image.rootfs.diff.tar", PACK_NONE },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", PACK_GZIP },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", PACK_ZSTD },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	  PACK_GZIP },
};

static const struct layer_type *layer_type(const char *media)
{
	for (size_t i = 0; i < ARRAY_LEN(layer_types); i++)
		if (strcmp(layer_types[i].media, media) == 0)
			return &layer_types[i];
	return NULL;
}

static bool is_schema1(const char *media)
{
	return strstr(media, "docker.distribution.manifest.v1+") != NULL;
}

static int refuse_schema1(struct err *e)
{
	return err_set(e, EPROTONOSUPPORT,
		       "a docker image manifest of schema version 1, which is "
		       "out of use (push the image again with a newer docker)");
}

/* ---- descriptors ---- */

static int get_media(json_t *o, char out[MANIFEST_MEDIA_MAX], struct err *e)
{
	const char *media = "";

	if (doc_str(o, "mediaType", &media, e) < 0)
		return -e->code;
	if (strlen(media) >= MANIFEST_MEDIA_MAX)
		return err_set(e, EBADMSG, "mediaType is too long");
	snprintf(out, MANIFEST_MEDIA_MAX, "%s", media);
	return 0;
}

static int get_desc(json_t *o, struct manifest_desc *d, struct err *e)
{
	const char *digest = NULL;
	int r;

	if (!json_is_object(o))
		return err_set(e, EBADMSG, "no object");
	if (get_media(o, d->media, e) < 0 ||
	    doc_str(o, "digest", &digest, e) < 0)
		return -e->code;
	r = doc_u64(o, "size", &d->size, e);
	if (r < 0)
		return r;
	if (!digest || r == 0)
		return err_set(e, EBADMSG, "has no %s",
			       digest ? "size" : "digest");
	if (d->size > STORE_BLOB_MAX)
		return err_set(e, EFBIG, "claims %llu bytes",
			       (unsigned long long)d->size);
	return digest_parse(digest, &d->digest, e);
}

/* ---- an image ---- */

static int get_layer(json_t *o, struct manifest_desc *d, struct err *e)
{
	const struct layer_type *t;

	if (get_desc(o, d, e) < 0)
		return -e->code;
	t = layer_type(d->media);
	if (!t)
		return err_set(e, EPROTONOSUPPORT,
			       "'%.80s' is no kind of layer that is known",
			       d->media);
	d->pack = t->pack;
	return 0;
}

static int get_layers(json_t *o, struct manifest *m, struct err *e)
{
	json_t *list = NULL, *v;
	size_t i;

	if (doc_array(o, "layers", &list, e) < 0)
		return -e->code;
	if (!list)
		return err_set(e, EBADMSG, "it has no layers");
	if (json_array_size(list) > MANIFEST_LAYERS_MAX)
		return err_set(e, EFBIG, "more than %d layers",
			       MANIFEST_LAYERS_MAX);
	m->layers = calloc(json_array_size(list) + 1, sizeof(*m->layers));
	if (!m->layers)
		return err_set(e, ENOMEM, "out of memory");
	json_array_foreach(list, i, v)
	{
		if (get_layer(v, &m->layers[i], e) < 0)
			return err_wrap(e, "layer %zu", i + 1);
		m->nlayers++;
	}
	return 0;
}

static int get_image(json_t *o, struct manifest *m, struct err *e)
{
	json_t *config = NULL;

	m->kind = MANIFEST_IMAGE;
	if (doc_object(o, "config", &config, e) < 0)
		return -e->code;
	if (!config)
		return err_set(e, EBADMSG, "it has no config");
	if (get_desc(config, &m->config, e) < 0)
		return err_wrap(e, "config");
	if (strcmp(m->config.media, MEDIA_OCI_CONFIG) != 0 &&
	    strcmp(m->config.media, MEDIA_DOCKER_CONFIG) != 0)
		return err_set(e, EPROTONOSUPPORT,
			       "it is no image: its config is '%.80s'",
			       m->config.media);
	if (m->config.size > DOC_TEXT_MAX)
		return err_set(e, EFBIG, "config: larger than %u MiB",
			       DOC_TEXT_MAX >> 20);
	return get_layers(o, m, e);
}

/* ---- a list ---- */

static int get_platform(json_t *o, struct platform *p, struct err *e)
{
	json_t *v = NULL;
	int r = doc_object(o, "platform", &v, e);

	if (r <= 0)
		return r;
	if (doc_copy(v, "os", p->os, sizeof(p->os), e) < 0 ||
	    doc_copy(v, "architecture", p->arch, sizeof(p->arch), e) < 0 ||
	    doc_copy(v, "variant", p->variant, sizeof(p->variant), e) < 0)
		return err_wrap(e, "platform");
	return 0;
}

static int get_note(json_t *notes, const char *key, char **out, struct err *e)
{
	const char *text = NULL;

	if (doc_str(notes, key, &text, e) < 0)
		return -e->code;
	*out = text ? strdup(text) : NULL;
	return text && !*out ? err_set(e, ENOMEM, "out of memory") : 0;
}

static int get_entry(json_t *o, struct manifest_entry *en, struct err *e)
{
	json_t *notes = NULL;

	if (get_desc(o, &en->desc, e) < 0 ||
	    get_platform(o, &en->platform, e) < 0 ||
	    doc_object(o, "annotations", &notes, e) < 0)
		return -e->code;
	if (!notes)
		return 0;
	if (get_note(notes, "org.opencontainers.image.ref.name", &en->name, e) <
	    0)
		return -e->code;
	return get_note(notes, "io.containerd.image.name", &en->full, e);
}

static int get_list(json_t *o, struct manifest *m, struct err *e)
{
	json_t *list = NULL, *v;
	size_t i;

	m->kind = MANIFEST_LIST;
	if (doc_array(o, "manifests", &list, e) < 0)
		return -e->code;
	if (!list)
		return err_set(e, EBADMSG, "it has no manifests");
	if (json_array_size(list) > MANIFEST_ENTRIES_MAX)
		return err_set(e, EFBIG, "more than %d manifests",
			       MANIFEST_ENTRIES_MAX);
	m->entries = calloc(json_array_size(list) + 1, sizeof(*m->entries));
	if (!m->entries)
		return err_set(e, ENOMEM, "out of memory");
	json_array_foreach(list, i, v)
	{
		m->nentries++;
		if (get_entry(v, &m->entries[i], e) < 0)
			return err_wrap(e, "manifest %zu of the list", i + 1);
	}
	return 0;
}

/* ---- either ---- */

/* What it says it is, and what it is said to be, must agree: a text that can
 * be read as both is an attack (OCI image-spec, "mediaType"). */
static int choose(json_t *o, const char *said, struct manifest *m,
		  struct err *e)
{
	bool list = json_object_get(o, "manifests");
	bool image = json_object_get(o, "layers") ||
		     json_object_get(o, "config");
	uint64_t version = 0;
	const char *media;

	if (doc_u64(o, "schemaVersion", &version, e) < 0)
		return -e->code;
	if (is_schema1(m->media) || is_schema1(said) || version == 1 ||
	    json_object_get(o, "fsLayers"))
		return refuse_schema1(e);
	if (version != 2)
		return err_set(e, EPROTONOSUPPORT,
			       "it is no manifest (schemaVersion %llu)",
			       (unsigned long long)version);
	if (*said && *m->media && strcmp(said, m->media) != 0)
		return err_set(e, EBADMSG,
			       "it says '%.80s', but was "
			       "announced as '%.80s'",
			       m->media, said);
	if (list && image)
		return err_set(e, EBADMSG, "it is a list and an image at once");
	media = *m->media ? m->media : said;
	if (!*media)
		media = list ? MEDIA_OCI_INDEX : MEDIA_OCI_MANIFEST;
	if (media != m->media)
		snprintf(m->media, sizeof(m->media), "%s", media);
	if (strcmp(m->media, MEDIA_OCI_INDEX) == 0 ||
	    strcmp(m->media, MEDIA_DOCKER_LIST) == 0)
		return get_list(o, m, e);
	if (strcmp(m->media, MEDIA_OCI_MANIFEST) == 0 ||
	    strcmp(m->media, MEDIA_DOCKER_MANIFEST) == 0)
		return get_image(o, m, e);
	return err_set(e, EPROTONOSUPPORT,
		       "'%.80s' is no kind of manifest "
		       "that is known",
		       m->media);
}

int manifest_parse(const char *text, size_t len, const char *media,
		   struct manifest *m, struct err *e)
{
	json_t *o;
	int r;

	*m = (struct manifest){ 0 };
	o = doc_text(text, len, "the manifest", e);
	if (!o)
		return -e->code;
	r = get_media(o, m->media, e);
	if (r == 0)
		r = choose(o, media ? media : "", m, e);
	json_decref(o);
	if (r < 0)
		manifest_fini(m);
	return r;
}

void manifest_fini(struct manifest *m)
{
	for (size_t i = 0; i < m->nentries; i++) {
		free(m->entries[i].name);
		free(m->entries[i].full);
	}
	free(m->entries);
	free(m->layers);
	*m = (struct manifest){ 0 };
}

/* ---- which one ---- */

static void say_what_there_is(const struct manifest *m, char *out, size_t size)
{
	size_t at = 0;

	*out = '\0';
	for (size_t i = 0; i < m->nentries && at + 1 < size; i++) {
		const struct platform *p = &m->entries[i].platform;
		char text[PLATFORM_TEXT_MAX];
		int n;

		/* Attestations say unknown/unknown. */
		if (!*p->os || strcmp(p->os, "unknown") == 0)
			continue;
		platform_print(p, text, sizeof(text));
		n = snprintf(out + at, size - at, "%s%s", at ? ", " : "", text);
		at += n > 0 ? (size_t)n : 0;
	}
}

int manifest_pick(const struct manifest *m, const struct platform *p,
		  const struct manifest_entry **out, struct err *e)
{
	char want[PLATFORM_TEXT_MAX], there[120];
	int best = 0;

	for (size_t i = 0; i < m->nentries; i++) {
		int fit = platform_fits(&m->entries[i].platform, p);

		if (fit > best) {
			best = fit;
			*out = &m->entries[i];
		}
	}
	if (best > 0)
		return 0;
	if (m->nentries == 1 && !*m->entries[0].platform.os) {
		*out = &m->entries[0];
		return 0;
	}
	platform_print(p, want, sizeof(want));
	say_what_there_is(m, there, sizeof(there));
	return err_set(e, ENOENT, "it has nothing for %s%s%s", want,
		       *there ? ", only for " : "", there);
}
