/* SPDX-License-Identifier: Apache-2.0 */
/* vial tag: another name for an image. */
#include "cli/cmd.h"
#include "cli/imagerow.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>

static const struct opt opts[] = { OPT_END };

static int tag(struct store *s, const char *image, const char *name,
	       struct err *e)
{
	struct catalog_entry en;
	char text[REF_TEXT_MAX];
	struct catalog c = { .lock = -1 };
	struct ref ref;
	int i, r;

	if (ref_parse(name, &ref, e) < 0)
		return -e->code;
	if (*ref.digest.text)
		return err_set(e, EINVAL,
			       "refusing to create a tag with a digest");
	ref_print(&ref, text);
	r = catalog_edit(s, &c, e);
	i = r < 0 ? r : catalog_find(&c, image, e);
	if (i < 0) {
		catalog_fini(&c);
		return i;
	}
	en = c.v[i];
	en.name = text;
	en.pulled = (struct digest){ "" };
	r = catalog_put(&c, &en, e);
	if (r == 0)
		r = catalog_commit(&c, e);
	catalog_fini(&c);
	return r;
}

static int tag_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct store s;
	int status, r, first = cmd_parse(c, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (argc - first != 2) {
		err_set(&e, EINVAL, "'vial %s' needs an IMAGE and a NAME",
			c->name);
		return cmd_misused(c, &e);
	}
	if (imagerow_store(&s, &e) < 0)
		return cmd_error(&e);
	r = tag(&s, argv[first], argv[first + 1], &e);
	store_close(&s);
	if (r < 0 && e.code == ENOENT)
		fprintf(stderr, "Error response from daemon: %s\n", e.msg);
	else if (r < 0)
		cmd_error(&e);
	return r < 0 ? CMD_ERROR : 0;
}

#define TAG                                                                    \
	.usage = "IMAGE NAME[:TAG]", .summary = "Give an image another name.", \
	.opts = opts, .example = "vial tag debian:12 team/ci:1\n",             \
	.run = tag_main

const struct cmd cmd_tag = { .name = "tag", TAG };
const struct cmd cmd_image_tag = { .name = "image tag", TAG };
