/* SPDX-License-Identifier: Apache-2.0 */
/* vial import: a root file system becomes an image. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/dockerfile.h"
#include "cli/imagelimit.h"
#include "cli/imagerow.h"
#include "image/gc.h"
#include "image/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct import_args {
	const char *message, *platform;
	json_t *config;
};

static int set_change(void *what, const char *value, struct err *e)
{
	return dockerfile_line(((struct import_args *)what)->config, value, e);
}

static const struct opt opts[] = {
	OPT_LIST('c', "change", set_change, "LINE",
		 "A line of a Dockerfile: 'CMD [\"sh\"]', 'ENV A=b'"),
	OPT_STR('m', "message", struct import_args, message, "TEXT",
		"For the history"),
	OPT_STR(0, "platform", struct import_args, platform, "OS/ARCH",
		"What it is for; else this host's"),
	OPT_END
};

static int import(const struct import_args *a, const char *path,
		  const char *name, struct err *e)
{
	struct import_how how = { .name = name,
				  .message = a->message,
				  .config = a->config };
	struct err ignored;
	struct gc_stats st;
	struct digest id;
	struct store s;
	int r;

	if (platform_parse(a->platform, &how.platform, e) < 0 ||
	    imagerow_store(&s, e) < 0)
		return -e->code;
	r = load_rootfs(&s, strcmp(path, "-") == 0 ? NULL : path, &how, &id, e);
	if (r < 0)
		(void)gc_run(&s, &st, NULL, NULL, &ignored);
	else
		printf("%s\n", id.text);
	store_close(&s);
	return r;
}

static int import_main(const struct cmd *c, int argc, char **argv)
{
	struct import_args a = { .config = json_object() };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &a, &status);

	if (first >= 0 && (argc - first < 1 || argc - first > 2)) {
		err_set(&e, EINVAL,
			"'vial import' needs a FILE (or -), and "
			"may have a NAME");
		status = cmd_misused(c, &e);
	} else if (first >= 0) {
		status = import(&a, argv[first], argv[first + 1], &e) < 0
			       ? cmd_error(&e)
			       : 0;
		if (status == 0)
			imagelimit_apply();
	}
	json_decref(a.config);
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

#define IMPORT                                                                 \
	.usage = "[OPTIONS] FILE|- [NAME[:TAG]]",                              \
	.summary = "Make an image of a root file system.", .opts = opts,       \
	.mixed = true,                                                         \
	.example = "vial import -c 'CMD [\"bash\"]' rootfs.tar.zst my/os:1\n"  \
		   "tar -C rootfs -c . | vial import - my/os\n",               \
	.run = import_main

const struct cmd cmd_import = { .name = "import", IMPORT };
const struct cmd cmd_image_import = { .name = "image import", IMPORT };
