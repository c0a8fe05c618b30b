/* SPDX-License-Identifier: Apache-2.0 */
#include "image/save.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/image.h"
#include "image/ref.h"
#include "image/tar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COPY_BYTES (256u << 10)

struct item {
	struct image img;
	struct manifest_desc desc;
	char *names[64]; /* whole; in the order they were asked for */
	size_t nnames;
};

struct save {
	struct store *store;
	struct item *items;
	size_t n;
	struct tar_out tar;
	int fd;
	/* What is in the archive already. */
	struct digest *done;
	size_t ndone, room;
};

/* ---- what is asked for ---- */

static struct item *item_of(struct save *s, const struct digest *manifest)
{
	for (size_t i = 0; i < s->n; i++)
		if (digest_equal(&s->items[i].desc.digest, manifest))
			return &s->items[i];
	return NULL;
}

/* "debian:12" adds its name, "3f2a" does not. */
static int add_name(struct item *it, const char *name, const char *word,
		    struct err *e)
{
	char want[REF_TEXT_MAX];
	struct err ignored;
	struct ref r;

	if (!name || ref_parse(word, &r, &ignored) < 0)
		return 0;
	ref_print(&r, want);
	if (strcmp(want, name) != 0 || *r.digest.text)
		return 0;
	if (it->nnames == ARRAY_LEN(it->names))
		return err_set(e, E2BIG, "too many names of one image");
	it->names[it->nnames] = strdup(name);
	if (!it->names[it->nnames])
		return err_set(e, ENOMEM, "out of memory");
	it->nnames++;
	return 0;
}

static int add_word(struct save *s, const struct catalog *c, const char *word,
		    struct err *e)
{
	int i = catalog_find(c, word, e);
	struct item *it;

	if (i < 0)
		return i;
	it = item_of(s, &c->v[i].desc.digest);
	if (!it) {
		it = &s->items[s->n];
		it->desc = c->v[i].desc;
		if (image_open_digest(s->store, &it->desc.digest, &it->img, e) <
		    0)
			return err_wrap(e, "image %.80s", word);
		s->n++;
	}
	return add_name(it, c->v[i].name, word, e);
}

static int collect(struct save *s, char *const *words, size_t n, struct err *e)
{
	struct catalog c;
	int r;

	s->items = calloc(n + 1, sizeof(*s->items));
	if (!s->items)
		return err_set(e, ENOMEM, "out of memory");
	r = catalog_load(s->store, &c, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_word(s, &c, words[i], e);
	catalog_fini(&c);
	return r < 0 ? r : 0;
}

/* ---- writing ---- */

static int to_fd(void *ctx, const void *buf, size_t len, struct err *e)
{
	int r = fd_write_full(((struct save *)ctx)->fd, buf, len);

	return r < 0 ? err_set(e, -r, "write: %s", strerror(-r)) : 0;
}

static int put_text(struct save *s, const char *name, const char *text,
		    struct err *e)
{
	size_t len = strlen(text);

	if (tar_head(&s->tar, name, len, 0, e) < 0 ||
	    to_fd(s, text, len, e) < 0)
		return -e->code;
	return tar_pad(&s->tar, len, e);
}

static int put_json(struct save *s, const char *name, json_t *o, struct err *e)
{
	autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	return put_text(s, name, text, e);
}

/* Hashed on the way: what the disk has lost does not travel on. */
static int copy_blob(struct save *s, int fd, const struct digest *d,
		     uint64_t size, struct err *e)
{
	autofree char *buf = malloc(COPY_BYTES);
	struct digest_ctx c;
	struct digest got;
	uint64_t left = size;

	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	digest_init(&c, digest_get_alg(d));
	while (left > 0) {
		ssize_t n =
			fd_read_full(fd, buf, (size_t)MIN(left, COPY_BYTES));

		if (n <= 0)
			return err_set(e, n < 0 ? (int)-n : EIO, "read %s: %s",
				       d->text,
				       n < 0 ? strerror((int)-n) : "too short");
		digest_update(&c, buf, (size_t)n);
		if (to_fd(s, buf, (size_t)n, e) < 0)
			return -e->code;
		left -= (uint64_t)n;
	}
	digest_final(&c, &got);
	if (!digest_equal(d, &got))
		return err_set(e, EBADMSG, "blob %s is damaged, it is %s",
			       d->text, got.text);
	return 0;
}

static bool is_done(const struct save *s, const struct digest *d)
{
	for (size_t i = 0; i < s->ndone; i++)
		if (digest_equal(&s->done[i], d))
			return true;
	return false;
}

static int note_done(struct save *s, const struct digest *d, struct err *e)
{
	if (s->ndone == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		void *v = realloc(s->done, room * sizeof(*s->done));

		if (!v)
			return err_set(e, ENOMEM, "out of memory");
		s->done = v;
		s->room = room;
	}
	s->done[s->ndone++] = *d;
	return 0;
}

/* name: in the archive. Once for all images that have it. */
static int put_blob(struct save *s, const struct digest *d, const char *name,
		    struct err *e)
{
	autoclose int fd = -1;
	uint64_t size;

	if (is_done(s, d))
		return 0;
	fd = store_blob(s->store, d, &size, e);
	if (fd < 0)
		return fd;
	if (tar_head(&s->tar, name, size, 0, e) < 0 ||
	    copy_blob(s, fd, d, size, e) < 0 || tar_pad(&s->tar, size, e) < 0)
		return -e->code;
	return note_done(s, d, e);
}

/* ---- docker's ---- */

static int put_docker(struct save *s, const struct item *it, json_t *list,
		      struct err *e)
{
	json_t *layers = json_array(), *tags = json_array();
	const struct manifest *m = &it->img.manifest;
	char name[DIGEST_MAX + 8], shown[REF_TEXT_MAX];
	json_t *o;

	snprintf(name, sizeof(name), "%s.json", digest_hex(&m->config.digest));
	o = json_pack("{s:s, s:o, s:o}", "Config", name, "RepoTags", tags,
		      "Layers", layers);
	if (!o)
		return err_set(e, ENOMEM, "out of memory");
	json_array_append_new(list, o);
	if (put_blob(s, &m->config.digest, name, e) < 0)
		return -e->code;
	for (size_t i = 0; i < it->nnames; i++) {
		struct ref r;

		/* As people write it: older dockers know no other. */
		if (ref_parse(it->names[i], &r, e) < 0)
			return -e->code;
		ref_print_familiar(&r, shown);
		json_array_append_new(tags,
				      json_sprintf("%s:%s", shown, r.tag));
	}
	for (size_t i = 0; i < m->nlayers; i++) {
		const struct digest *d = &m->layers[i].digest;

		snprintf(name, sizeof(name), "%s.tar", digest_hex(d));
		if (put_blob(s, d, name, e) < 0)
			return -e->code;
		json_array_append_new(layers, json_string(name));
	}
	return 0;
}

static int save_docker(struct save *s, struct err *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		if (put_docker(s, &s->items[i], list, e) < 0) {
			json_decref(list);
			return -e->code;
		}
	return put_json(s, "manifest.json", list, e);
}

/* ---- OCI's ---- */

static int put_by_digest(struct save *s, const struct digest *d, struct err *e)
{
	char name[sizeof("blobs/sha512/") + DIGEST_MAX];

	/* 141 characters are more than a plain header has room for. */
	if (digest_get_alg(d) == DIGEST_SHA512)
		return err_set(e, ENOTSUP,
			       "%.20s... cannot be saved as an OCI archive: "
			       "use --format docker-archive",
			       d->text);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest_hex(d));
	return put_blob(s, d, name, e);
}

static json_t *entry_of(const struct item *it, const char *name)
{
	json_t *notes = name ? json_pack("{s:s, s:s}",
					 "org.opencontainers.image.ref.name",
					 name, "io.containerd.image.name", name)
			     : NULL;

	return json_pack("{s:s, s:s, s:I, s:{s:s, s:s}, s:o*}", "mediaType",
			 it->img.manifest.media, "digest", it->desc.digest.text,
			 "size", (json_int_t)it->desc.size, "platform",
			 "architecture", it->img.config.platform.arch, "os",
			 it->img.config.platform.os, "annotations", notes);
}

static int put_oci(struct save *s, const struct item *it, json_t *list,
		   struct err *e)
{
	const struct manifest *m = &it->img.manifest;

	for (size_t i = 0; i < m->nlayers; i++)
		if (put_by_digest(s, &m->layers[i].digest, e) < 0)
			return -e->code;
	if (put_by_digest(s, &m->config.digest, e) < 0 ||
	    put_by_digest(s, &it->desc.digest, e) < 0)
		return -e->code;
	if (it->nnames == 0)
		json_array_append_new(list, entry_of(it, NULL));
	for (size_t i = 0; i < it->nnames; i++)
		json_array_append_new(list, entry_of(it, it->names[i]));
	return 0;
}

static int save_oci(struct save *s, struct err *e)
{
	json_t *list = json_array();
	json_t *o = json_pack("{s:i, s:s, s:o}", "schemaVersion", 2,
			      "mediaType", MEDIA_OCI_INDEX, "manifests", list);

	for (size_t i = 0; i < s->n; i++)
		if (put_oci(s, &s->items[i], list, e) < 0) {
			json_decref(o);
			return -e->code;
		}
	if (put_json(s, "index.json", o, e) < 0)
		return -e->code;
	return put_text(s, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}",
			e);
}

int save_images(struct store *store, char *const *words, size_t n,
		enum save_format format, int fd, struct err *e)
{
	struct save s = { .store = store, .fd = fd };
	int r;

	s.tar = (struct tar_out){ .write = to_fd, .ctx = &s };
	r = collect(&s, words, n, e);
	if (r == 0)
		r = format == SAVE_OCI ? save_oci(&s, e) : save_docker(&s, e);
	if (r == 0)
		r = tar_end(&s.tar, e);
	for (size_t i = 0; i < s.n; i++) {
		image_fini(&s.items[i].img);
		while (s.items[i].nnames > 0)
			free(s.items[i].names[--s.items[i].nnames]);
	}
	free(s.items);
	free(s.done);
	return r;
}
