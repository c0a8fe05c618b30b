/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load.h"

#include "base/auto.h"
#include "image/config.h"
#include "image/ref.h"
#include "image/source.h"
#include "image/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 512u
#define READ_BYTES (256u << 10)

/* ---- the layer ---- */

struct first {
	const char *at;
	size_t left;
};

static ssize_t from_first(void *ctx, void *buf, size_t len, struct err *e)
{
	struct first *f = ctx;
	size_t n = MIN(len, f->left);

	(void)e;
	memcpy(buf, f->at, n);
	f->at += n;
	f->left -= n;
	return (ssize_t)n;
}

/* The first header, and no more: that is for the builder's VM. */
static int looks_like_tar(const char *block, size_t len, struct err *e)
{
	autofree struct tar_entry *en = malloc(sizeof(*en));
	struct first f = { block, len };
	struct err why = { 0 };
	struct tar t;
	int r;

	if (!en)
		return err_set(e, ENOMEM, "out of memory");
	tar_init(&t, from_first, &f);
	r = tar_next(&t, en, &why);
	/* The header was good, and more of its kind did not fit. */
	if (r < 0 && t.entries == 0)
		return err_set(e, EBADMSG, "it is no tar archive");
	return 0;
}

static int copy(struct source *src, struct blob *b, struct err *e)
{
	autofree char *buf = malloc(READ_BYTES);
	size_t got = 0;
	ssize_t n;

	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	while (got < BLOCK) {
		n = source_read(src, buf + got, BLOCK - got, e);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return err_set(e, EBADMSG, "it is no tar archive");
		got += (size_t)n;
	}
	if (looks_like_tar(buf, got, e) < 0)
		return -e->code;
	for (n = (ssize_t)got; n > 0; n = source_read(src, buf, READ_BYTES, e))
		if (blob_write(b, buf, (size_t)n, e) < 0)
			return -e->code;
	return (int)n;
}

/* Takes fd. */
static int put_layer(struct store *s, int fd, struct digest *d, uint64_t *size,
		     struct err *e)
{
	struct source src;
	struct blob b;
	int r = source_open(&src, fd, e);

	if (r < 0)
		return r;
	r = blob_new(&b, s, DIGEST_SHA256, STORE_BLOB_MAX, e);
	if (r == 0)
		r = copy(&src, &b, e);
	if (r == 0)
		r = blob_commit(&b, NULL, d, e);
	*size = b.bytes;
	blob_end(&b);
	source_close(&src);
	return r;
}

/* ---- what is around it ---- */

static json_t *config_of(const struct import_how *how,
			 const struct digest *layer)
{
	const struct platform *p = &how->platform;
	const char *comment = how->message ? how->message : "";
	char when[CONFIG_TIME];

	config_now(when);
	return json_pack("{s:s, s:s, s:s, s:s*, s:O*, s:{s:s, s:[s]}, "
			 "s:[{s:s, s:s, s:s}]}",
			 "created", when, "architecture", p->arch, "os", p->os,
			 "variant", *p->variant ? p->variant : NULL, "config",
			 how->config, "rootfs", "type", "layers", "diff_ids",
			 layer->text, "history", "created", when, "created_by",
			 "vial import", "comment", comment);
}

static int put_json(struct store *s, json_t *o, struct manifest_desc *d,
		    struct err *e)
{
	autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!text)
		return err_set(e, EINVAL,
			       "the image's configuration cannot "
			       "be written");
	d->size = strlen(text);
	return store_write(s, text, strlen(text), &d->digest, e);
}

static int put_image(struct store *s, const struct import_how *how,
		     const struct digest *layer, uint64_t size,
		     struct manifest_desc *m, struct err *e)
{
	struct manifest_desc c;
	json_t *o;

	if (put_json(s, config_of(how, layer), &c, e) < 0)
		return -e->code;
	o = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:[{s:s, s:s, s:I}]}",
		      "schemaVersion", 2, "mediaType", MEDIA_OCI_MANIFEST,
		      "config", "mediaType", MEDIA_OCI_CONFIG, "digest",
		      c.digest.text, "size", (json_int_t)c.size, "layers",
		      "mediaType", MEDIA_OCI_LAYER, "digest", layer->text,
		      "size", (json_int_t)size);
	snprintf(m->media, sizeof(m->media), MEDIA_OCI_MANIFEST);
	return put_json(s, o, m, e);
}

static int open_file(const char *path, struct err *e)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open");
	if (!S_ISDIR(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, EISDIR,
		       "it is a folder (tar -C %.60s -c . | vial import -)",
		       path);
}

static int import(struct store *s, const char *path,
		  const struct import_how *how, struct digest *id,
		  struct err *e)
{
	const struct digest none = { "" };
	char name[REF_TEXT_MAX] = "";
	struct manifest_desc m = { 0 };
	struct digest layer;
	uint64_t size;
	struct ref ref;
	int fd;

	if (how->name) {
		if (ref_parse(how->name, &ref, e) < 0)
			return -e->code;
		if (*ref.digest.text)
			return err_set(e, EINVAL, "a digest cannot be given");
		ref_print(&ref, name);
	}
	fd = open_file(path, e);
	if (fd < 0)
		return fd;
	if (put_layer(s, fd, &layer, &size, e) < 0 ||
	    put_image(s, how, &layer, size, &m, e) < 0)
		return -e->code;
	return load_name(s, &m, *name ? name : NULL, &none, id, e);
}

int load_rootfs(struct store *s, const char *path, const struct import_how *how,
		struct digest *id, struct err *e)
{
	if (import(s, path, how, id, e) < 0)
		return err_wrap(e, "%.100s", path ? path : "stdin");
	return 0;
}
