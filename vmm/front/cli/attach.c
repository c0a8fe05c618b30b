/* SPDX-License-Identifier: Apache-2.0 */
/* vial attach: this terminal for a command that runs. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "run/attach.h"
#include "box/create.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REPLAY 4096

struct attach_opts {
	bool no_stdin, no_proxy, no_replay;
	const char *detach_keys;
};

static int sig_proxy(void *what, const char *text, struct err *e)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return err_set(e, EINVAL, "'%s' is not true or false", text);
	((struct attach_opts *)what)->no_proxy = strcmp(text, "false") == 0;
	return 0;
}

static const struct opt opts[] = {
	OPT_STR(0, "detach-keys", struct attach_opts, detach_keys, "KEYS",
		"What leaves it running (ctrl-p,ctrl-q)"),
	OPT_FLAG(0, "no-stdin", struct attach_opts, no_stdin, "Only watch"),
	OPT_FLAG(0, "no-replay", struct attach_opts, no_replay,
		 "Do not show the last output again"),
	OPT_SET(0, "sig-proxy", sig_proxy, "BOOL",
		"Hand signals on to the command (true)"),
	OPT_END
};

static int attach_to(const struct attach_opts *o, const char *what)
{
	struct err e = { 0 };
	struct box_info info;
	struct attach a = { .out = true,
			    .err = true,
			    .proxy = !o->no_proxy,
			    .detach_keys = o->detach_keys };
	struct spec s;
	struct box b;
	int status;

	if (each_open(what, &info, &b, &e) < 0)
		return cmd_error(&e);
	spec_init(&s);
	status = each_running(&info, "attach to", &e);
	if (status == 0 && state_is(&info, "paused"))
		status = err_set(&e, EBUSY,
				 "box %s is paused: unpause it first", what);
	if (status == 0)
		status = box_load(&b, &s, &e);
	a.in = s.interactive && !o->no_stdin;
	a.tty = s.tty;
	if (!a.detach_keys)
		a.detach_keys = s.detach_keys;
	if (isatty(STDOUT_FILENO) && !o->no_replay)
		a.replay = REPLAY;
	if (status == 0)
		status = attach_box(&b, &a, &e);
	if (status < 0)
		status = cmd_error(&e);
	spec_fini(&s);
	state_close(&b);
	return status;
}

static int attach_main(const struct cmd *c, int argc, char **argv)
{
	struct attach_opts o = { 0 };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &o, &status);

	if (first < 0)
		return status;
	if (argc - first != 1) {
		err_set(&e, EINVAL, "'vial attach' needs one BOX");
		return cmd_misused(c, &e);
	}
	return attach_to(&o, argv[first]);
}

const struct cmd cmd_attach = {
	.name = "attach",
	.usage = "[OPTIONS] BOX",
	.summary = "Tie this terminal to the command of a box that runs.",
	.opts = opts,
	.mixed = true,
	.example = "vial attach job\n",
	.run = attach_main,
};
