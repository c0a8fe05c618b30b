/* SPDX-License-Identifier: Apache-2.0 */
/* vial diff: what a box has changed of its image. */
#include "box/create.h"
#include "builder/changes.h"
#include "cli/cmd.h"
#include "cli/each.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static const struct opt opts[] = { OPT_END };

/* Names are the guest's: none of them talks to a terminal. */
static int show(void *arg, const void *bytes, size_t n, struct err *e)
{
	const bool *tty = arg;
	const unsigned char *p = bytes;

	for (const unsigned char *end = p + n; p < end; p++) {
		int c = *p;

		if (c == '\0')
			c = '\n';
		else if (*tty && (c < ' ' || c == 0x7f))
			c = '?';
		putchar(c);
	}
	return ferror(stdout) ? err_sys(e, "standard output") : 0;
}

static int diff_box(const char *what, struct err *e)
{
	bool tty = isatty(STDOUT_FILENO);
	const struct changes_how how = { .form = CHANGES_LIST,
					 .take = show,
					 .arg = &tty };
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
