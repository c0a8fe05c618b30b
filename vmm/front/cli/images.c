/* SPDX-License-Identifier: Apache-2.0 */
/* vial images: the images there are. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/imagerow.h"
#include "cli/ls.h"
#include "cli/when.h"
#include "image/ref.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct images {
	bool all, digests, quiet, whole;
	const char *format;
	const char *what; /* REPOSITORY[:TAG], may have * and ? */
	struct filter filter;
	int64_t before, since;
};

static const struct filter_key keys[] = {
	{ .name = "dangling", .values = "true|false|1|0" },
	{ .name = "label" },
	{ .name = "before" },
	{ .name = "since" },
	{ .name = "until" },
	{ .name = "reference" },
	{ .name = NULL },
};

static int set_filter(void *what, const char *value, struct err *e)
{
	return filter_add(&((struct images *)what)->filter, keys, value, e);
}

static const struct opt opts[] = {
	OPT_FLAG('a', "all", struct images, all,
		 "All images: there are no others"),
	OPT_FLAG(0, "digests", struct images, digests, "And their digests"),
	OPT_LIST('f', "filter", set_filter, "FILTER",
		 "Only some: dangling=true, reference=PATTERN, label=K=V"),
	OPT_STR(0, "format", struct images, format, "FORMAT",
		"'json', a Go template, or 'table TEMPLATE'"),
	OPT_FLAG(0, "no-trunc", struct images, whole, "Nothing cut short"),
	OPT_FLAG('q', "quiet", struct images, quiet, "Only ids"),
	OPT_END
};

#define TAIL "{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"

static const struct table_kind plain = {
	imagerow_columns, "table {{.Repository}}\t{{.Tag}}\t" TAIL
};
static const struct table_kind with_digests = {
	imagerow_columns, "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t" TAIL
};

/* docker: the pattern is for "repo", "repo:tag", or the last part of them. */
static bool matches(const struct imagerow *r, const char *pattern)
{
	char both[sizeof(r->repo) + sizeof(r->tag) + 1];

	snprintf(both, sizeof(both), "%s:%s", r->repo, r->tag);
	return fnmatch(pattern, r->repo, FNM_PATHNAME) == 0 ||
	       fnmatch(pattern, both, FNM_PATHNAME) == 0;
}

static bool dangling_ok(const struct images *im, const struct imagerow *r)
{
	const char *want = filter_get(&im->filter, "dangling");
	bool yes = want && (*want == 't' || *want == '1');

	return !want || yes == !r->entry->name;
}

static bool reference_ok(const struct images *im, const struct imagerow *r)
{
	bool asked = false;

	for (size_t i = 0; i < im->filter.count; i++) {
		if (strcmp(im->filter.all[i].key->name, "reference") != 0)
			continue;
		asked = true;
		if (matches(r, im->filter.all[i].value))
			return true;
	}
	return !asked;
}

static bool wanted(const struct images *im, const struct imagerow *r)
{
	if ((im->before && r->created >= im->before) ||
	    (im->since && r->created <= im->since))
		return false;
	if (im->what && (!r->entry->name || !matches(r, im->what)))
		return false;
	return dangling_ok(im, r) && reference_ok(im, r) &&
	       filter_label(&im->filter, r->img.config.labels);
}

/* before=IMAGE and since=IMAGE: when that one was made. */
static int when_made(struct store *s, const struct catalog *c,
		     const struct images *im, const char *key, int64_t *out,
		     struct err *e)
{
	const char *text = filter_get(&im->filter, key);
	struct imagerow r;
	int i;

	if (!text)
		return 0;
	i = catalog_find(c, text, e);
	if (i < 0)
		return i;
	imagerow_init(&r, s, &c->v[i]);
	*out = r.created;
	imagerow_fini(&r);
	return 0;
}

static int limits(struct store *s, const struct catalog *c, struct images *im,
		  struct err *e)
{
	const char *until = filter_get(&im->filter, "until");
	int64_t ms;

	if (until) {
		if (when_parse(until, &ms, e) < 0)
			return -e->code;
		im->before = ms / 1000;
	}
	if (when_made(s, c, im, "before", &im->before, e) < 0)
		return -e->code;
	return when_made(s, c, im, "since", &im->since, e);
}

/* The newest first, as docker has them; then by name. */
static int order(const void *x, const void *y)
{
	const struct imagerow *a = x, *b = y;
	int r;

	if (a->created != b->created)
		return a->created < b->created ? 1 : -1;
	r = strcmp(a->repo, b->repo);
	return r ? r : strcmp(a->tag, b->tag);
}

static bool shown_before(const struct imagerow *rows, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (digest_equal(&rows[k].entry->id, &rows[i].entry->id))
			return true;
	return false;
}

/* -q has an image once for each of its names in docker, too, unless they are
 * all shown: scripts remove what they read there. */
static int print_ids(const struct images *im, const struct imagerow *rows,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *id = rows[i].entry->id.text;

		if (!wanted(im, &rows[i]) || shown_before(rows, i))
			continue;
		if (im->whole)
			printf("%s\n", id);
		else
			printf("%.12s\n", digest_hex(&rows[i].entry->id));
	}
	return fflush(stdout) == 0 ? 0 : -EIO;
}

static int print_rows(const struct images *im, struct table *t,
		      const struct imagerow *rows, size_t n, struct err *e)
{
	if (im->quiet)
		return print_ids(im, rows, n);
	for (size_t i = 0; i < n; i++) {
		json_t *cells;
		int r;

		if (!wanted(im, &rows[i]))
			continue;
		cells = imagerow_cells(&rows[i], im->whole);
		r = table_row(t, cells, e);
		json_decref(cells);
		if (r < 0)
			return r;
	}
	return table_print(t, stdout, e);
}

static int list(void *what, struct table *t, struct err *e)
{
	struct images *im = what;
	autofree struct imagerow *rows = NULL;
	struct catalog c = { 0 };
	struct store s;
	size_t n = 0;
	int r = imagerow_store(&s, e);

	if (r < 0)
		return r;
	r = catalog_load(&s, &c, e);
	if (r == 0)
		r = limits(&s, &c, im, e);
	if (r == 0) {
		rows = calloc(c.n + 1, sizeof(*rows));
		for (; rows && n < c.n; n++)
			imagerow_init(&rows[n], &s, &c.v[n]);
		if (n > 0)
			qsort(rows, n, sizeof(*rows), order);
		r = print_rows(im, t, rows, n, e);
	}
	while (n > 0)
		imagerow_fini(&rows[--n]);
	catalog_fini(&c);
	store_close(&s);
	return r;
}

static int images_main(const struct cmd *c, int argc, char **argv)
{
	struct images im = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &im, &status);

	if (first < 0)
		return status;
	if (argc - first > 1) {
		err_set(&e, EINVAL, "'vial %s' takes one REPOSITORY[:TAG]",
			c->name);
		return cmd_misused(c, &e);
	}
	im.what = argv[first];
	return ls_run(c, im.digests ? &with_digests : &plain, im.format, list,
		      &im);
}

#define IMAGES                                                                 \
	.usage = "[OPTIONS] [REPOSITORY[:TAG]]", .summary = "List images.",    \
	.opts = opts, .mixed = true,                                           \
	.example = "vial images --filter 'reference=deb*'\n",                  \
	.run = images_main

const struct cmd cmd_images = { .name = "images", IMAGES };
const struct cmd cmd_image_ls = { .name = "image ls", IMAGES };
