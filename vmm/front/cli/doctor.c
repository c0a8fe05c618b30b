/* SPDX-License-Identifier: Apache-2.0 */
/* vial doctor: is this host able, and what is to be done where not. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/colour.h"
#include "run/check.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

struct doctor {
	bool kvm, quiet, json;
};

static const struct opt opts[] = {
	OPT_FLAG(0, "json", struct doctor, json, "One JSON object"),
	OPT_FLAG(0, "kvm", struct doctor, kvm,
		 "Only measure KVM: one line, status 0 when it is usable"),
	OPT_FLAG('q', "quiet", struct doctor, quiet, "Only the exit status"),
	OPT_END
};

static const char *const marks[] = {
	[CHECK_OK] = "[ok]",
	[CHECK_WARN] = "[warn]",
	[CHECK_FAIL] = "[fail]",
};
static const char *const levels[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARN] = "warn",
	[CHECK_FAIL] = "fail",
};
static_assert(ARRAY_LEN(marks) == ARRAY_LEN(levels), "a level has no mark");

static const enum colour colours[] = {
	[CHECK_OK] = COLOUR_GREEN,
	[CHECK_WARN] = COLOUR_YELLOW,
	[CHECK_FAIL] = COLOUR_RED,
};
static_assert(ARRAY_LEN(marks) == ARRAY_LEN(colours), "a level has no colour");

static void print_check(const struct check *c)
{
	printf("%s%-7s%s%-11s %s\n", colour(STDOUT_FILENO, colours[c->level]),
	       marks[c->level], colour(STDOUT_FILENO, COLOUR_PLAIN), c->name,
	       c->found);
	if (*c->remedy)
		printf("%18s -> %s\n", "", c->remedy);
}

static void print_json(const struct check *all, size_t n, bool able)
{
	json_t *list = json_array();
	json_t *o = json_pack("{sbso}", "able", able, "checks", list);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{ssssssss}", "name", all[i].name,
					"level", levels[all[i].level], "found",
					all[i].found, "remedy", all[i].remedy));
	json_dumpf(o, stdout, JSON_INDENT(1));
	printf("\n");
	json_decref(o);
}

static int doctor_main(const struct cmd *c, int argc, char **argv)
{
	struct check all[CHECK_MAX] = { { .name = "kvm" } };
	struct doctor d = { 0 };
	bool able = true;
	size_t n = 1;
	int status;

	if (cmd_parse(c, argc, argv, &d, &status) < 0)
		return status;
	if (d.kvm)
		check_kvm(&all[0]);
	else
		n = check_all(all);
	for (size_t i = 0; i < n; i++)
		able = able && all[i].level != CHECK_FAIL;
	if (d.quiet)
		return !able;
	if (d.json)
		print_json(all, n, able);
	else if (d.kvm)
		printf("%s\n", all[0].found);
	else
		for (size_t i = 0; i < n; i++)
			print_check(&all[i]);
	if (!d.json && !d.kvm)
		printf("\n%s\n", able ? "This host can run boxes."
				      : "This host cannot run boxes yet.");
	return !able;
}

const struct cmd cmd_doctor = {
	.name = "doctor",
	.usage = "[OPTIONS]",
	.summary = "Say whether this host is able to run boxes.",
	.opts = opts,
	.example = "vial doctor\n",
	.more = "Each check says what it found and what to do about it. The exit\n"
		"status is 0 when boxes can be run, 1 when not.\n",
	.run = doctor_main,
};
