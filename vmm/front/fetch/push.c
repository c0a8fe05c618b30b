/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/push.h"

#include "base/auto.h"
#include "fetch/registry.h"
#include "image/doc.h"
#include "image/image.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct pusher {
	struct store store;
	struct image img;
	struct ref ref;
	struct registry registry;
	bool quiet;
};

/* ---- a blob: distribution-spec, "Pushing blobs" ---- */

static int is_there(struct pusher *p, const struct digest *d, struct err *e)
{
	char path[DIGEST_MAX + 16];
	struct http_req req = { .head = true };
	struct http_res res;
	int r;

	snprintf(path, sizeof(path), "blobs/%s", d->text);
	r = registry_ask(&p->registry, path, NULL, &req, &res, e);
	return r == 0 ? 1 : r == -ENOENT ? 0 : r;
}

/* An upload is begun, then all of it is sent at once. */
static int send_once(struct pusher *p, const struct digest *d, int fd,
		     uint64_t size, struct http_res *res, struct err *e)
{
	struct http_req begin = { .form = "" };
	struct http_req put = { .file = &fd, .file_size = size };
	char url[2048 + DIGEST_MAX + 16];
	int r = registry_ask(&p->registry, "blobs/uploads/", NULL, &begin, res,
			     e);

	if (r < 0)
		return r;
	if (!*res->location)
		return err_set(e, EPROTO,
			       "the registry does not say where to send it");
	snprintf(url, sizeof(url), "%s%sdigest=%s", res->location,
		 strchr(res->location, '?') ? "&" : "?", d->text);
	return registry_ask(&p->registry, url,
			    "Content-Type: application/octet-stream", &put, res,
			    e);
}

static int send_blob(struct pusher *p, const struct digest *d, struct err *e)
{
	uint64_t size;
	autoclose int fd = store_blob(&p->store, d, &size, e);

	if (fd < 0)
		return fd;
	for (unsigned tries = 0;; tries++) {
		struct http_res res;
		int r = send_once(p, d, fd, size, &res, e);

		if (r != -EAGAIN || tries + 1 == REGISTRY_TRIES)
			return r;
		registry_wait(tries, &res);
	}
}

static int put_blob(struct pusher *p, const struct digest *d, bool is_layer,
		    struct err *e)
{
	int r = is_there(p, d, e);

	if (r == 0 && send_blob(p, d, e) < 0)
		r = -e->code;
	if (r < 0)
		return err_wrap(e, "%s %.19s", is_layer ? "layer" : "config",
				d->text);
	if (is_layer && !p->quiet) {
		printf("%.12s: %s\n", digest_hex(d),
		       r ? "Layer already exists" : "Pushed");
		fflush(stdout);
	}
	return 0;
}

/* ---- the image ---- */

static int put_manifest(struct pusher *p, size_t *size, struct err *e)
{
	char path[REF_TAG_MAX + 16], type[MANIFEST_MEDIA_MAX + 16];
	autofree char *text = NULL;
	struct http_res res;
	ssize_t n =
		store_read(&p->store, &p->img.digest, DOC_TEXT_MAX, &text, e);

	if (n < 0)
		return (int)n;
	*size = (size_t)n;
	snprintf(path, sizeof(path), "manifests/%s", p->ref.tag);
	snprintf(type, sizeof(type), "Content-Type: %s", p->img.manifest.media);
	for (unsigned tries = 0;; tries++) {
		struct http_req req = { .text = text, .text_len = *size };
		int r = registry_ask(&p->registry, path, type, &req, &res, e);

		if (r != -EAGAIN || tries + 1 == REGISTRY_TRIES)
			return r < 0 ? err_wrap(e, "manifest") : 0;
		registry_wait(tries, &res);
	}
}

static int push(struct pusher *p, struct err *e)
{
	const struct manifest *m = &p->img.manifest;
	char whole[REF_TEXT_MAX];
	size_t size = 0;

	ref_print_name(&p->ref, whole);
	if (!p->quiet)
		printf("The push refers to repository [%s]\n", whole);
	fflush(stdout);
	for (size_t i = 0; i < m->nlayers; i++)
		if (put_blob(p, &m->layers[i].digest, true, e) < 0)
			return -e->code;
	if (put_blob(p, &m->config.digest, false, e) < 0 ||
	    put_manifest(p, &size, e) < 0)
		return -e->code;
	ref_print(&p->ref, whole);
	if (p->quiet)
		printf("%s\n", whole);
	else
		printf("%s: digest: %s size: %zu\n", p->ref.tag,
		       p->img.digest.text, size);
	return 0;
}

/* By the whole name, so that an ID or a part of one is not taken for it. */
static int find(struct pusher *p, const char *name, struct err *e)
{
	char whole[REF_TEXT_MAX];

	if (ref_parse(name, &p->ref, e) < 0)
		return -e->code;
	if (*p->ref.digest.text)
		return err_set(e, EINVAL,
			       "cannot push a digest reference: name a tag");
	ref_print(&p->ref, whole);
	if (image_open(&p->store, whole, &p->img, e) == 0)
		return 0;
	if (e->code == ENOENT)
		return err_set(e, ENOENT,
			       "An image does not exist locally with the tag: "
			       "%.100s",
			       name);
	return -e->code;
}

int push_image(const char *datadir, const char *name, bool quiet, struct err *e)
{
	struct pusher p = { .quiet = quiet };
	int r;

	if (store_open(&p.store, datadir, e) < 0)
		return -e->code;
	r = find(&p, name, e);
	if (r == 0) {
		r = registry_open(&p.registry, &p.ref, e);
		if (r == 0) {
			p.registry.actions = "pull,push";
			r = push(&p, e);
			registry_close(&p.registry);
			if (r < 0)
				err_wrap(e, "%.100s", name);
		}
		image_fini(&p.img);
	}
	store_close(&p.store);
	return r;
}
