/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of commands, and what their help is. */
#include "cli/cmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int args;

static int ran(const struct cmd *c, int argc, char **argv)
{
	(void)c;
	assert_string_equal(argv[0], "create");
	args = argc;
	return 7;
}

static const struct opt opts[] = { OPT_END };
static const struct cmd create = { .name = "volume create",
				   .usage = "[NAME]",
				   .summary = "Make one.",
				   .opts = opts,
				   .example = "vial volume create a\n",
				   .run = ran };
static const struct cmd *const all[] = { &create, NULL };
static const struct cmd volume = { .name = "volume",
				   .usage = "COMMAND",
				   .summary = "Volumes.",
				   .sub = all,
				   .run = cmd_group };

/* Runs it with standard output and error in text. */
static int run(int argc, char **argv, char *text, size_t size)
{
	FILE *f = tmpfile();
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), status;
	size_t n;

	fflush(stdout);
	dup2(fileno(f), STDOUT_FILENO);
	dup2(fileno(f), STDERR_FILENO);
	status = volume.run(&volume, argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	rewind(f);
	n = fread(text, 1, size - 1, f);
	text[n] = '\0';
	fclose(f);
	return status;
}

static void finds(void **state)
{
	(void)state;
	assert_ptr_equal(cmd_find(all, "create"), &create);
	assert_null(cmd_find(all, "volume create"));
	assert_null(cmd_find(all, "volume"));
}

static void groups(void **state)
{
	char *one[] = { "volume", NULL },
	     *two[] = { "volume", "create", "a", NULL };
	char *wrong[] = { "volume", "craete", NULL };
	char text[1024];

	(void)state;
	assert_int_equal(run(3, two, text, sizeof(text)), 7);
	assert_int_equal(args, 2);
	assert_int_equal(run(1, one, text, sizeof(text)), 0);
	assert_string_equal(text, "Usage: vial volume COMMAND\n\nVolumes.\n\n"
				  "Commands:\n  create      Make one.\n");
	assert_int_equal(run(2, wrong, text, sizeof(text)), CMD_FAILED);
	assert_string_equal(text, "vial: 'volume craete' is not a vial "
				  "command: did you mean 'create'?\n"
				  "See 'vial volume --help'.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
