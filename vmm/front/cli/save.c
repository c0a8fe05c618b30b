/* SPDX-License-Identifier: Apache-2.0 */
/* vial save: images into an archive. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/imagerow.h"
#include "image/save.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct save_args {
	const char *output;
	enum save_format format;
};

static int set_format(void *what, const char *value, struct err *e)
{
	struct save_args *a = what;

	if (strcmp(value, "docker-archive") == 0)
		a->format = SAVE_DOCKER;
	else if (strcmp(value, "oci-archive") == 0)
		a->format = SAVE_OCI;
	else
		return err_set(e, EINVAL,
			       "'%.60s' is neither docker-archive nor "
			       "oci-archive",
			       value);
	return 0;
}

static const struct opt opts[] = { OPT_SET(0, "format", set_format, "FORMAT",
					   "docker-archive, or oci-archive"),
				   OPT_STR('o', "output", struct save_args,
					   output, "FILE",
					   "The archive; else standard output"),
				   OPT_END };

/* Complete or not at all: it gets its name in the end. */
static int to_file(struct store *s, const struct save_args *a, char **words,
		   size_t n, struct err *e)
{
	autofree char *tmp = NULL;
	autoclose int fd = -1;
	mode_t mask;
	int r;

	if (asprintf(&tmp, "%s.XXXXXX", a->output) < 0)
		return err_set(e, ENOMEM, "out of memory");
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "make %.100s", a->output);
	mask = umask(0);
	umask(mask);
	r = save_images(s, words, n, a->format, fd, e);
	if (r == 0 && (fchmod(fd, 0666 & ~mask) < 0 || fsync(fd) < 0 ||
		       rename(tmp, a->output) < 0))
		r = err_sys(e, "write %.100s", a->output);
	if (r < 0)
		unlink(tmp);
	return r;
}

static bool is_plain(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 || S_ISREG(st.st_mode);
}

static int to_stream(struct store *s, const struct save_args *a, char **words,
		     size_t n, struct err *e)
{
	autoclose int fd = a->output ? open(a->output, O_WRONLY | O_CLOEXEC)
				     : dup(STDOUT_FILENO);

	if (fd < 0)
		return err_sys(e, "open %.100s",
			       a->output ? a->output : "stdout");
	return save_images(s, words, n, a->format, fd, e);
}

static int save(const struct save_args *a, char **words, size_t n,
		struct err *e)
{
	struct store s;
	int r;

	if (imagerow_store(&s, e) < 0)
		return -e->code;
	r = (a->output && is_plain(a->output) ? to_file
					      : to_stream)(&s, a, words, n, e);
	store_close(&s);
	return r;
}

static int save_main(const struct cmd *c, int argc, char **argv)
{
	struct save_args a = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &a, &status);

	if (first < 0)
		return status;
	if (first == argc)
		err_set(&e, EINVAL, "'vial save' needs an IMAGE");
	else if (!a.output && isatty(STDOUT_FILENO))
		err_set(&e, EINVAL,
			"cowardly refusing to save to a terminal: use -o FILE");
	if (e.code)
		return cmd_misused(c, &e);
	if (save(&a, argv + first, (size_t)(argc - first), &e) < 0)
		return cmd_error(&e);
	return 0;
}

#define SAVE                                                                   \
	.usage = "[OPTIONS] IMAGE...",                                         \
	.summary = "Save images to an archive.", .opts = opts, .mixed = true,  \
	.example = "vial save -o ci.tar team/ci:1\n"                           \
		   "vial save team/ci:1 | docker load\n",                      \
	.run = save_main

const struct cmd cmd_save = { .name = "save", SAVE };
const struct cmd cmd_image_save = { .name = "image save", SAVE };
