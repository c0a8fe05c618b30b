/* SPDX-License-Identifier: Apache-2.0 */
#include "image/derive.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/config.h"
#include "image/load.h"
#include "image/platform.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACK_BYTES (128u << 10)
/* zlib: the largest window, with a gzip header. */
#define GZIP_BITS (15 + 16)

/* ---- the layer ---- */

int derive_layer_open(struct derive_layer *l, struct store *s, struct err *e)
{
	*l = (struct derive_layer){ .any = false };
	if (blob_new(&l->blob, s, DIGEST_SHA256, STORE_BLOB_MAX, e) < 0)
		return -e->code;
	if (deflateInit2(&l->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_BITS, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		blob_end(&l->blob);
		return err_set(e, ENOMEM, "out of memory");
	}
	digest_init(&l->inside, DIGEST_SHA256);
	l->open = true;
	return 0;
}

static int pack(struct derive_layer *l, const void *bytes, size_t n, int flush,
		struct err *e)
{
	autofree unsigned char *out = malloc(PACK_BYTES);

	if (!out)
		return err_set(e, ENOMEM, "out of memory");
	l->z.next_in = (Bytef *)(uintptr_t)bytes;
	l->z.avail_in = (uInt)n;
	do {
		l->z.next_out = out;
		l->z.avail_out = PACK_BYTES;
		if (deflate(&l->z, flush) == Z_STREAM_ERROR)
			return err_set(e, EIO, "pack the layer");
		if (blob_write(&l->blob, out, PACK_BYTES - l->z.avail_out, e) <
		    0)
			return -e->code;
	} while (l->z.avail_out == 0);
	return 0;
}

int derive_layer_write(struct derive_layer *l, const void *bytes, size_t n,
		       struct err *e)
{
	const char *p = bytes;

	if (n == 0)
		return 0;
	l->bytes += n;
	if (l->bytes > DERIVE_LAYER_MAX || n > UINT32_MAX)
		return err_set(e, EFBIG,
			       "the layer has more than %" PRIu64 " bytes",
			       (uint64_t)DERIVE_LAYER_MAX);
	if (!l->any)
		l->any = p[0] != 0 || memcmp(p, p + 1, n - 1) != 0;
	digest_update(&l->inside, bytes, n);
	return pack(l, bytes, n, Z_NO_FLUSH, e);
}

void derive_layer_end(struct derive_layer *l)
{
	if (!l->open)
		return;
	deflateEnd(&l->z);
	blob_end(&l->blob);
	l->open = false;
}

/* ---- what is said of it ---- */

/* A list of o, made when it is missing; borrowed. */
static json_t *list_of(json_t *o, const char *key)
{
	json_t *a = json_object_get(o, key);

	if (!json_is_array(a)) {
		json_object_set_new(o, key, json_array());
		a = json_object_get(o, key);
	}
	return a;
}

static void put_history(json_t *config, const struct derive *d,
			const char *when, bool empty)
{
	json_t *one = json_pack("{s:s, s:s*, s:s*, s:s*}", "created", when,
				"author", d->author, "created_by",
				d->created_by, "comment", d->comment);

	if (empty)
		json_object_set_new(one, "empty_layer", json_true());
	json_array_append_new(list_of(config, "history"), one);
}

/* The base's, without what docker once wrote about how that came to be. */
static json_t *base_config(const struct image *base)
{
	static const char *const old[] = { "container", "container_config",
					   "docker_version", "id", "parent" };
	const struct platform *p = base ? &base->config.platform : NULL;
	struct platform host;
	struct err ignored;
	json_t *o;

	if (base) {
		o = json_deep_copy(base->config.json);
		for (size_t i = 0; o && i < ARRAY_LEN(old); i++)
			json_object_del(o, old[i]);
		return o;
	}
	if (platform_parse(NULL, &host, &ignored) == 0)
		p = &host;
	return json_pack("{s:s, s:s, s:{s:s, s:[]}, s:[]}", "architecture",
			 p ? p->arch : "", "os", p ? p->os : "linux", "rootfs",
			 "type", "layers", "diff_ids", "history");
}

/* inside: of the new layer; NULL: there is none. */
static json_t *make_config(const struct derive *d, const struct digest *inside)
{
	json_t *o = base_config(d->base), *rootfs;
	char when[CONFIG_TIME];

	if (!o)
		return NULL;
	config_now(when);
	json_object_set_new(o, "created", json_string(when));
	if (d->author)
		json_object_set_new(o, "author", json_string(d->author));
	json_object_set(o, "config", d->config);
	rootfs = json_object_get(o, "rootfs");
	if (inside)
		json_array_append_new(list_of(rootfs, "diff_ids"),
				      json_string(inside->text));
	put_history(o, d, when, !inside);
	return o;
}

/* ---- all of it ---- */

static int put_json(struct store *s, json_t *o, struct manifest_desc *d,
		    struct err *e)
{
	autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	d->size = strlen(text);
	return store_write(s, text, strlen(text), &d->digest, e);
}

/* Ends its stream: what is inside, and what it is as a blob. */
static int finish_layer(struct derive_layer *l, struct digest *inside,
			struct manifest_desc *out, struct err *e)
{
	*out = (struct manifest_desc){ .pack = PACK_GZIP };
	if (pack(l, NULL, 0, Z_FINISH, e) < 0)
		return -e->code;
	digest_final(&l->inside, inside);
	out->size = l->z.total_out;
	return blob_commit(&l->blob, NULL, &out->digest, e);
}

static json_t *layer_json(const struct manifest_desc *d)
{
	static const char *const media[PACK_NKINDS] = {
		[PACK_NONE] = MEDIA_OCI_LAYER,
		[PACK_GZIP] = MEDIA_OCI_LAYER "+gzip",
		[PACK_ZSTD] = MEDIA_OCI_LAYER "+zstd",
	};

	return json_pack("{s:s, s:s, s:I}", "mediaType", media[d->pack],
			 "digest", d->digest.text, "size", (json_int_t)d->size);
}

/* config's digest and size, and those of n layers. */
static int put_manifest(struct store *s, const struct manifest_desc *config,
			const struct manifest_desc *layers, size_t n,
			struct manifest_desc *out, struct err *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, layer_json(&layers[i]));
	*out = (struct manifest_desc){ .media = MEDIA_OCI_MANIFEST };
	return put_json(s,
			json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:o}",
				  "schemaVersion", 2, "mediaType",
				  MEDIA_OCI_MANIFEST, "config", "mediaType",
				  MEDIA_OCI_CONFIG, "digest",
				  config->digest.text, "size",
				  (json_int_t)config->size, "layers", list),
			out, e);
}

int derive_image(struct store *s, const struct derive *d,
		 struct derive_layer *l, struct digest *id, struct err *e)
{
	const struct digest none = { "" };
	size_t n = d->base ? d->base->manifest.nlayers : 0;
	autofree struct manifest_desc *layers = calloc(n + 1, sizeof(*layers));
	struct manifest_desc m, c = { 0 };
	struct digest inside;
	int r = 0;

	if (!layers)
		return err_set(e, ENOMEM, "out of memory");
	if (n > 0)
		memcpy(layers, d->base->manifest.layers, n * sizeof(*layers));
	if (l->any)
		r = finish_layer(l, &inside, &layers[n++], e);
	if (r == 0)
		r = put_json(s, make_config(d, l->any ? &inside : NULL), &c, e);
	if (r == 0)
		r = put_manifest(s, &c, layers, n, &m, e);
	if (r == 0)
		r = load_name(s, &m, d->name, &none, id, e);
	return r;
}

/* ---- the same image, packed ---- */

/* Which of the bases has the layer, as it has it. */
static bool from_bases(const struct image *bases, size_t n,
		       const struct digest *inside, struct manifest_desc *out)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < bases[i].manifest.nlayers; k++)
			if (digest_equal(&bases[i].config.diff_ids[k],
					 inside)) {
				*out = bases[i].manifest.layers[k];
				return true;
			}
	return false;
}

static int pack_layer(struct store *s, const struct image *img, size_t i,
		      struct manifest_desc *out, struct err *e)
{
	autoclose int fd = image_layer_fd(s, img, i, e);
	autofree char *buf = malloc(PACK_BYTES);
	struct derive_layer l;
	struct digest inside;
	ssize_t n = 0;
	int r;

	if (fd < 0)
		return fd;
	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	r = derive_layer_open(&l, s, e);
	while (r == 0 && (n = fd_read_full(fd, buf, PACK_BYTES)) > 0)
		r = derive_layer_write(&l, buf, (size_t)n, e);
	if (r == 0 && n < 0)
		r = err_set(e, (int)-n, "read: %s", strerror((int)-n));
	if (r == 0)
		r = finish_layer(&l, &inside, out, e);
	derive_layer_end(&l);
	if (r == 0 && !digest_equal(&inside, &img->config.diff_ids[i]))
		r = err_set(e, EBADMSG, "layer %zu is %s, not %s", i + 1,
			    inside.text, img->config.diff_ids[i].text);
	return r;
}

int derive_packed(struct store *s, const struct image *img,
		  const struct image *bases, size_t nbases,
		  struct manifest_desc *m, struct err *e)
{
	size_t n = img->manifest.nlayers;
	autofree struct manifest_desc *layers = calloc(n + 1, sizeof(*layers));
	int r = 0;

	if (!layers)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < n; i++) {
		layers[i] = img->manifest.layers[i];
		if (layers[i].pack == PACK_NONE &&
		    !from_bases(bases, nbases, &img->config.diff_ids[i],
				&layers[i]))
			r = pack_layer(s, img, i, &layers[i], e);
	}
	return r < 0 ? r
		     : put_manifest(s, &img->manifest.config, layers, n, m, e);
}
