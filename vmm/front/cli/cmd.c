/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd.h"

#include "base/auto.h"
#include "box/report.h"
#include "cli/colour.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUP_MAX 32

int cmd_fail(const struct err *e)
{
	struct err shown = *e;

	/* Parts of it may come from an archive, a registry or a file's name. */
	report_clean(shown.msg);
	fprintf(stderr, "%svial:%s %s\n", colour(STDERR_FILENO, COLOUR_RED),
		colour(STDERR_FILENO, COLOUR_PLAIN), shown.msg);
	return CMD_FAILED;
}

int cmd_error(const struct err *e)
{
	cmd_fail(e);
	return CMD_ERROR;
}

int cmd_no_such(const struct err *e)
{
	if (e->code != ENOENT)
		return cmd_error(e);
	fprintf(stderr, "Error: %s\n", e->msg);
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

static const char *last_word(const char *name)
{
	const char *blank = strrchr(name, ' ');

	return blank ? blank + 1 : name;
}

const struct cmd *cmd_find(const struct cmd *const *all, const char *word)
{
	for (; *all; all++)
		if (strcmp(last_word((*all)->name), word) == 0)
			return *all;
	return NULL;
}

/* The same in a group, where docker has second names for some. */
static const struct cmd *find_sub(const struct cmd *c, const char *word)
{
	static const char *const names[][2] = { { "list", "ls" },
						{ "ls", "ps" },
						{ "remove", "rm" } };
	const struct cmd *found = cmd_find(c->sub, word);

	for (size_t i = 0; !found && i < ARRAY_LEN(names); i++)
		if (strcmp(word, names[i][0]) == 0) {
			word = names[i][1];
			found = cmd_find(c->sub, word);
		}
	return found;
}

int cmd_group(const struct cmd *c, int argc, char **argv)
{
	const char *names[GROUP_MAX] = { NULL }, *near;
	const struct cmd *found;
	struct err e = { 0 };
	size_t n = 0;

	if (argc < 2 || strcmp(argv[1], "--help") == 0 ||
	    strcmp(argv[1], "-h") == 0) {
		cmd_help(c);
		return fflush(stdout) == 0 ? 0 : CMD_FAILED;
	}
	found = find_sub(c, argv[1]);
	if (found)
		return found->run(found, argc - 1, argv + 1);
	for (; n < GROUP_MAX && c->sub[n]; n++)
		names[n] = last_word(c->sub[n]->name);
	near = opt_nearest(argv[1], names, n);
	err_set(&e, EINVAL, "'%s %.60s' is not a vial command%s%s%s", c->name,
		argv[1], near ? ": did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return cmd_misused(c, &e);
}

void cmd_help(const struct cmd *c)
{
	const char *bold = colour(STDOUT_FILENO, COLOUR_BOLD);
	const char *plain = colour(STDOUT_FILENO, COLOUR_PLAIN);

	printf("%sUsage:%s vial %s %s\n\n%s\n", bold, plain, c->name, c->usage,
	       c->summary);
	if (c->sub) {
		printf("\n%sCommands:%s\n", bold, plain);
		for (size_t i = 0; c->sub[i]; i++)
			printf("  %-11s %s\n", last_word(c->sub[i]->name),
			       c->sub[i]->summary);
	}
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
