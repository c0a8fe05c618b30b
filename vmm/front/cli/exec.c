/* SPDX-License-Identifier: Apache-2.0 */
/* vial exec: a further command in a box that runs. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "box/create.h"
#include "guest/exec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opt opts[] = {
	OPT_FLAG('d', "detach", struct spec, detach,
		 "Do not wait for it; it goes on without us"),
	OPT_LIST('e', "env", spec_env, "NAME[=VALUE]", "Set a variable"),
	OPT_LIST(0, "env-file", spec_env_file, "FILE",
		 "Variables from a file, one a line"),
	OPT_FLAG('i', "interactive", struct spec, interactive,
		 "Hand standard input to it"),
	OPT_FLAG('t', "tty", struct spec, tty, "Give it a terminal"),
	OPT_FLAG(0, "privileged", struct spec, privileged,
		 "All capabilities in the guest"),
	OPT_SET(0, "timeout", spec_timeout, "TIME",
		"End it after TIME: status 124"),
	OPT_SET('u', "user", spec_user, "USER[:GROUP]", "Run as this user"),
	OPT_SET('w', "workdir", spec_cwd, "DIR", "Working directory"),
	OPT_STR(0, "detach-keys", struct spec, detach_keys, "KEYS",
		"As docker has it; a command of exec ends with its client"),
	OPT_END
};

/* What is not said is as the box has it. */
static int inherit(struct spec *s, struct spec *box, struct err *e)
{
	struct strv env = { 0 };

	for (size_t i = 0; i < box->env.n + s->env.n; i++) {
		const char *one = i < box->env.n ? box->env.v[i]
						 : s->env.v[i - box->env.n];

		if (strv_put_env(&env, one) < 0) {
			strv_fini(&env);
			return err_set(e, ENOMEM, "out of memory");
		}
	}
	strv_fini(&s->env);
	s->env = env;
	if (!s->user)
		s->user = box->user;
	if (!s->cwd)
		s->cwd = box->cwd;
	for (size_t i = 0; i < box->cap_add.n; i++)
		strv_add(&s->cap_add, box->cap_add.v[i]);
	for (size_t i = 0; i < box->cap_drop.n; i++)
		strv_add(&s->cap_drop, box->cap_drop.v[i]);
	s->privileged = s->privileged || box->privileged;
	s->no_new_privs = box->no_new_privs;
	/* --ulimit is not among exec's options, so there are no others. */
	s->rlimits = take_ptr(&box->rlimits);
	s->nrlimits = box->nrlimits;
	box->nrlimits = 0;
	return 0;
}

static int exec_in(struct spec *s, const char *what)
{
	struct err e = { 0 };
	struct box_info info;
	struct spec box;
	struct report r;
	struct box b;
	int status;

	if (each_open(what, &info, &b, &e) < 0)
		return cmd_error(&e);
	spec_init(&box);
	status = each_running(&info, "exec in", &e);
	if (status == 0 && state_is(&info, "paused"))
		status = err_set(&e, EBUSY,
				 "box %s is paused, unpause it before exec",
				 what);
	if (status == 0)
		status = box_load(&b, &box, &e);
	if (status == 0)
		status = inherit(s, &box, &e);
	if (status == 0)
		status = report_init(&r, s, &e);
	if (status < 0) {
		status = cmd_error(&e);
	} else {
		exec_run(&b, s, &r);
		/* docker says nothing about how a command ended. */
		if (r.reason != REPORT_SIGNAL)
			report_print(&r, STDERR_FILENO, true);
		status = r.status;
		report_fini(&r);
	}
	spec_fini(&box);
	state_close(&b);
	return status;
}

static int exec_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	struct spec s;
	int status, first;

	spec_init(&s);
	first = cmd_parse(c, argc, argv, &s, &status);
	if (first >= 0 && argc - first < 2)
		err_set(&e, EINVAL, "'vial exec' needs a BOX and a COMMAND");
	else if (first >= 0 && s.tty && s.interactive && !s.detach &&
		 !isatty(STDIN_FILENO))
		err_set(&e, ENOTTY, "the input device is not a TTY");
	for (int i = first + 1; first >= 0 && !e.code && i < argc; i++)
		if (strv_add(&s.argv, argv[i]) < 0)
			err_set(&e, ENOMEM, "out of memory");
	if (e.code)
		status = cmd_misused(c, &e);
	else if (first >= 0)
		status = exec_in(&s, argv[first]);
	spec_fini(&s);
	return status;
}

const struct cmd cmd_exec = {
	.name = "exec",
	.usage = "[OPTIONS] BOX COMMAND [ARG...]",
	.summary = "Run a further command in a box that runs.",
	.opts = opts,
	.example = "vial exec -i job sh <script\n",
	.run = exec_main,
};
