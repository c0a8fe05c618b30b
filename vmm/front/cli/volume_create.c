/* SPDX-License-Identifier: Apache-2.0 */
/* vial volume create. */
#include "cli/volume.h"

#include "cli/human.h"
#include "spec/parse.h"
#include "box/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct create {
	struct volume_conf conf;
	const char *name, *driver;
};

/* "size=20g", and nothing else: the rest of what docker's driver knows are
 * mounts of the host. */
static int set_option(void *what, const char *text, struct err *e)
{
	struct create *c = what;

	if (strncmp(text, "size=", 5) != 0)
		return err_set(e, EINVAL,
			       "invalid option: \"%.*s\" (there is size=)",
			       (int)strcspn(text, "="), text);
	if (parse_size(text + 5, &c->conf.size, e) < 0)
		return -e->code;
	return strv_put_env(&c->conf.options, text) < 0
		     ? err_set(e, ENOMEM, "out of memory")
		     : 0;
}

static int set_label(void *what, const char *text, struct err *e)
{
	struct create *c = what;

	if (!*text || *text == '=')
		return err_set(e, EINVAL, "'%s' has no name", text);
	return strv_put_env(&c->conf.labels, text) < 0
		     ? err_set(e, ENOMEM, "out of memory")
		     : 0;
}

static int set_driver(void *what, const char *text, struct err *e)
{
	(void)what;
	if (!*text || strcmp(text, "local") == 0)
		return 0;
	return err_set(e, ENOENT,
		       "plugin \"%s\" not found (there is only local)", text);
}

static const struct opt create_opts[] = {
	OPT_SET('d', "driver", set_driver, "DRIVER", "local, and nothing else"),
	OPT_LIST(0, "label", set_label, "NAME[=VALUE]", "Mark the volume"),
	OPT_STR(0, "name", struct create, name, "NAME",
		"The same as the word NAME"),
	OPT_LIST('o', "opt", set_option, "size=SIZE",
		 "What it may grow to (16g)"),
	OPT_END
};

/* A name that exists is none of docker's errors; a size that is not got is
 * worth a word. */
static void tell_size(const struct volume_conf *conf, const char *name)
{
	struct volume_info v;
	char has[HUMAN_MAX];
	struct err ignored;

	if (!conf->size || volume_get(name, &v, &ignored) < 0)
		return;
	if (v.size != conf->size)
		fprintf(stderr,
			"vial: volume %s was there already and has %s "
			"('vial volume grow %s SIZE' makes it larger)\n",
			name, human_bytes(v.size, has), name);
	volume_info_fini(&v);
}

static int create_words(struct create *o, char **words, int n, struct err *e)
{
	if (n > 1)
		return err_set(e, EINVAL,
			       "'vial volume create' takes one NAME");
	if (n && o->name)
		return err_set(e, EINVAL,
			       "conflicting options: either specify --name or "
			       "provide positional arg, not both");
	o->conf.name = n ? words[0] : o->name;
	return 0;
}

static int create_main(const struct cmd *c, int argc, char **argv)
{
	struct create o = { 0 };
	struct err e = { 0 };
	char name[VOLUME_NAME_MAX + 1];
	int status, first = cmd_parse(c, argc, argv, &o, &status);

	if (first >= 0) {
		if (create_words(&o, argv + first, argc - first, &e) < 0)
			status = cmd_misused(c, &e);
		else if (volume_create(&o.conf, name, &e) < 0)
			status = cmd_error(&e);
		else
			status = printf("%s\n", name) < 0 || fflush(stdout) != 0
				       ? CMD_ERROR
				       : 0;
		if (status == 0)
			tell_size(&o.conf, name);
	}
	strv_fini(&o.conf.labels);
	strv_fini(&o.conf.options);
	return status;
}

const struct cmd cmd_volume_create = {
	.name = "volume create",
	.usage = "[OPTIONS] [NAME]",
	.summary = "Make a volume: a disk that outlives boxes.",
	.opts = create_opts,
	.mixed = true,
	.example = "vial volume create -o size=40g cache\n"
		   "vial run --rm -v cache:/cache debian.ext4 df /cache\n",
	.run = create_main,
};
