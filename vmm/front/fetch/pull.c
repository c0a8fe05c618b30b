/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/pull.h"

#include "base/auto.h"
#include "base/log.h"
#include "fetch/confine.h"
#include "fetch/layers.h"
#include "fetch/registry.h"
#include "fetch/tags.h"
#include "image/gc.h"
#include "image/load.h"
#include "image/registries.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SOURCES_MAX 16
#define MIRROR_TRIES 2u

/* One place that may have the image, under one name that it may mean. */
struct source {
	struct ref name; /* that it gets here */
	bool mirror;
	struct registry registry;
};

struct puller {
	const struct pull *how;
	struct source sources[SOURCES_MAX];
	size_t nsources;
	struct source *from;
	struct store store;
	struct manifest_desc desc; /* of the image's own manifest */
	struct digest pulled;	   /* what the name stands for there */
	struct manifest manifest;
	bool newer; /* something was not here, or another */
};

/* ---- down to the image ---- */

/* want NULL: what the user named. */
static int get(struct puller *p, const struct manifest_desc *want,
	       struct err *e)
{
	const struct ref *named = &p->from->name;
	const char *what = want		       ? want->digest.text
			 : *named->digest.text ? named->digest.text
					       : named->tag;
	char media[MANIFEST_MEDIA_MAX];
	struct digest digest;
	struct http_text t;
	int r = registry_manifest(&p->from->registry, what, &t, media, &digest,
				  e);

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
	const struct ref *r = &p->from->name;

	if (p->how->quiet)
		return;
	printf("%s: Pulling from %s\n", *r->tag ? r->tag : r->digest.text,
	       r->path);
	fflush(stdout);
}

static void say_digest(const struct puller *p)
{
	if (p->how->quiet)
		return;
	printf("Digest: %s\n", p->pulled.text);
	fflush(stdout);
}

/* Of all tags the name stands without one. */
static void say_end(const struct puller *p)
{
	const struct ref *r = &p->from->name;
	char whole[REF_TEXT_MAX], shown[REF_TEXT_MAX];
	const char *mark = "", *which = "";

	ref_print_familiar(r, shown);
	if (p->how->all_tags) {
		ref_print_name(r, whole);
	} else {
		ref_print(r, whole);
		mark = *r->tag ? ":" : "@";
		which = *r->tag ? r->tag : r->digest.text;
	}
	if (!p->how->quiet)
		printf("Status: %s for %s%s%s\n",
		       p->newer ? "Downloaded newer image"
				: "Image is up to date",
		       shown, mark, which);
	printf("%s\n", whole);
}

/* ---- all of it ---- */

/* The name is what the user wrote: with a tag and a digest, both are true, and
 * the tag alone would claim more than was asked. */
static int name_it(struct puller *p, struct err *e)
{
	char name[REF_TEXT_MAX];
	struct ref r = p->from->name;
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
	p->newer |= before < 0 ||
		    !digest_equal(&c.v[before].desc.digest, &p->desc.digest);
	catalog_fini(&c);
	return load_name(&p->store, &p->desc, name, &p->pulled, &id, e);
}

static int pull(struct puller *p, struct err *e)
{
	manifest_fini(&p->manifest);
	say_start(p);
	if (descend(p, e) < 0)
		return -e->code;
	if (layers_fetch(&p->from->registry, &p->store, &p->manifest,
			 p->how->quiet, e) < 0)
		return -e->code;
	if (name_it(p, e) < 0)
		return -e->code;
	say_digest(p);
	return 0;
}

/* The first that cannot be pulled is the end of it. */
static int pull_tags(struct puller *p, struct err *e)
{
	struct ref *name = &p->from->name;
	json_t *all, *tag;
	size_t i;
	int r = 0;

	*name->tag = '\0';
	all = tags_list(&p->from->registry, e);
	if (!all)
		return -e->code;
	json_array_foreach(all, i, tag)
	{
		snprintf(name->tag, sizeof(name->tag), "%s",
			 json_string_value(tag));
		r = pull(p, e);
		if (r < 0) {
			err_wrap(e, "tag %.60s", name->tag);
			break;
		}
	}
	json_decref(all);
	return r;
}

/* ---- where from ---- */

static int add_source(struct puller *p, const struct ref *name,
		      const struct registries_place *place, struct err *e)
{
	struct source *s = &p->sources[p->nsources];

	if (p->nsources == SOURCES_MAX)
		return 0;
	if (registry_open(&s->registry, place, e) < 0)
		return -e->code;
	s->name = *name;
	s->mirror = place->mirror;
	/* Of a mirror there is another behind it. */
	s->registry.tries =
		MIN(p->how->tries, place->mirror ? MIRROR_TRIES : UINT_MAX);
	p->nsources++;
	return 0;
}

static int add_name(struct puller *p, const struct registries *all,
		    const struct ref *name, struct err *e)
{
	struct registries_place places[REGISTRIES_PLACES_MAX];
	int n = registries_find(all, name, places, e), r = n;

	for (int i = 0; r >= 0 && i < n; i++)
		r = add_source(p, name, &places[i], e);
	return r;
}

static int find_sources(struct puller *p, struct err *e)
{
	struct ref names[REGISTRIES_NAMES_MAX];
	struct registries all;
	int n, r = registries_load(&all, e);

	if (r < 0)
		return r;
	n = registries_names(&all, p->how->name, names, e);
	r = n;
	for (int i = 0; r >= 0 && i < n; i++)
		r = add_name(p, &all, &names[i], e);
	registries_fini(&all);
	return r < 0 ? r : 0;
}

/* Another place has the same disk below it. */
static bool is_local(int r)
{
	return r == -ENOSPC || r == -EDQUOT || r == -ENOMEM || r == -EROFS;
}

static int try_all(struct puller *p, struct err *e)
{
	int r = -ENOENT;

	for (size_t i = 0; i < p->nsources; i++) {
		bool last = i + 1 == p->nsources;

		*e = (struct err){ 0 };
		p->from = &p->sources[i];
		r = p->how->all_tags ? pull_tags(p, e) : pull(p, e);
		if (r >= 0 || last || is_local(r))
			break;
		log_warn("%s%.100s: %s; asking %.100s",
			 p->from->mirror ? "mirror " : "",
			 p->from->registry.host, e->msg,
			 p->sources[i + 1].registry.host);
	}
	return r < 0 ? err_wrap(e, "%.100s", p->how->name) : 0;
}

static int pull_from(struct puller *p, struct err *e)
{
	struct gc_stats st;
	struct err ignored;
	int r = find_sources(p, e);

	/* Everything of the user's has been read, and helpers have run. */
	if (r == 0)
		r = confine(p->store.path, e);
	if (r < 0)
		return r;
	store_trim(&p->store, PARTIAL_MAX, PARTIAL_AGE_S);
	r = try_all(p, e);
	/* What came of an image whose connection failed is there next time. */
	if (r < 0 && !layers_may_resume(r))
		(void)gc_run(&p->store, &st, NULL, NULL, &ignored);
	return r;
}

static int check_bare(const char *name, struct err *e)
{
	const char *slash = strrchr(name, '/');

	return strchr(slash ? slash : name, ':') || strchr(name, '@')
		     ? err_set(e, EINVAL,
			       "tag can't be used with --all-tags/-a")
		     : 0;
}

int pull_image(const struct pull *how, struct err *e)
{
	struct puller *p;
	int r;

	if (how->all_tags && check_bare(how->name, e) < 0)
		return -e->code;
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_set(e, ENOMEM, "out of memory");
	p->how = how;
	r = store_open(&p->store, how->datadir, e);
	if (r == 0) {
		r = pull_from(p, e);
		store_close(&p->store);
	}
	if (r == 0)
		say_end(p);
	for (size_t i = 0; i < p->nsources; i++)
		registry_close(&p->sources[i].registry);
	http_done();
	manifest_fini(&p->manifest);
	free(p);
	return r;
}
