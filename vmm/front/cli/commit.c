/* SPDX-License-Identifier: Apache-2.0 */
/* vial commit: what a box has changed becomes a layer, and that an image. */
#include "base/auto.h"
#include "box/create.h"
#include "builder/changes.h"
#include "cli/boxjson.h"
#include "cli/cmd.h"
#include "cli/dockerfile.h"
#include "cli/each.h"
#include "cli/imagerow.h"
#include "image/derive.h"
#include "image/gc.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct commit {
	const char *author, *message;
	bool pause;
	struct strv changes;
	/* while it goes on */
	struct store store;
	struct derive_layer layer;
};

static int set_change(void *what, const char *value, struct err *e)
{
	return strv_add(&((struct commit *)what)->changes, value) < 0
		     ? err_set(e, ENOMEM, "out of memory")
		     : 0;
}

static const struct opt opts[] = {
	OPT_STR('a', "author", struct commit, author, "TEXT",
		"Who made it: 'Jane <jane@example.com>'"),
	OPT_LIST('c', "change", set_change, "LINE",
		 "A line of a Dockerfile: 'CMD [\"sh\"]', 'ENV A=b'"),
	OPT_STR('m', "message", struct commit, message, "TEXT",
		"For the history"),
	OPT_FLAG('p', "pause", struct commit, pause,
		 "Pause the box meanwhile (default true)"),
	OPT_END
};

/* ---- what is said of the new one ---- */

/* The box's word, where it has one; an empty one takes the base's away. */
static void put(json_t *config, const json_t *box, const char *key)
{
	json_t *v = json_object_get(box, key);
	bool empty = !v || json_is_null(v) ||
		     (json_is_string(v) && !*json_string_value(v)) ||
		     (json_is_object(v) && json_object_size(v) == 0);

	if (empty)
		json_object_del(config, key);
	else
		json_object_set(config, key, v);
}

/* As the box is run, so is the image. */
static json_t *box_config(const struct image *base, const struct box_info *info,
			  const struct spec *s)
{
	static const char *const keys[] = { "Env",	  "Cmd",
					    "Entrypoint", "User",
					    "WorkingDir", "Labels",
					    "Healthcheck" };
	json_t *whole = boxjson(info, s, "");
	const json_t *box = json_object_get(whole, "Config");
	json_t *from = base ? json_object_get(base->config.json, "config")
			    : NULL;
	json_t *o = json_is_object(from) ? json_deep_copy(from) : json_object();

	for (size_t i = 0; whole && i < ARRAY_LEN(keys); i++)
		put(o, box, keys[i]);
	if (s->stop_signal)
		put(o, box, "StopSignal");
	json_decref(whole);
	return o;
}

static int change(json_t *config, const struct strv *lines, struct err *e)
{
	bool entrypoint = false, cmd = false;

	for (size_t i = 0; i < lines->n; i++) {
		const char *line = lines->v[i] + strspn(lines->v[i], " \t");

		if (dockerfile_line(config, line, e) < 0)
			return err_wrap(e, "--change");
		entrypoint |= strncasecmp(line, "ENTRYPOINT", 10) == 0;
		cmd |= strncasecmp(line, "CMD", 3) == 0;
	}
	/* The words of the old one mean nothing to the new one. */
	if (entrypoint && !cmd)
		json_object_del(config, "Cmd");
	return 0;
}

/* "make test": what made the layer. The caller frees it. */
static char *command_of(const struct spec *s)
{
	size_t room = 1, len = 0;
	char *text;

	for (size_t i = 0; i < s->argv.n; i++)
		room += strlen(s->argv.v[i]) + 1;
	text = calloc(1, room);
	for (size_t i = 0; text && i < s->argv.n; i++)
		len += (size_t)snprintf(text + len, room - len, "%s%s",
					i ? " " : "", s->argv.v[i]);
	return text;
}

/* ---- the work ---- */

static int take(void *arg, const void *bytes, size_t n, struct err *e)
{
	return derive_layer_write(&((struct commit *)arg)->layer, bytes, n, e);
}

static int make(struct commit *c, const struct box_info *info,
		const struct spec *s, const struct image *base,
		const char *name, struct err *e)
{
	autofree char *command = command_of(s);
	json_t *config = box_config(base, info, s);
	const struct derive d = { .base = base,
				  .config = config,
				  .author = c->author,
				  .comment = c->message,
				  .created_by = command,
				  .name = *name ? name : NULL };
	struct digest id;
	int r = change(config, &c->changes, e);

	if (r == 0)
		r = derive_image(&c->store, &d, &c->layer, &id, e);
	json_decref(config);
	if (r == 0)
		printf("%s\n", id.text);
	return r;
}

static int commit_box(struct commit *c, struct box *b, struct box_info *info,
		      const char *name, struct err *e)
{
	const struct changes_how how = {
		.form = CHANGES_LAYER, .pause = c->pause, .take = take, .arg = c
	};
	struct image img = { 0 };
	struct spec s;
	int r = box_load(b, &s, e);

	if (r == 0 && s.image_id &&
	    image_open(&c->store, s.image_id, &img, e) < 0)
		r = err_wrap(e, "its image");
	if (r == 0)
		r = derive_layer_open(&c->layer, &c->store, e);
	if (r == 0)
		r = changes_read(b, info, &s, &how, e);
	if (r == 0)
		r = make(c, info, &s, s.image_id ? &img : NULL, name, e);
	derive_layer_end(&c->layer);
	image_fini(&img);
	spec_fini(&s);
	return r;
}

/* What is wrong with the words is found before anything is done. */
static int check(const struct commit *c, const char *name,
		 char whole[REF_TEXT_MAX], struct err *e)
{
	json_t *nowhere = json_object();
	struct ref ref;
	int r = change(nowhere, &c->changes, e);

	json_decref(nowhere);
	*whole = '\0';
	if (r < 0 || !name)
		return r;
	if (ref_parse(name, &ref, e) < 0)
		return -e->code;
	if (*ref.digest.text)
		return err_set(e, EINVAL, "a digest cannot be given");
	ref_print(&ref, whole);
	return 0;
}

static int commit(struct commit *c, const char *what, const char *name,
		  struct err *e)
{
	struct box b = BOX_INIT;
	struct gc_stats st;
	struct box_info info;
	struct err ignored;
	int r;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	r = imagerow_store(&c->store, e);
	if (r < 0) {
		state_close(&b);
		return r;
	}
	r = commit_box(c, &b, &info, name, e);
	if (r < 0)
		(void)gc_run(&c->store, &st, NULL, NULL, &ignored);
	store_close(&c->store);
	state_close(&b);
	return r < 0 ? err_wrap(e, "box %.60s", what) : 0;
}

static int commit_main(const struct cmd *c, int argc, char **argv)
{
	struct commit how = { .pause = true };
	char name[REF_TEXT_MAX] = "";
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &how, &status);

	if (first < 0) {
		strv_fini(&how.changes);
		return status;
	}
	if (argc - first < 1 || argc - first > 2)
		err_set(&e, EINVAL,
			"'vial commit' needs a BOX, and may have a NAME");
	else
		check(&how, argv[first + 1], name, &e);
	if (e.code)
		status = cmd_misused(c, &e);
	else
		status = commit(&how, argv[first], name, &e) < 0 ? cmd_error(&e)
								 : 0;
	strv_fini(&how.changes);
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

const struct cmd cmd_commit = {
	.name = "commit",
	.usage = "[OPTIONS] BOX [NAME[:TAG]]",
	.summary = "Make an image of what a box has changed.",
	.opts = opts,
	.mixed = true,
	.example = "vial commit job my/job:1\n"
		   "vial commit -c 'CMD [\"make\", \"test\"]' job my/ci\n",
	.run = commit_main,
};
