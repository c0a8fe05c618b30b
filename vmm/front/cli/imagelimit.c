/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/imagelimit.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/settings.h"
#include "cli/human.h"
#include "cli/imagerow.h"
#include "cli/imageuse.h"
#include "image/gc.h"
#include "spec/parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SPARED_S 600

/* ---- vial.conf ---- */

static int read_value(json_t *table, const char *key, uint64_t *out,
		      int (*parse)(const char *, uint64_t *, struct err *),
		      struct err *e)
{
	json_t *v = json_object_get(table, key);

	if (!v)
		return 0;
	if (!json_is_string(v))
		return err_set(e, EINVAL, "vial.conf: images: %s is no string",
			       key);
	if (parse(json_string_value(v), out, e) < 0)
		return err_wrap(e, "vial.conf: images: %s", key);
	return 0;
}

int imagelimit_load(struct imagelimit *l, struct err *e)
{
	json_t *all = settings_load(e), *mine;
	uint64_t ms = 0;
	int r = 0;

	*l = (struct imagelimit){ 0 };
	if (!all)
		return -e->code;
	mine = json_object_get(all, "images");
	if (read_value(mine, "max-size", &l->max_bytes, parse_size, e) < 0 ||
	    read_value(mine, "max-age", &ms, parse_duration, e) < 0)
		r = -e->code;
	l->max_age_s = (int64_t)(ms / 1000);
	json_decref(all);
	return r;
}

/* ---- what goes ---- */

struct limiting {
	const struct imagelimit *limit;
	struct store store;
	struct catalog catalog;
	struct imageuse use;
	int64_t now;
	size_t gone;
};

static bool may_go(const struct limiting *l, const struct imageuse_image *img)
{
	return img->nfiles > 0 && img->boxes == 0 && !img->boxed &&
	       l->now - img->used > SPARED_S;
}

static struct imageuse_image *oldest(const struct limiting *l)
{
	struct imageuse_image *found = NULL;

	for (size_t i = 0; i < l->use.nimages; i++) {
		struct imageuse_image *img = &l->use.images[i];

		if (may_go(l, img) && (!found || img->used < found->used))
			found = img;
	}
	return found;
}

static bool is_too_much(const struct limiting *l,
			const struct imageuse_image *img)
{
	return (l->limit->max_age_s &&
		l->now - img->used > l->limit->max_age_s) ||
	       (l->limit->max_bytes && l->use.bytes > l->limit->max_bytes);
}

static void drop_names(struct limiting *l, const struct imageuse_image *img)
{
	struct catalog *c = &l->catalog;
	char shown[1024], ago[HUMAN_MAX], id[HUMAN_MAX];

	for (size_t i = c->n; i-- > 0;) {
		if (!digest_equal(&c->v[i].desc.digest, &img->manifest))
			continue;
		snprintf(shown, sizeof(shown), "%s",
			 human_id(img->id.text, id));
		if (c->v[i].name)
			imagerow_familiar(c->v[i].name, shown, sizeof(shown));
		log_info("image %s goes, last used %s (vial.conf)", shown,
			 human_ago(l->now - img->used, ago));
		catalog_drop(c, i);
	}
	l->gone++;
}

static int limit_names(struct limiting *l, struct err *e)
{
	autofree struct box_info *boxes = NULL;
	struct imageuse_image *img;
	int n = state_list(&boxes, e);

	if (n < 0 ||
	    imageuse_look(&l->use, &l->store, &l->catalog, boxes, n, e) < 0)
		return -e->code;
	while ((img = oldest(l)) && is_too_much(l, img)) {
		drop_names(l, img);
		imageuse_drop(&l->use, img);
	}
	return l->gone ? catalog_commit(&l->catalog, e) : 0;
}

static int apply(const struct imagelimit *limit, struct err *e)
{
	struct limiting l = { .limit = limit,
			      .catalog = { .lock = -1 },
			      .now = time(NULL) };
	struct gc_stats st;
	int r = imagerow_store(&l.store, e);

	if (r < 0)
		return r;
	r = catalog_edit(&l.store, &l.catalog, e);
	if (r == 0)
		r = limit_names(&l, e);
	catalog_fini(&l.catalog);
	imageuse_fini(&l.use);
	/* Another vial has the store open: the next one does it. */
	if (r == 0 && l.gone && gc_run(&l.store, &st, NULL, NULL, e) < 0 &&
	    e->code != EBUSY)
		r = -e->code;
	store_close(&l.store);
	return r;
}

void imagelimit_apply(void)
{
	struct imagelimit limit;
	struct err e = { 0 };
	int r = imagelimit_load(&limit, &e);

	if (r == 0 && (limit.max_bytes || limit.max_age_s))
		r = apply(&limit, &e);
	if (r < 0)
		log_warn("%s", e.msg);
}
