/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

#include <stdio.h>

int cmd_fail(const struct err *e)
{
	fprintf(stderr, "vial: %s\n", e->msg);
	return CMD_FAILED;
}

int cmd_misused(const struct cmd *c, const struct err *e)
{
	fprintf(stderr, "vial: %s\nSee 'vial %s --help'.\n", e->msg, c->name);
	return CMD_FAILED;
}

void cmd_help(const struct cmd *c)
{
	printf("Usage: vial %s %s\n\n%s\n", c->name, c->usage, c->summary);
	if (c->opts && c->opts->name) {
		printf("\nOptions:\n");
		opt_help(c->opts, stdout);
	}
	if (c->more)
		printf("\n%s", c->more);
}

int cmd_parse(const struct cmd *c, int argc, char **argv, void *what,
	      int *status)
{
	struct err e = { 0 };
	bool help;
	int first = opt_parse(c->opts, argc, argv, what, &help, &e);

	if (first < 0) {
		*status = cmd_misused(c, &e);
		return -1;
	}
	if (help) {
		cmd_help(c);
		*status = fflush(stdout) == 0 ? 0 : CMD_FAILED;
		return -1;
	}
	return first;
}
