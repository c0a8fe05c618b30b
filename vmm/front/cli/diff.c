/* SPDX-License-Identifier: Apache-2.0 */
/* vial diff: what a box has changed of its image. */
#include "base/utf8.h"
#include "box/create.h"
#include "builder/changes.h"
#include "cli/cmd.h"
#include "cli/each.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static const struct opt opts[] = { OPT_END };

/* A path, and what goes before it. */
#define LINE_SIZE (PATH_MAX + 16)

struct lines {
	bool tty;
	size_t len;
	char line[LINE_SIZE];
};

/* Names are the guest's: none of them talks to a terminal. Pieces end anywhere,
 * in the middle of a character too. */
static int show(void *arg, const void *bytes, size_t n, struct err *e)
{
	struct lines *l = arg;
	const char *p = bytes;

	for (const char *end = p + n; p < end; p++) {
		if (*p)
			l->line[l->len++] = *p;
		if (*p && l->len + 1 < sizeof(l->line))
			continue;
		l->line[l->len] = '\0';
		l->len = 0;
		if (l->tty)
			utf8_clean(l->line);
		fputs(l->line, stdout);
		if (!*p)
			putchar('\n');
	}
	return ferror(stdout) ? err_sys(e, "standard output") : 0;
}

static int diff_box(const char *what, struct err *e)
{
	struct lines lines = { .tty = isatty(STDOUT_FILENO) };
	const struct changes_how how = { .form = CHANGES_LIST,
					 .take = show,
					 .arg = &lines };
	struct box_info info;
	struct spec s;
	struct box b;
	int r;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	r = box_load(&b, &s, e);
	if (r == 0)
		r = changes_read(&b, &info, &s, &how, e);
	spec_fini(&s);
	state_close(&b);
	return r < 0 ? err_wrap(e, "box %.60s", what) : 0;
}

static int diff_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (argc - first != 1) {
		err_set(&e, EINVAL, "'vial diff' needs one BOX");
		return cmd_misused(c, &e);
	}
	status = diff_box(argv[first], &e) < 0 ? cmd_error(&e) : 0;
	return fflush(stdout) == 0 ? status : CMD_ERROR;
}

const struct cmd cmd_diff = {
	.name = "diff",
	.usage = "BOX",
	.summary = "List what a box has changed of its image.",
	.opts = opts,
	.more = "A line for each file or folder: A added, C changed, D deleted.\n"
		"What is mounted in the box is left out. One that runs is kept from "
		"writing\nwhile it is read.\n",
	.example = "vial diff job\n",
	.run = diff_main,
};
