/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines as docker users write them. */
#include "cli/opt.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct what {
	bool first, it, tt;
	const char *name;
	char seen[128];
};

static int set_env(void *what, const char *value, struct err *e)
{
	struct what *w = what;
	size_t used = strlen(w->seen);

	if (strcmp(value, "bad") == 0)
		return err_set(e, EINVAL, "no good");
	snprintf(w->seen + used, sizeof(w->seen) - used, "[%s]", value);
	return 0;
}

static const struct opt table[] = {
	OPT_FLAG(0, "first", struct what, first, "At offset 0"),
	OPT_FLAG('i', "interactive", struct what, it, "Stdin"),
	OPT_FLAG('t', "tty", struct what, tt, "Terminal"),
	OPT_STR(0, "name", struct what, name, "NAME", "Name"),
	OPT_LIST('e', "env", set_env, "NAME=VALUE", "Variable"),
	OPT_GROUP("For others"),
	OPT_FLAG(0, "long", struct what, tt,
		 "A text that is too long for what is left of the line"),
	OPT_GROUP("Empty"),
	OPT_IGNORED(0, "restart", "POLICY", "no|", "nothing restarts a box"),
	OPT_IGNORED('P', "publish-all", NULL, NULL, "there is no network"),
	OPT_REFUSED(0, "gpus", "GPUS", NULL, "a box has none"),
	OPT_REFUSED(0, "platform", "OS/ARCH", "linux/amd64", "not this host's"),
	OPT_END
};

static struct what w;
static struct err e;
static bool help;

static int parse(const char *line)
{
	static char copy[256];
	static char *argv[32];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	w = (struct what){ .name = NULL };
	e = (struct err){ 0 };
	return opt_parse(table, argc, argv, &w, &help, &e);
}

static void flags_and_clusters(void **state)
{
	(void)state;
	assert_int_equal(parse("run -it image ls -l"), 2);
	assert_true(w.it && w.tt && !w.first);
	assert_int_equal(parse("run --first --interactive -t x"), 4);
	assert_true(w.it && w.tt && w.first);
	assert_int_equal(parse("run -i=false --tty=true x"), 3);
	assert_true(!w.it && w.tt);
	assert_int_equal(parse("run -it=false x"), 2);
	assert_true(w.it && !w.tt);
	assert_int_equal(parse("run --tty=perhaps x"), -EINVAL);
	assert_non_null(strstr(e.msg, "perhaps"));
}

static void values(void **state)
{
	(void)state;
	assert_int_equal(parse("run -eA=1 -e B=2 -e=C=3 --env=D=4 --env E x"),
			 8);
	assert_string_equal(w.seen, "[A=1][B=2][C=3][D=4][E]");
	assert_int_equal(parse("run -ite A x"), 3);
	assert_true(w.it && w.tt);
	assert_string_equal(w.seen, "[A]");
	assert_int_equal(parse("run --name= x"), 2);
	assert_string_equal(w.name, "");
	assert_int_equal(parse("run --name -- x"), 3);
	assert_string_equal(w.name, "--");
}

static void ends_at_the_image(void **state)
{
	(void)state;
	assert_int_equal(parse("run image -it --name x"), 1);
	assert_true(!w.it && !w.name);
	assert_int_equal(parse("run -i -- -t"), 3);
	assert_true(w.it && !w.tt);
	/* A lone dash is a word. */
	assert_int_equal(parse("run - -t"), 1);
	assert_int_equal(parse("run"), 1);
}

static void mistakes(void **state)
{
	(void)state;
	assert_int_equal(parse("run --nmae x"), -EINVAL);
	assert_string_equal(e.msg,
			    "unknown flag: --nmae (did you mean --name?)");
	assert_int_equal(parse("run --zebra x"), -EINVAL);
	assert_string_equal(e.msg, "unknown flag: --zebra");
	assert_int_equal(parse("run -ix image"), -EINVAL);
	assert_string_equal(e.msg, "unknown shorthand flag: 'x' in -ix");
	assert_int_equal(parse("run --name"), -EINVAL);
	assert_string_equal(e.msg, "flag needs an argument: --name");
	assert_int_equal(parse("run -ie"), -EINVAL);
	assert_string_equal(e.msg, "flag needs an argument: 'e' in -ie");
	assert_int_equal(parse("run --env bad x"), -EINVAL);
	assert_string_equal(e.msg, "--env: no good");
	assert_int_equal(parse("run --aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			       "aaaaaaaaaaaaaaaaaaaaaaaaaaa"),
			 -EINVAL);
}

static void asks_for_help(void **state)
{
	(void)state;
	assert_true(parse("run --help") > 0 && help);
	assert_true(parse("run -ih") > 0 && help);
	/* Behind the image it is the command's. */
	assert_true(parse("run image --help") == 1 && !help);
}

static int parse_mixed(const char *line, char *words, size_t size)
{
	static char copy[256];
	static char *argv[32];
	int argc = 0, first;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	w = (struct what){ .name = NULL };
	first = opt_parse_mixed(table, argc, argv, &w, &help, &e);
	*words = '\0';
	for (int i = MAX(first, 1); i < argc; i++)
		snprintf(words + strlen(words), size - strlen(words), "%s,",
			 argv[i]);
	return first;
}

static void options_behind_words(void **state)
{
	char words[128];

	(void)state;
	assert_int_equal(parse_mixed("rm a -i b --name x c", words, 128), 4);
	assert_string_equal(words, "a,b,c,");
	assert_true(w.it);
	assert_string_equal(w.name, "x");
	assert_int_equal(parse_mixed("rm a -t -- -i b", words, 128), 3);
	assert_string_equal(words, "a,-i,b,");
	assert_true(w.tt && !w.it);
	assert_int_equal(parse_mixed("rm a b - c", words, 128), 1);
	assert_string_equal(words, "a,b,-,c,");
	assert_int_equal(parse_mixed("rm -e 1 a -e 2", words, 128), 5);
	assert_string_equal(w.seen, "[1][2]");
	assert_int_equal(parse_mixed("rm a --nmae", words, 128), -EINVAL);
	assert_true(parse_mixed("rm a --help", words, 128) > 0 && help);
	assert_int_equal(parse_mixed("rm", words, 128), 1);
}

static void what_others_want(void **state)
{
	(void)state;
	assert_int_equal(parse("run --restart no x"), 3);
	assert_int_equal(parse("run --restart= x"), 2);
	assert_int_equal(parse("run --restart always -P x"), 4);
	assert_int_equal(parse("run --publish-all=false x"), 2);
	assert_int_equal(parse("run --platform linux/amd64 x"), 3);
	assert_int_equal(parse("run --platform linux/amd x"), -EINVAL);
	assert_string_equal(e.msg, "--platform linux/amd: not this host's");
	assert_int_equal(parse("run --gpus all x"), -EINVAL);
	assert_string_equal(e.msg, "--gpus all: a box has none");
	/* A heading is no option. */
	assert_int_equal(parse("run --=x y"), -EINVAL);
	/* Nobody is pointed to what does nothing. */
	assert_int_equal(parse("run --restrat x"), -EINVAL);
	assert_string_equal(e.msg, "unknown flag: --restrat");
}

static void what_a_value_is(void **state)
{
	(void)state;
	assert_int_equal(opt_takes(NULL), OPT_VALUE_NONE);
	assert_int_equal(opt_takes("FILE"), OPT_VALUE_FILE);
	assert_int_equal(opt_takes("HOST:GUEST"), OPT_VALUE_FILE);
	assert_int_equal(opt_takes("BOX..."), OPT_VALUE_BOX);
	assert_int_equal(opt_takes("BOXES"), OPT_VALUE_TEXT);
	assert_int_equal(opt_takes("[ARG]"), OPT_VALUE_TEXT);
}

static void nearest(void **state)
{
	const char *names[] = { "run", "ps", NULL, "doctor", "version" };

	(void)state;
	assert_string_equal(opt_nearest("docter", names, 5), "doctor");
	assert_string_equal(opt_nearest("rnu", names, 5), "run");
	assert_string_equal(opt_nearest("verison", names, 5), "version");
	assert_null(opt_nearest("build", names, 5));
	assert_null(opt_nearest("", names, 5));
}

static void help_lists_all(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	opt_help(table, f);
	fclose(f);
	for (const struct opt *o = table; o->name; o++)
		if (o->kind == OPT_KIND_OWN)
			assert_non_null(strstr(text, o->name));
	assert_non_null(strstr(text, "\n  -t, --tty                       "
				     "Terminal\n"));
	assert_non_null(strstr(text, " is left of\n"
				     "                                  the "
				     "line\n"));
	assert_non_null(strstr(text, "-e, --env NAME=VALUE..."));
	assert_non_null(strstr(text, "\nFor others:\n"));
	assert_non_null(strstr(text, "\n  --restart --publish-all\n"));
	assert_null(strstr(text, "gpus"));
	assert_null(strstr(text, "Empty"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_and_clusters),
		cmocka_unit_test(values),
		cmocka_unit_test(ends_at_the_image),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(asks_for_help),
		cmocka_unit_test(options_behind_words),
		cmocka_unit_test(what_others_want),
		cmocka_unit_test(what_a_value_is),
		cmocka_unit_test(nearest),
		cmocka_unit_test(help_lists_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
