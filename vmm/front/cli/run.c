/* SPDX-License-Identifier: Apache-2.0 */
/* vial run: a command in a box of its own. */
#include "base/auto.h"
#include "cli/box_opts.h"
#include "cli/boxspec.h"
#include "cli/cmd.h"
#include "cli/service.h"
#include "run/attach.h"
#include "box/create.h"
#include "run/detach.h"
#include "run/leave.h"
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct opt opts[] = {
	BOX_OPTS,
	OPT_GROUP("This run"),
	OPT_FLAG('d', "detach", struct spec, detach,
		 "Print the id of the box and leave it running"),
	OPT_STR(0, "detach-keys", struct spec, detach_keys, "KEYS",
		"What leaves it running (ctrl-p,ctrl-q)"),
	OPT_SET(0, "sig-proxy", spec_no_proxy, "BOOL",
		"Hand signals on to the command (true)"),
	OPT_LIST(0, "service", spec_service, "IMAGE[,KEY=VALUE]",
		 "A box beside it, on its network, that ends with it"),
	OPT_STR(0, "service-logs", struct spec, service_logs, "DIR",
		"Keep the output of services in DIR/ALIAS.log"),
	OPT_STR(0, "json", struct spec, json, "FILE",
		"Write the result, times and resource use to FILE ('-': "
		"stdout)"),
	OPT_FLAG('q', "quiet", struct spec, quiet,
		 "No word of ours on standard error"),
	OPT_END
};

static int open_json(const char *path, struct err *e)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return fd < 0 ? err_sys(e, "--json: %s", path) : fd;
}

static bool attached(const struct spec *s, const char *stream)
{
	for (size_t i = 0; i < s->attach.n; i++)
		if (strcasecmp(s->attach.v[i], stream) == 0)
			return true;
	return s->attach.n == 0;
}

/* Only now is there something to be found by the id. */
static int run_detached(const struct spec *s, struct err *e)
{
	struct box_info info;
	struct box b, again;
	int status;

	box_describe(&info, s);
	if (box_make(&b, &info, s, e) < 0)
		return cmd_fail(e);
	status = detach_run(s, &b, &info, e);
	if (status == 0) {
		printf("%s\n", info.id);
		return 0;
	}
	/* A brief box whose command never ran. */
	if (info.brief && state_open(&again, info.id, &(struct err){ 0 }) == 0)
		state_remove(&again);
	cmd_fail(e);
	return status;
}

static int run_spec(const struct spec *s, struct err *e)
{
	autoclose int json = s->json ? open_json(s->json, e) : -1;
	struct run_how how = { .no_in = !attached(s, "stdin"),
			       .no_out = !attached(s, "stdout"),
			       .no_err = !attached(s, "stderr") };
	struct report r;
	int status;

	if (s->json && json < 0)
		return cmd_fail(e);
	if (s->detach)
		return run_detached(s, e);
	if (leave_possible(s, !how.no_in)) {
		how.leavable = true;
		how.leave = leave_split(e);
	}
	if (how.leave < 0 || report_init(&r, s, e) < 0)
		return cmd_fail(e);
	run_box(s, &r, &how);
	if (!s->quiet)
		report_print(&r, STDERR_FILENO, !s->rm);
	status = r.status;
	if (json >= 0 && report_json(&r, s, json, e) < 0)
		status = cmd_fail(e);
	report_fini(&r);
	return status;
}

/* With what is to run beside it. */
static int run_all(struct spec *s, struct err *e)
{
	struct services services;
	int status;

	if (services_start(&services, s, e) < 0)
		return cmd_fail(e);
	status = run_spec(s, e);
	services_stop(&services);
	return status;
}

/* Whether the user's end of a terminal is one; of nobody's it need not be. */
static int check_tty(const struct spec *s, struct err *e)
{
	if (s->tty && s->interactive && !s->detach && attached(s, "stdin") &&
	    !isatty(STDIN_FILENO))
		return err_set(e, ENOTTY, "the input device is not a TTY");
	return 0;
}

static int run_main(const struct cmd *c, int argc, char **argv)
{
	struct spec s;
	struct err e = { 0 };
	int status, first;
	bool misused;

	spec_init(&s);
	first = cmd_parse(c, argc, argv, &s, &status);
	if (first < 0)
		;
	else if (boxspec_take(&s, argc - first, argv + first, &misused, &e) < 0)
		status = misused ? cmd_misused(c, &e) : cmd_fail(&e);
	else if (check_tty(&s, &e) < 0)
		status = cmd_misused(c, &e);
	else
		status = run_all(&s, &e);
	spec_fini(&s);
	return status;
}

const struct cmd cmd_run = {
	.name = "run",
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Run a command in a virtual machine of its own.",
	.opts = opts,
	.more = "IMAGE is a name ('vial images') or an ext4 file ('vial help images').\n"
		"It is never written: the box has a disk of its own above it, which\n"
		"--rm takes away in the end. -v is live; --copy-in and --copy-out\n"
		"copy. With -it, ctrl-p ctrl-q leaves the command running. The exit\n"
		"status is the command's: see 'vial help status'.\n",
	.example = "vial run --rm -v .:/src -w /src image.ext4 make test\n",
	.run = run_main,
};
