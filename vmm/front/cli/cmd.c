/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

#include "cli/colour.h"

#include <stdio.h>
#include <unistd.h>

int cmd_fail(const struct err *e)
{
	fprintf(stderr, "%svial:%s %s\n", colour(STDERR_FILENO, COLOUR_RED),
		colour(STDERR_FILENO, COLOUR_PLAIN), e->msg);
	return CMD_FAILED;
}

int cmd_error(const struct err *e)
{
	cmd_fail(e);
	return CMD_ERROR;
}

int cmd_misused(const struct cmd *c, const struct err *e)
{
	cmd_fail(e);
	fprintf(stderr, "See 'vial %s --help'.\n", c->name);
	return CMD_FAILED;
}

/* Every line of text two columns to the right. */
static void indented(const char *text)
{
	bool start = true;

	for (; *text; text++) {
		if (start && *text != '\n')
			printf("  ");
		putchar(*text);
		start = *text == '\n';
	}
	if (!start)
		putchar('\n');
}

void cmd_help(const struct cmd *c)
{
	const char *bold = colour(STDOUT_FILENO, COLOUR_BOLD);
	const char *plain = colour(STDOUT_FILENO, COLOUR_PLAIN);

	printf("%sUsage:%s vial %s %s\n\n%s\n", bold, plain, c->name, c->usage,
	       c->summary);
	if (c->opts && c->opts->name) {
		printf("\n");
		opt_help_styled(c->opts, stdout, bold, plain);
	}
	if (c->example) {
		printf("\n%sExample:%s\n", bold, plain);
		indented(c->example);
	}
	if (c->more)
		printf("\n%s", c->more);
}

int cmd_parse(const struct cmd *c, int argc, char **argv, void *what,
	      int *status)
{
	struct err e = { 0 };
	bool help = false;
	int first = (c->mixed ? opt_parse_mixed : opt_parse)(
		c->opts, argc, argv, what, &help, &e);

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
