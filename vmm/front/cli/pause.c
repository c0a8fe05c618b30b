/* SPDX-License-Identifier: Apache-2.0 */
/* vial pause, unpause, rename, wait: small words with a box's keeper. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "run/attach.h"
#include "run/keep.h"
#include "spec/spec.h"

#include <errno.h>
#include <stdio.h>

static const struct opt none[] = { OPT_END };

static int pause_box(const char *what, bool pause, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Nothing nothing = VIAL__KEEP__NOTHING__INIT;
	struct box_info info;
	struct box b;
	int r;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	m.op_case = pause ? VIAL__KEEP__CALL__OP_PAUSE
			  : VIAL__KEEP__CALL__OP_UNPAUSE;
	m.pause = &nothing;
	r = each_running(&info, pause ? "pause" : "unpause", e);
	if (r == 0)
		r = keep_ask(b.dir, &m, e);
	state_close(&b);
	return r < 0 ? err_wrap(e, "box %s", what) : 0;
}

static int pause_each(void *arg, const char *what, struct err *e)
{
	(void)arg;
	return pause_box(what, true, e);
}

static int unpause_each(void *arg, const char *what, struct err *e)
{
	(void)arg;
	return pause_box(what, false, e);
}

static int wait_each(void *arg, const char *what, struct err *e)
{
	struct box_info info;
	struct box b;
	int status, r;

	(void)arg;
	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	status = info.exit_status;
	r = info.alive ? attach_wait(&b, &status, e) : 0;
	state_close(&b);
	if (r == 0)
		printf("%d\n", status);
	return r < 0 ? r : 1;
}

static int some_main(const struct cmd *c, int argc, char **argv, each_fn *fn)
{
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &e, &status);

	if (first < 0)
		return status;
	if (first == argc) {
		err_set(&e, EINVAL, "'vial %s' needs a BOX", c->name);
		return cmd_misused(c, &e);
	}
	return each_box(argv + first, argc - first, fn, NULL);
}

static int pause_main(const struct cmd *c, int argc, char **argv)
{
	return some_main(c, argc, argv, pause_each);
}

static int unpause_main(const struct cmd *c, int argc, char **argv)
{
	return some_main(c, argc, argv, unpause_each);
}

static int wait_main(const struct cmd *c, int argc, char **argv)
{
	return some_main(c, argc, argv, wait_each);
}

/* Who keeps a box writes its state; a box at rest is ours for the moment. */
static int rename_box(const char *what, char *name, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Rename rename = VIAL__KEEP__RENAME__INIT;
	struct box_info info;
	struct box b;
	int r;

	if (!spec_name_valid(name))
		return err_set(e, EINVAL, "Invalid box name (%s)", name);
	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	m.op_case = VIAL__KEEP__CALL__OP_RENAME;
	m.rename = &rename;
	rename.name = name;
	if (info.alive) {
		r = keep_ask(b.dir, &m, e);
	} else {
		r = state_lock(&b, e);
		if (r == 0)
			r = state_rename(&b, &info, name, e);
	}
	state_close(&b);
	return r;
}

static int rename_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &e, &status);

	if (first < 0)
		return status;
	if (argc - first != 2) {
		err_set(&e, EINVAL, "'vial rename' needs a BOX and a NAME");
		return cmd_misused(c, &e);
	}
	return rename_box(argv[first], argv[first + 1], &e) < 0 ? cmd_error(&e)
								: 0;
}

const struct cmd cmd_pause = {
	.name = "pause",
	.usage = "BOX...",
	.summary = "Halt all CPUs of boxes.",
	.opts = none,
	.example = "vial pause job\n",
	.run = pause_main,
};

const struct cmd cmd_unpause = {
	.name = "unpause",
	.usage = "BOX...",
	.summary = "Let paused boxes go on.",
	.opts = none,
	.example = "vial unpause job\n",
	.run = unpause_main,
};

const struct cmd cmd_wait = {
	.name = "wait",
	.usage = "BOX...",
	.summary = "Wait until boxes have ended and print their exit statuses.",
	.opts = none,
	.example = "vial wait job\n",
	.run = wait_main,
};

const struct cmd cmd_rename = {
	.name = "rename",
	.usage = "BOX NAME",
	.summary = "Give a box another name.",
	.opts = none,
	.example = "vial rename job old-job\n",
	.run = rename_main,
};
