/* SPDX-License-Identifier: Apache-2.0 */
/* What is offered at the end of a command line. */
#include "cli/complete.h"

#include "base/auto.h"
#include "cli/cmd.h"
#include "box/state.h"
#include "box/volume.h"
#include "image/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct what {
	bool it;
	const char *s;
};

static const struct opt run_opts[] = {
	OPT_FLAG('i', "interactive", struct what, it, "Input"),
	OPT_STR('v', "volume", struct what, s, "HOST:GUEST", "Copy in"),
	OPT_GROUP("More"),
	OPT_STR(0, "env-file", struct what, s, "FILE", "Variables"),
	OPT_STR('w', "workdir", struct what, s, "DIR", "Directory"),
	OPT_STR(0, "name", struct what, s, "NAME", "Name"),
	OPT_STR('s', "signal", struct what, s, "SIGNAL", "Signal"),
	OPT_IGNORED(0, "restart", "POLICY", NULL, "no"),
	OPT_END
};

static const struct cmd run = { .name = "run",
				.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
				.summary = "Run.",
				.opts = run_opts };
static const struct cmd rm = { .name = "rm",
			       .usage = "[-f] BOX...",
			       .summary = "Remove.",
			       .opts = run_opts,
			       .mixed = true };
static const struct cmd cp = {
	.name = "cp",
	.usage = "[OPTIONS] BOX:PATH PATH | PATH BOX:PATH",
	.summary = "Copy.",
	.opts = run_opts
};
static const struct cmd volume_ls = { .name = "volume ls",
				      .usage = "[OPTIONS]",
				      .summary = "List.",
				      .opts = run_opts };
static const struct cmd volume_rm = { .name = "volume rm",
				      .usage = "BOX",
				      .summary = "Remove." };
static const struct cmd volume_up = { .name = "volume grow",
				      .usage = "VOLUME SIZE",
				      .summary = "Grow." };
static const struct cmd *const volumes[] = { &volume_ls, &volume_rm, &volume_up,
					     NULL };
static const struct cmd volume = { .name = "volume",
				   .usage = "COMMAND",
				   .summary = "Volumes.",
				   .sub = volumes };
const struct cmd *const cmds[] = { &run, &rm, &cp, &volume, NULL };

static char dir[64], id[BOX_ID_LEN + 1];

/* What is offered, without explanations; words are parted by blanks, and one
 * at the end begins a new word. Valid until the next call. */
static const char *after(const char *typed)
{
	static char *argv[32], copy[256], out[2048];
	char *text = NULL, *line, *save = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", typed);
	for (char *p = copy; p; argc++) {
		argv[argc] = strsep(&p, " ");
		if (!p)
			continue;
	}
	complete(f, argc, argv);
	fclose(f);
	out[0] = '\0';
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, "\t")] = '\0';
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s",
			 *out ? " " : "", line);
	}
	free(text);
	return out;
}

static int start(void **state)
{
	struct box_info info = { .name = "job-1" };
	char place[80];
	struct box b;
	struct err e;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vial-complete-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(place, sizeof(place), "%s/run", dir);
	setenv("VIAL_RUNDIR", place, 1);
	snprintf(place, sizeof(place), "%s/data", dir);
	setenv("VIAL_DATADIR", place, 1);
	state_new_id(info.id);
	strcpy(id, info.id);
	if (state_create(&b, &info, &e) < 0)
		return -1;
	state_close(&b);
	return 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static void images(void **state)
{
	static const char config[] =
		"{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":"
		"{\"type\":\"layers\",\"diff_ids\":[]}}";
	struct catalog_entry en = { .name = NULL };
	struct catalog c;
	char place[80];
	struct store s;
	struct err e;

	(void)state;
	snprintf(place, sizeof(place), "%s/data", dir);
	assert_int_equal(store_open(&s, place, &e), 0);
	assert_int_equal(store_write(&s, config, strlen(config), &en.id, &e),
			 0);
	en.desc.digest = en.id;
	en.desc.size = strlen(config);
	assert_int_equal(catalog_edit(&s, &c, &e), 0);
	en.name = strdup("docker.io/library/debian:12");
	assert_int_equal(catalog_put(&c, &en, &e), 0);
	assert_int_equal(catalog_commit(&c, &e), 0);
	catalog_fini(&c);
	free(en.name);
	store_close(&s);
	assert_string_equal(after("run d"), "debian:12 :f");
	assert_string_equal(after("run debian:1"), "debian:12 :f");
	assert_string_equal(after("run x"), ":f");
}

static void commands(void **state)
{
	(void)state;
	assert_string_equal(after(""), "run rm cp volume help :");
	assert_string_equal(after("r"), "run rm :");
	assert_string_equal(after("x"), ":");
	assert_string_equal(after("help r"), "run rm :");
	assert_string_equal(after("help x "), ":");
	assert_string_equal(after("nothing "), ":");
	assert_string_equal(after("nothing x y"), ":");
}

static void volumes_there_are(void **state)
{
	struct volume_conf conf = { .name = "cache", .size = 16u << 20 };
	char name[VOLUME_NAME_MAX + 1];
	struct err e;

	(void)state;
	assert_string_equal(after("volume grow "), ":");
	assert_int_equal(volume_create(&conf, name, &e), 0);
	assert_string_equal(after("volume grow "), "cache :");
	assert_string_equal(after("volume grow x"), ":");
	assert_string_equal(after("volume grow cache "), ":");
}

static void groups(void **state)
{
	(void)state;
	assert_string_equal(after("v"), "volume :");
	assert_string_equal(after("volume "), "ls rm grow :");
	assert_string_equal(after("volume l"), "ls :");
	assert_string_equal(after("volume ls --na"), "--name :");
	assert_string_equal(after("volume rm j"), "job-1 :");
	assert_string_equal(after("volume x y"), ":");
	assert_string_equal(after("help volume r"), "rm :");
	assert_string_equal(after("help run "), ":");
}

static void options(void **state)
{
	(void)state;
	assert_string_equal(after("run -"),
			    "--interactive --volume --env-file --workdir "
			    "--name --signal --help :");
	assert_string_equal(after("run --n"), "--name :");
	assert_string_equal(after("run -it --na"), "--name :");
	/* Behind the image it is the command's. */
	assert_string_equal(after("run image --n"), ":");
	assert_string_equal(after("run -- --n"), ":f");
	assert_string_equal(after("rm a --n"), "--name :");
}

static void values(void **state)
{
	(void)state;
	assert_string_equal(after("run --env-file "), ":f");
	assert_string_equal(after("run --env-file=x"), ":f");
	assert_string_equal(after("run -iw "), ":d");
	assert_string_equal(after("run --name "), ":");
	assert_string_equal(after("run -s K"), "KILL :");
	assert_string_equal(after("run --signal=K"), "--signal=KILL :");
	assert_string_equal(after("run -v /a"), ":f");
	assert_string_equal(after("run -v /a:/"), ":");
	assert_string_equal(after("run --interactive "), ":f");
	assert_string_equal(after("run --zebra=x"), ":");
}

static void words(void **state)
{
	char part[16];

	(void)state;
	assert_string_equal(after("run "), ":f");
	assert_string_equal(after("run image "), ":");
	assert_string_equal(after("rm "), "job-1 :");
	assert_string_equal(after("rm j"), "job-1 :");
	assert_string_equal(after("rm x "), "job-1 :");
	assert_string_equal(after("rm -s TERM x "), "job-1 :");
	snprintf(part, sizeof(part), "rm %.4s", id);
	assert_true(strncmp(after(part), id, BOX_SHORT_LEN) == 0);
	assert_string_equal(after("cp "), "job-1: :fs");
	assert_string_equal(after("cp a j"), "job-1: :fs");
	assert_string_equal(after("cp job-1:/"), ":f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands), cmocka_unit_test(volumes_there_are),
		cmocka_unit_test(commands), cmocka_unit_test(groups),
		cmocka_unit_test(options),  cmocka_unit_test(values),
		cmocka_unit_test(words),    cmocka_unit_test(images),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
