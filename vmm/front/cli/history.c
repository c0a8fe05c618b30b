/* SPDX-License-Identifier: Apache-2.0 */
/* vial history: how an image came to be. */
#include "base/auto.h"
#include "base/utf8.h"
#include "cli/cmd.h"
#include "cli/human.h"
#include "cli/imagerow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct history {
	bool quiet, whole, human;
	const char *format;
};

static int set_human(void *what, const char *value, struct err *e)
{
	struct history *h = what;

	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return err_set(e, EINVAL, "'%s' is not true or false", value);
	h->human = *value == 't';
	return 0;
}

static const struct opt opts[] = {
	OPT_STR(0, "format", struct history, format, "FORMAT",
		"'json', a Go template, or 'table TEMPLATE'"),
	OPT_SET('H', "human", set_human, "BOOL",
		"Sizes and times as people read them; true"),
	OPT_FLAG(0, "no-trunc", struct history, whole, "Nothing cut short"),
	OPT_FLAG('q', "quiet", struct history, quiet, "Only ids"), OPT_END
};

static const struct table_column columns[] = {
	{ "ID", "IMAGE" },
	{ "CreatedSince", "CREATED" },
	{ "CreatedAt", "CREATED AT" },
	{ "CreatedBy", "CREATED BY" },
	{ "Size", "SIZE" },
	{ "Comment", "COMMENT" },
	{ NULL, NULL },
};

static const struct table_kind kind = {
	columns, "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}"
		 "\t{{.Comment}}"
};

struct line {
	const char *id; /* "<missing>" */
	const struct config_history *h;
	uint64_t size;
};

static void put(json_t *o, const char *field, const char *text)
{
	json_object_set_new(o, field, json_string(text));
}

/* What a terminal would not show is a blank: Dockerfiles have tabs. */
static void put_text(json_t *o, const char *field, const char *text,
		     size_t width)
{
	autofree char *copy = strdup(text ? text : "");
	char cut[HUMAN_MAX];
	size_t n;

	for (char *p = copy; p && *p; p += n) {
		n = MAX(utf8_len(p), (size_t)1);
		if (utf8_is_control(p, n))
			memset(p, ' ', n);
	}
	if (copy)
		put(o, field, width ? human_cut(copy, width, cut) : copy);
}

static json_t *cells(const struct history *hi, const struct line *l)
{
	int64_t t = imagerow_time(l->h->created);
	char buf[HUMAN_MAX], id[HUMAN_MAX];
	json_t *o = json_object();

	put(o, "ID", hi->whole ? l->id : human_id(l->id, id));
	put(o, "CreatedAt", l->h->created ? l->h->created : "N/A");
	put(o, "CreatedSince",
	    !t		? "N/A"
	    : hi->human ? human_ago(time(NULL) - t, buf)
			: l->h->created);
	put_text(o, "CreatedBy", l->h->created_by, hi->whole ? 0 : 40);
	put_text(o, "Comment", l->h->comment, 0);
	if (hi->human)
		human_size(l->size, 3, buf);
	else
		snprintf(buf, sizeof(buf), "%llu", (unsigned long long)l->size);
	put(o, "Size", buf);
	return o;
}

static int show(const struct history *hi, struct table *t, const struct line *l,
		struct err *e)
{
	char buf[HUMAN_MAX];
	json_t *o;
	int r;

	if (hi->quiet) {
		printf("%s\n", hi->whole ? l->id : human_id(l->id, buf));
		return 0;
	}
	o = cells(hi, l);
	r = table_row(t, o, e);
	json_decref(o);
	return r;
}

/* The last line first. The layers belong to the lines that are not empty. */
static int lines(const struct history *hi, const struct image *img,
		 struct table *t, struct err *e)
{
	const struct config_history none = { 0 };
	const struct config *c = &img->config;
	size_t layer = img->manifest.nlayers, n = MAX(c->nhistory, 1u);

	for (size_t i = n; i-- > 0;) {
		struct line l = {
			.id = i == n - 1 ? img->id.text : "<missing>",
			.h = c->nhistory ? &c->history[i] : &none,
		};

		if (!l.h->empty && layer > 0)
			l.size = img->manifest.layers[--layer].size;
		if (show(hi, t, &l, e) < 0)
			return -e->code;
	}
	return hi->quiet ? 0 : table_print(t, stdout, e);
}

static int history(const struct history *hi, const char *what, struct table *t,
		   struct err *e)
{
	struct image img;
	struct store s;
	int r = imagerow_store(&s, e);

	if (r < 0)
		return r;
	r = image_open(&s, what, &img, e);
	if (r == 0) {
		r = lines(hi, &img, t, e);
		image_fini(&img);
	}
	store_close(&s);
	return r;
}

static int history_main(const struct cmd *c, int argc, char **argv)
{
	struct history hi = { .human = true };
	struct err e = { 0 };
	int status, r, first = cmd_parse(c, argc, argv, &hi, &status);
	struct table *t;

	if (first < 0)
		return status;
	if (argc - first != 1) {
		err_set(&e, EINVAL, "'vial %s' needs one IMAGE", c->name);
		return cmd_misused(c, &e);
	}
	t = table_new(&kind, hi.format, &e);
	if (!t)
		return cmd_misused(c, &e);
	r = history(&hi, argv[first], t, &e);
	table_free(t);
	return r < 0 ? cmd_no_such(&e) : fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

#define HISTORY                                                                \
	.usage = "[OPTIONS] IMAGE",                                            \
	.summary = "Show how an image came to be.", .opts = opts,              \
	.mixed = true, .example = "vial history debian:12\n",                  \
	.run = history_main

const struct cmd cmd_history = { .name = "history", HISTORY };
const struct cmd cmd_image_history = { .name = "image history", HISTORY };
