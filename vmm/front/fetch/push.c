/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/push.h"

#include "base/auto.h"
#include "fetch/confine.h"
#include "fetch/registry.h"
#include "image/catalog.h"
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
	const struct push *how;
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

		if (r != -EAGAIN || tries + 1 == p->registry.tries)
			return r;
		registry_wait(&p->registry, tries, &res);
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
	if (is_layer && !p->how->quiet) {
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

		if (r != -EAGAIN || tries + 1 == p->registry.tries)
			return r < 0 ? err_wrap(e, "manifest") : 0;
		registry_wait(&p->registry, tries, &res);
	}
}

static int push(struct pusher *p, struct err *e)
{
	const struct manifest *m = &p->img.manifest;
	char whole[REF_TEXT_MAX];
	size_t size = 0;

	for (size_t i = 0; i < m->nlayers; i++)
		if (put_blob(p, &m->layers[i].digest, true, e) < 0)
			return -e->code;
	if (put_blob(p, &m->config.digest, false, e) < 0 ||
	    put_manifest(p, &size, e) < 0)
		return -e->code;
	ref_print(&p->ref, whole);
	if (p->how->quiet)
		printf("%s\n", whole);
	else
		printf("%s: digest: %s size: %zu\n", p->ref.tag,
		       p->img.digest.text, size);
	return 0;
}

/* ---- which ---- */

static int push_tag(struct pusher *p, const char *whole, struct err *e)
{
	int r = image_open(&p->store, whole, &p->img, e);

	if (r == 0)
		r = push(p, e);
	image_fini(&p->img);
	return r < 0 ? err_wrap(e, "%.100s", p->how->name) : 0;
}

/* All that have the name and a tag. */
static int push_all(struct pusher *p, struct err *e)
{
	char name[REF_TEXT_MAX];
	struct catalog c;
	size_t len, found = 0;
	int r = catalog_load(&p->store, &c, e);

	if (r < 0)
		return r;
	ref_print_name(&p->ref, name);
	len = strlen(name);
	for (size_t i = 0; r == 0 && i < c.n; i++) {
		const char *one = c.v[i].name;

		if (!one || strncmp(one, name, len) != 0 || one[len] != ':')
			continue;
		found++;
		snprintf(p->ref.tag, sizeof(p->ref.tag), "%.*s", REF_TAG_MAX,
			 one + len + 1);
		r = push_tag(p, one, e);
	}
	catalog_fini(&c);
	if (r == 0 && found == 0)
		r = err_set(e, ENOENT,
			    "An image does not exist locally with the name: "
			    "%.100s",
			    p->how->name);
	return r;
}

/* By the whole name, so that an ID or a part of one is not taken for it. */
static int push_one(struct pusher *p, struct err *e)
{
	char whole[REF_TEXT_MAX];

	ref_print(&p->ref, whole);
	return push_tag(p, whole, e);
}

static int check(struct pusher *p, struct err *e)
{
	const char *name = p->how->name;
	char whole[REF_TEXT_MAX];
	struct catalog c;
	int r;

	if (ref_parse(name, &p->ref, e) < 0)
		return -e->code;
	if (*p->ref.digest.text)
		return err_set(e, EINVAL,
			       "cannot push a digest reference: name a tag");
	if (p->how->all_tags) {
		const char *slash = strrchr(name, '/');

		return strchr(slash ? slash : name, ':')
			     ? err_set(e, EINVAL,
				       "tag can't be used with --all-tags/-a")
			     : 0;
	}
	ref_print(&p->ref, whole);
	r = catalog_load(&p->store, &c, e);
	if (r < 0)
		return r;
	r = catalog_find(&c, whole, e);
	catalog_fini(&c);
	if (r >= 0)
		return 0;
	return r != -ENOENT ? r
			    : err_set(e, ENOENT,
				      "An image does not exist locally with "
				      "the tag: %.100s",
				      name);
}

/* Where registries.conf says that the name is; mirrors are only read. */
static int open_registry(struct pusher *p, struct err *e)
{
	struct registries_place places[REGISTRIES_PLACES_MAX];
	struct registries all;
	int n, r = registries_load(&all, e);

	if (r < 0)
		return r;
	n = registries_find(&all, &p->ref, places, e);
	registries_fini(&all);
	if (n <= 0)
		return n;
	if (registry_open(&p->registry, &places[n - 1], e) < 0)
		return -e->code;
	p->registry.tries = p->how->tries;
	p->registry.actions = "pull,push";
	return 0;
}

static int run(struct pusher *p, struct err *e)
{
	char name[REF_TEXT_MAX];

	ref_print_name(&p->ref, name);
	if (!p->how->quiet)
		printf("The push refers to repository [%s]\n", name);
	fflush(stdout);
	return p->how->all_tags ? push_all(p, e) : push_one(p, e);
}

int push_image(const struct push *how, struct err *e)
{
	struct pusher p = { .how = how };
	int r = store_open(&p.store, how->datadir, e);

	if (r < 0)
		return r;
	r = check(&p, e);
	if (r == 0)
		r = open_registry(&p, e);
	if (r == 0) {
		r = confine(p.store.path, e);
		if (r == 0)
			r = run(&p, e);
		registry_close(&p.registry);
	}
	http_done();
	store_close(&p.store);
	return r;
}
