/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/pull.h"

#include "base/auto.h"
#include "fetch/layers.h"
#include "fetch/registry.h"
#include "image/gc.h"
#include "image/load.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct puller {
	const struct pull *how;
	struct ref ref;
	struct registry registry;
	struct store store;
	struct manifest_desc desc; /* of the image's own manifest */
	struct digest pulled;	   /* what the name stands for there */
	struct manifest manifest;
};

/* ---- down to the image ---- */

/* want NULL: what the user named. */
static int get(struct puller *p, const struct manifest_desc *want,
	       struct err *e)
{
	const char *what = want		       ? want->digest.text
			 : *p->ref.digest.text ? p->ref.digest.text
					       : p->ref.tag;
	char media[MANIFEST_MEDIA_MAX];
	struct digest digest;
	struct http_text t;
	int r = registry_manifest(&p->registry, what, &t, media, &digest, e);

	if (r < 0)
		return r;
	if (want && t.len != want->size)
		r = err_set(e, EBADMSG, "manifest %s has %zu bytes, not %llu",
			    want->digest.text, t.len,
			    (unsigned long long)want->size);
	if (r == 0)
		r = manifest_parse(t.data, t.len, media, &p->manifest, e);
	if (r == 0 && p->manifest.kind == MANIFEST_IMAGE) {
		struct digest mine;

		r = store_write(&p->store, t.data, t.len, &mine, e);
		p->desc.digest = mine;
		p->desc.size = t.len;
	}
	free(t.data);
	if (!want)
		p->pulled = digest;
	return r;
}

static int descend(struct puller *p, struct err *e)
{
	int r = get(p, NULL, e);

	for (int depth = 0; r == 0 && p->manifest.kind == MANIFEST_LIST;
	     depth++) {
		const struct manifest_entry *en;
		struct manifest_desc next;

		if (depth == MANIFEST_DEPTH_MAX)
			return err_set(e, ELOOP,
				       "lists of manifests in lists, more "
				       "than %d",
				       MANIFEST_DEPTH_MAX);
		r = manifest_pick(&p->manifest, &p->how->platform, &en, e);
		if (r < 0)
			return r;
		next = en->desc;
		manifest_fini(&p->manifest);
		r = get(p, &next, e);
	}
	return r;
}

/* ---- what is said ---- */

static void say_start(const struct puller *p)
{
	const char *what = *p->ref.tag ? p->ref.tag : p->ref.digest.text;

	if (p->how->quiet)
		return;
	printf("%s: Pulling from %s\n", what, p->ref.path);
	fflush(stdout);
}

static void say_end(const struct puller *p, bool newer)
{
	char whole[REF_TEXT_MAX], shown[REF_TEXT_MAX];

	ref_print(&p->ref, whole);
	ref_print_familiar(&p->ref, shown);
	if (!p->how->quiet)
		printf("Digest: %s\n"
		       "Status: %s for %s%s%s\n",
		       p->pulled.text,
		       newer ? "Downloaded newer image" : "Image is up to date",
		       shown, *p->ref.tag ? ":" : "@",
		       *p->ref.tag ? p->ref.tag : p->ref.digest.text);
	printf("%s\n", whole);
}

/* ---- all of it ---- */

/* The name is what the user wrote: with a tag and a digest, both are true, and
 * the tag alone would claim more than was asked. */
static int name_it(struct puller *p, bool *newer, struct err *e)
{
	char name[REF_TEXT_MAX];
	struct ref r = p->ref;
	struct digest id;
	struct catalog c;
	int n, before;

	if (*r.digest.text)
		*r.tag = '\0';
	ref_print(&r, name);
	n = catalog_load(&p->store, &c, e);
	if (n < 0)
		return n;
	before = catalog_find(&c, name, &(struct err){ 0 });
	*newer = before < 0 ||
		 !digest_equal(&c.v[before].desc.digest, &p->desc.digest);
	catalog_fini(&c);
	return load_name(&p->store, &p->desc, name, &p->pulled, &id, e);
}

static int pull(struct puller *p, bool *newer, struct err *e)
{
	say_start(p);
	if (descend(p, e) < 0)
		return err_wrap(e, "%.100s", p->how->name);
	if (layers_fetch(&p->registry, &p->store, &p->manifest, p->how->quiet,
			 e) < 0 ||
	    name_it(p, newer, e) < 0)
		return err_wrap(e, "%.100s", p->how->name);
	return 0;
}

int pull_image(const struct pull *how, struct err *e)
{
	struct puller p = { .how = how };
	struct gc_stats st;
	struct err ignored;
	bool newer = false;
	int r;

	if (ref_parse(how->name, &p.ref, e) < 0)
		return -e->code;
	if (store_open(&p.store, how->datadir, e) < 0)
		return -e->code;
	r = registry_open(&p.registry, &p.ref, e);
	if (r == 0) {
		r = pull(&p, &newer, e);
		registry_close(&p.registry);
	}
	manifest_fini(&p.manifest);
	if (r < 0)
		(void)gc_run(&p.store, &st, NULL, NULL, &ignored);
	store_close(&p.store);
	if (r == 0)
		say_end(&p, newer);
	return r;
}
