/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build.h"

#include "base/auto.h"
#include "cli/imagerow.h"
#include "image/catalog.h"
#include "image/derive.h"
#include "image/gc.h"
#include "image/image.h"
#include "image/load.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct loaded {
	unsigned n;
	struct digest id;
};

static void note(void *ctx, const char *name, const struct digest *id)
{
	struct loaded *l = ctx;

	(void)name;
	l->n++;
	l->id = *id;
}

/* The name that came along is nobody's; this one is this build's alone. */
static void work_name(const struct build_args *a, char *out, size_t size)
{
	snprintf(out, size, "localhost/vial-build:%s", a->desk.name);
}

static int load(struct store *s, const char *work, int in, struct digest *id,
		struct err *e)
{
	struct loaded l = { .n = 0 };
	struct load_how how = { .name = work, .loaded = note, .ctx = &l };
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", in);
	if (platform_parse(NULL, &how.platform, e) < 0)
		return -e->code;
	if (load_archive(s, path, &how, e) < 0)
		return err_wrap(e, "what was built");
	if (l.n != 1)
		return err_set(e, EBADMSG, "%u images were built", l.n);
	*id = l.id;
	return 0;
}

/* ---- packed as others are ---- */

struct bases {
	struct image *v;
	size_t n;
};

/* Those that are gone by now are done without. */
static void bases_open(struct bases *b, struct store *s,
		       const struct build_args *a)
{
	struct err ignored;

	b->v = calloc(a->images.n + 1, sizeof(*b->v));
	for (size_t i = 0; b->v && i < a->images.n; i++)
		if (image_open(s, a->images.v[i], &b->v[b->n], &ignored) == 0)
			b->n++;
}

static void bases_close(struct bases *b)
{
	while (b->n > 0)
		image_fini(&b->v[--b->n]);
	free(b->v);
}

/* buildah's archive has each layer plain, those of the base as well. */
static int repack(struct store *s, const struct build_args *a, const char *work,
		  struct manifest_desc *m, struct err *e)
{
	struct bases b = { .n = 0 };
	struct image img = { 0 };
	int r = image_open(s, work, &img, e);

	bases_open(&b, s, a);
	if (r == 0)
		r = derive_packed(s, &img, b.v, b.n, m, e);
	bases_close(&b);
	image_fini(&img);
	return r;
}

/* ---- names ---- */

static int put_names(struct store *s, const struct build_args *a,
		     const struct manifest_desc *m, struct digest *id,
		     struct err *e)
{
	const struct digest none = { "" };
	char text[REF_TEXT_MAX];
	struct ref ref;
	int r = 0;

	for (size_t i = 0; r == 0 && i < a->tags.n; i++) {
		r = ref_parse(a->tags.v[i], &ref, e);
		if (r < 0)
			break;
		ref_print(&ref, text);
		r = load_name(s, m, text, &none, id, e);
	}
	return a->tags.n ? r : load_name(s, m, NULL, &none, id, e);
}

/* The name that it was loaded by goes; put_names() has given it others. */
static void drop_work(struct store *s, const char *work)
{
	struct catalog c = { .lock = -1 };
	struct err ignored;
	int i = catalog_edit(s, &c, &ignored);

	if (i == 0)
		i = catalog_find(&c, work, &ignored);
	if (i >= 0) {
		catalog_drop(&c, (size_t)i);
		(void)catalog_commit(&c, &ignored);
	}
	catalog_fini(&c);
}

int build_result(struct build_args *a, int in, struct digest *id, struct err *e)
{
	struct manifest_desc m;
	struct gc_stats st;
	struct err ignored;
	char work[64];
	struct store s;
	int r;

	work_name(a, work, sizeof(work));
	if (imagerow_store(&s, e) < 0)
		return -e->code;
	r = load(&s, work, in, id, e);
	if (r == 0) {
		r = repack(&s, a, work, &m, e);
		if (r == 0)
			r = put_names(&s, a, &m, id, e);
		drop_work(&s, work);
	}
	(void)gc_run(&s, &st, NULL, NULL, &ignored);
	store_close(&s);
	return r;
}
