/* SPDX-License-Identifier: Apache-2.0 */
/* vial load: images out of archives and folders. */
#include "cli/cmd.h"
#include "cli/imagelimit.h"
#include "cli/imagerow.h"
#include "image/gc.h"
#include "image/load.h"
#include "image/ref.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct load_args {
	const char *input, *name, *platform;
	bool quiet;
};

static const struct opt opts[] = {
	OPT_STR('i', "input", struct load_args, input, "FILE",
		"The archive or folder; else standard input"),
	OPT_STR('t', "tag", struct load_args, name, "NAME",
		"Call it that, whatever it says"),
	OPT_STR(0, "platform", struct load_args, platform, "OS/ARCH",
		"Which of an image for several"),
	OPT_FLAG('q', "quiet", struct load_args, quiet, "Say nothing"), OPT_END
};

static void say(void *ctx, const char *name, const struct digest *id)
{
	const struct load_args *a = ctx;
	char shown[REF_TEXT_MAX];

	if (a->quiet)
		return;
	if (name) {
		imagerow_familiar(name, shown, sizeof(shown));
		printf("Loaded image: %s\n", shown);
	} else {
		printf("Loaded image ID: %s\n", id->text);
	}
}

static int load(struct load_args *a, struct err *e)
{
	struct load_how how = { .name = a->name, .loaded = say, .ctx = a };
	struct gc_stats st;
	struct err ignored;
	struct store s;
	int r;

	if (platform_parse(a->platform, &how.platform, e) < 0 ||
	    imagerow_store(&s, e) < 0)
		return -e->code;
	r = load_archive(&s, a->input, &how, e);
	/* What was in it and belongs to none, or all of it if it failed. */
	(void)gc_run(&s, &st, NULL, NULL, &ignored);
	store_close(&s);
	return r;
}

static int load_main(const struct cmd *c, int argc, char **argv)
{
	struct load_args a = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &a, &status);

	if (first < 0)
		return status;
	if (first < argc)
		err_set(&e, EINVAL, "'vial load' takes no words (-i %s)",
			argv[first]);
	else if (!a.input && isatty(STDIN_FILENO))
		err_set(&e, EINVAL,
			"the archive is missing: -i FILE, or "
			"standard input that is no terminal");
	if (e.code)
		return cmd_misused(c, &e);
	if (a.input && strcmp(a.input, "-") == 0)
		a.input = NULL;
	if (load(&a, &e) < 0)
		return cmd_error(&e);
	imagelimit_apply();
	return fflush(stdout) == 0 ? 0 : CMD_ERROR;
}

#define LOAD                                                                   \
	.usage = "[OPTIONS]",                                                  \
	.summary = "Load images from an archive or a folder.", .opts = opts,   \
	.mixed = true,                                                         \
	.example = "docker save debian:12 | vial load\n"                       \
		   "vial load -i layout/\n",                                   \
	.run = load_main

const struct cmd cmd_load = { .name = "load", LOAD };
const struct cmd cmd_image_load = { .name = "image load", LOAD };
