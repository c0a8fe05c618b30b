/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layout.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/image.h"
#include "image/ref.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct layout {
	struct store *store;
	int dir;
	json_t *list;
	FILE *names;
};

static int put_text(int dir, const char *name, const char *text, struct err *e)
{
	autoclose int fd = openat(
		dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));

	return r < 0 ? err_set(e, -r, "%s: %s", name, strerror(-r)) : 0;
}

static int put_blob(struct layout *l, const struct digest *d, struct err *e)
{
	char name[DIGEST_MAX + 16];
	int from = l->store->blobs[digest_get_alg(d)];

	snprintf(name, sizeof(name), "blobs/%s/%s", digest_alg_name(d),
		 digest_hex(d));
	if (linkat(from, digest_hex(d), l->dir, name, 0) < 0 && errno != EEXIST)
		return err_sys(e, "blob %.19s", d->text);
	return 0;
}

/* As it is called inside: one that is asked for by its digest has that as its
 * tag, since a layout knows no other names. */
static int name_of(const char *text, char out[REF_TEXT_MAX], struct err *e)
{
	struct ref r;

	if (ref_parse(text, &r, e) < 0)
		return -e->code;
	if (*r.digest.text && !*r.tag)
		snprintf(r.tag, sizeof(r.tag), "%.12s", digest_hex(&r.digest));
	r.digest = (struct digest){ "" };
	ref_print(&r, out);
	return 0;
}

static int put_image(struct layout *l, const char *text, struct err *e)
{
	char name[REF_TEXT_MAX];
	struct image img = { 0 };
	uint64_t size;
	int r = name_of(text, name, e);

	if (r == 0)
		r = image_open(l->store, text, &img, e);
	if (r == 0 && !store_has(l->store, &img.digest, &size))
		r = err_set(e, ENOENT, "its manifest is missing");
	if (r == 0)
		r = put_blob(l, &img.digest, e);
	if (r == 0)
		r = put_blob(l, &img.manifest.config.digest, e);
	for (size_t i = 0; r == 0 && i < img.manifest.nlayers; i++)
		r = put_blob(l, &img.manifest.layers[i].digest, e);
	if (r == 0) {
		json_array_append_new(
			l->list,
			json_pack("{s:s, s:s, s:I, s:{s:s}}", "mediaType",
				  img.manifest.media, "digest", img.digest.text,
				  "size", (json_int_t)size, "annotations",
				  "org.opencontainers.image.ref.name", name));
		fprintf(l->names, "%s\n", name);
	}
	image_fini(&img);
	return r < 0 ? err_wrap(e, "image %.100s", text) : 0;
}

static int make_folders(int dir, struct err *e)
{
	static const char *const names[] = { "blobs", "blobs/sha256",
					     "blobs/sha512" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (mkdirat(dir, names[i], 0700) < 0)
			return err_sys(e, "make %s", names[i]);
	return put_text(dir, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}",
			e);
}

static int finish(struct layout *l, struct err *e)
{
	json_t *o = json_pack("{s:i, s:O}", "schemaVersion", 2, "manifests",
			      l->list);
	autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	return put_text(l->dir, "index.json", text, e);
}

int layout_make(struct store *s, int dir, const struct strv *names,
		struct err *e)
{
	struct layout l = { .store = s, .dir = dir, .list = json_array() };
	autofree char *text = NULL;
	size_t len;
	int r = make_folders(dir, e);

	l.names = open_memstream(&text, &len);
	if (!l.names || !l.list)
		r = err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < names->n; i++)
		r = put_image(&l, names->v[i], e);
	if (r == 0)
		r = finish(&l, e);
	if (l.names && fclose(l.names) != 0 && r == 0)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = put_text(dir, "names", text, e);
	json_decref(l.list);
	return r;
}
