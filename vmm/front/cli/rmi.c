/* SPDX-License-Identifier: Apache-2.0 */
/* vial rmi, untag: names of images go, and images with their last name. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/imagerow.h"
#include "image/gc.h"
#include "image/ref.h"
#include "box/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct rmi {
	bool force, no_prune;
	bool untag; /* the last name may go, the image stays */
	struct catalog catalog;
	bool dropped; /* an image, so that there is something for gc */
};

static const struct opt opts[] = {
	OPT_FLAG('f', "force", struct rmi, force,
		 "Also one with several names, or that boxes use"),
	OPT_FLAG(0, "no-prune", struct rmi, no_prune,
		 "Leave what it was made of for 'vial image prune'"),
	OPT_END
};

/* ---- who uses it ---- */

static bool is_of(const struct catalog *c, const char *text,
		  const struct digest *id)
{
	struct err ignored;
	int i = *text ? catalog_find(c, text, &ignored) : -1;

	return i >= 0 && digest_equal(&c->v[i].id, id);
}

static int check_boxes(const struct rmi *rm, const char *what,
		       const struct digest *id, struct err *e)
{
	autofree struct box_info *all = NULL;
	int n = state_list(&all, e);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		if (is_of(&rm->catalog, all[i].image, id))
			return err_set(e, EBUSY,
				       "conflict: unable to remove '%.100s' "
				       "(-f does): box %.12s uses it",
				       what, all[i].id);
	return 0;
}

/* ---- one ---- */

static void say_untagged(const char *name)
{
	char shown[REF_TEXT_MAX];

	imagerow_familiar(name, shown, sizeof(shown));
	printf("Untagged: %s\n", shown);
}

static void drop_name(struct rmi *rm, size_t i, bool keep)
{
	struct catalog *c = &rm->catalog;

	if (c->v[i].name)
		say_untagged(c->v[i].name);
	if (keep) {
		free(c->v[i].name);
		c->v[i].name = NULL;
		return;
	}
	catalog_drop(c, i);
}

static bool another(const struct catalog *c, const struct digest *id)
{
	for (size_t i = 0; i < c->n; i++)
		if (digest_equal(&c->v[i].id, id))
			return true;
	return false;
}

/* By its ID: all that stands for it. */
static void drop_image(struct rmi *rm, const struct digest *id)
{
	struct catalog *c = &rm->catalog;

	for (size_t i = c->n; i-- > 0;)
		if (digest_equal(&c->v[i].id, id))
			drop_name(rm, i, false);
	printf("Deleted: %s\n", id->text);
	rm->dropped = true;
}

static bool is_name(const struct catalog_entry *en, const char *what)
{
	struct err ignored;
	struct ref r;

	return en->name && ref_parse(what, &r, &ignored) == 0 &&
	       strncmp(digest_hex(&en->id), what, strlen(what)) != 0 &&
	       strncmp(en->id.text, what, strlen(what)) != 0;
}

static int remove_one(struct rmi *rm, const char *what, struct err *e)
{
	struct catalog *c = &rm->catalog;
	struct digest id;
	size_t names;
	int i = catalog_find(c, what, e);

	if (i < 0)
		return i;
	id = c->v[i].id;
	names = catalog_names(c, (size_t)i);
	if (rm->untag && !is_name(&c->v[i], what))
		return err_set(e, EINVAL, "'%.100s' is an ID, not a name",
			       what);
	if (is_name(&c->v[i], what) && (names > 1 || rm->untag)) {
		drop_name(rm, (size_t)i, names <= 1);
		return 0;
	}
	if (names > 1 && !rm->force)
		return err_set(e, EBUSY,
			       "conflict: unable to delete %.12s (-f does): "
			       "it has %zu names",
			       digest_hex(&id), names);
	if (!rm->force && check_boxes(rm, what, &id, e) < 0)
		return -e->code;
	if (!is_name(&c->v[i], what)) {
		drop_image(rm, &id);
		return 0;
	}
	drop_name(rm, (size_t)i, false);
	if (!another(c, &id))
		printf("Deleted: %s\n", id.text);
	rm->dropped = true;
	return 0;
}

/* Each is written before the next, as they are said. */
static int remove_all(struct rmi *rm, struct store *s, char **words, int n)
{
	int status = 0;

	for (int i = 0; i < n; i++) {
		struct err e = { 0 };
		int r = catalog_edit(s, &rm->catalog, &e);

		if (r == 0)
			r = remove_one(rm, words[i], &e);
		if (r == 0)
			r = catalog_commit(&rm->catalog, &e);
		catalog_fini(&rm->catalog);
		if (r < 0 && !(rm->force && e.code == ENOENT))
			status = cmd_no_such(&e);
	}
	return status;
}

static int rmi_main(const struct cmd *c, int argc, char **argv)
{
	struct rmi rm = { .untag = strcmp(c->name, "untag") == 0 };
	struct err e = { 0 };
	struct gc_stats st;
	struct store s;
	int status, first = cmd_parse(c, argc, argv, &rm, &status);

	if (first < 0)
		return status;
	if (first == argc) {
		err_set(&e, EINVAL, "'vial %s' needs an IMAGE", c->name);
		return cmd_misused(c, &e);
	}
	if (imagerow_store(&s, &e) < 0)
		return cmd_error(&e);
	status = remove_all(&rm, &s, argv + first, argc - first);
	/* While another uses the store, the next one does it. */
	if (rm.dropped && !rm.no_prune)
		(void)gc_run(&s, &st, NULL, NULL, &e);
	store_close(&s);
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

#define RMI                                                                    \
	.usage = "[OPTIONS] IMAGE...", .summary = "Remove images.",            \
	.opts = opts, .mixed = true, .example = "vial rmi debian:12\n",        \
	.run = rmi_main

const struct cmd cmd_rmi = { .name = "rmi", RMI };
const struct cmd cmd_image_rm = { .name = "image rm", RMI };

static const struct opt no_opts[] = { OPT_END };

const struct cmd cmd_untag = {
	.name = "untag",
	.usage = "IMAGE...",
	.summary = "Take a name from an image, which stays.",
	.opts = no_opts,
	.example = "vial untag team/ci:old\n",
	.run = rmi_main,
};
