/* SPDX-License-Identifier: Apache-2.0 */
/* vial image: the commands on images, and image inspect and prune. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/filter.h"
#include "cli/human.h"
#include "cli/imagejson.h"
#include "cli/imagerow.h"
#include "cli/look.h"
#include "cli/prune.h"
#include "cli/tmpl.h"
#include "cli/when.h"
#include "image/gc.h"
#include "box/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- inspect ---- */

struct inspect {
	const char *format;
};

static const struct opt inspect_opts[] = {
	OPT_STR('f', "format", struct inspect, format, "TEMPLATE",
		"A Go template, or 'json'"),
	OPT_END
};

struct images {
	struct store store;
	struct catalog catalog;
};

static json_t *look(void *arg, const char *what, struct err *e)
{
	struct images *in = arg;
	struct image img;
	json_t *o;

	if (image_open(&in->store, what, &img, e) < 0)
		return NULL;
	o = imagejson(&img, &in->catalog);
	image_fini(&img);
	if (!o)
		err_set(e, ENOMEM, "out of memory");
	return o;
}

static int inspect_main(const struct cmd *c, int argc, char **argv)
{
	struct inspect in = { 0 };
	struct err e = { 0 };
	struct images all;
	int status, first = look_parse(c, argc, argv, "an IMAGE", &in,
				       &in.format, &status);

	if (first < 0)
		return status;
	if (imagerow_store(&all.store, &e) < 0)
		return cmd_error(&e);
	if (catalog_load(&all.store, &all.catalog, &e) == 0) {
		status = look_run(argv + first, argc - first, in.format, look,
				  &all);
		catalog_fini(&all.catalog);
	} else {
		status = cmd_error(&e);
	}
	store_close(&all.store);
	return status;
}

static const struct cmd image_inspect = {
	.name = "image inspect",
	.usage = "[OPTIONS] IMAGE...",
	.summary = "Show all there is to know about images, as JSON.",
	.opts = inspect_opts,
	.mixed = true,
	.example = "vial image inspect -f '{{.Config.Env}}' debian:12\n",
	.run = inspect_main,
};

/* ---- prune ---- */

struct prune {
	bool all, force;
	struct prune_filter filter;
	size_t gone;
};

static const struct filter_key image_keys[] = {
	{ .name = "until" },
	{ .name = "label" },
	{ .name = "label!" },
	{ .name = "dangling", .values = "true|false|1|0" },
	{ .name = NULL },
};

static int set_filter(void *what, const char *text, struct err *e)
{
	struct prune *p = what;
	const char *v;

	if (prune_filter_add(&p->filter, image_keys, text, e) < 0)
		return -e->code;
	v = filter_get(&p->filter.filter, "dangling");
	if (v && (*v == 'f' || *v == '0'))
		p->all = true;
	return 0;
}

static const struct opt prune_opts[] = {
	OPT_FLAG('a', "all", struct prune, all,
		 "All that no box uses, not only those without a name"),
	OPT_FLAG('f', "force", struct prune, force, "Do not ask"),
	OPT_LIST(0, "filter", set_filter, "FILTER",
		 "Only some: until=24h (older than that), label=K=V"),
	OPT_END
};

/* Whether a box was made from it. */
static bool in_use(const struct catalog *c, const struct digest *id,
		   const struct box_info *boxes, int n)
{
	for (int i = 0; i < n; i++) {
		struct err ignored;
		int k = *boxes[i].image
			      ? catalog_find(c, boxes[i].image, &ignored)
			      : -1;

		if (k >= 0 && digest_equal(&c->v[k].id, id))
			return true;
	}
	return false;
}

static bool goes(const struct prune *p, struct store *s,
		 const struct catalog_entry *en)
{
	struct imagerow r;
	bool yes;

	if (en->name && !p->all)
		return false;
	imagerow_init(&r, s, en);
	yes = (!p->filter.until || r.created <= p->filter.until / 1000) &&
	      filter_label(&p->filter.filter, r.img.config.labels);
	imagerow_fini(&r);
	return yes;
}

static void say_untagged(struct prune *p, const struct catalog_entry *en)
{
	char shown[1024];

	printf("%s", p->gone++ ? "" : "Deleted Images:\n");
	if (!en->name)
		return;
	imagerow_familiar(en->name, shown, sizeof(shown));
	printf("untagged: %s\n", shown);
}

static int drop_names(struct prune *p, struct store *s, struct err *e)
{
	autofree struct box_info *boxes = NULL;
	struct catalog c = { .lock = -1 };
	int n = state_list(&boxes, e), r;

	if (n < 0)
		return n;
	r = catalog_edit(s, &c, e);
	for (size_t i = r < 0 ? 0 : c.n; i-- > 0;) {
		if (in_use(&c, &c.v[i].id, boxes, n) || !goes(p, s, &c.v[i]))
			continue;
		say_untagged(p, &c.v[i]);
		catalog_drop(&c, i);
	}
	if (r == 0 && p->gone)
		r = catalog_commit(&c, e);
	catalog_fini(&c);
	return r;
}

static void say_deleted(void *ctx, const struct digest *d)
{
	struct prune *p = ctx;

	printf("%sdeleted: %s\n", p->gone++ ? "" : "Deleted Images:\n",
	       d->text);
}

static int prune(struct prune *p, uint64_t *bytes, struct err *e)
{
	struct gc_stats st = { 0 };
	struct store s;
	int r = imagerow_store(&s, e);

	if (r < 0)
		return r;
	r = drop_names(p, &s, e);
	if (r == 0)
		r = gc_run(&s, &st, say_deleted, p, e);
	/* What was interrupted is not wanted any more. */
	st.bytes += store_trim(&s, 0, 0);
	store_close(&s);
	if (p->gone)
		printf("\n");
	*bytes += st.bytes;
	return r;
}

int prune_images(bool all, const struct prune_filter *f, uint64_t *bytes,
		 struct err *e)
{
	struct prune p = { .all = all, .filter = *f };
	int r = prune(&p, bytes, e);

	/* Another vial has the store open, and the next one does it. */
	return r == -EBUSY ? 0 : r;
}

static int prune_main(const struct cmd *c, int argc, char **argv)
{
	struct prune p = { 0 };
	struct err e = { 0 };
	char size[HUMAN_MAX];
	uint64_t bytes = 0;
	int status, first = cmd_parse(c, argc, argv, &p, &status);

	if (first < 0)
		return status;
	if (first < argc) {
		err_set(&e, EINVAL,
			"'vial image prune' takes no words ('vial rmi %s')",
			argv[first]);
		return cmd_misused(c, &e);
	}
	if (!p.force && !prune_agreed(p.all ? " all images that no box uses.\n"
					    : " all images without a name.\n"))
		return 0;
	if (prune(&p, &bytes, &e) < 0)
		return cmd_error(&e);
	printf("Total reclaimed space: %s\n", human_size(bytes, 4, size));
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

static const struct cmd image_prune = {
	.name = "image prune",
	.usage = "[OPTIONS]",
	.summary = "Remove the images that nobody needs.",
	.opts = prune_opts,
	.example = "vial image prune -af --filter until=240h\n",
	.run = prune_main,
};

/* ---- all of them ---- */

static const struct cmd *const commands[] = {
	&cmd_image_ls,
	&image_inspect,
	&cmd_image_load,
	&cmd_image_rm,
	&cmd_image_history,
	&image_prune,
	&cmd_image_tag,
	&cmd_image_save,
	&cmd_image_import,
	&cmd_image_pull,
	&cmd_image_push,
	&cmd_image_build,
	NULL,
};

const struct cmd cmd_image = {
	.name = "image",
	.usage = "COMMAND",
	.summary = "Commands on images.",
	.example = "vial image inspect debian:12\n",
	.sub = commands,
	.run = cmd_group,
};
