/* SPDX-License-Identifier: Apache-2.0 */
/* vial run: a command in a box of its own. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct opt opts[] = {
	OPT_SET(0, "artifact", spec_artifact, "GUEST[:DIR]",
		"Bring a path out when the command has ended, into DIR (.)"),
	OPT_SET(0, "cpus", spec_cpus, "N",
		"CPUs, rounded up (default: the host's, at most 8)"),
	OPT_FLAG('D', "debug", struct spec, debug,
		 "Keep the monitor's and the kernel's messages in the logs"),
	OPT_STR(0, "entrypoint", struct spec, entrypoint, "PROGRAM",
		"Put PROGRAM in front of the command ('' for none)"),
	OPT_SET('e', "env", spec_env, "NAME[=VALUE]",
		"Set a variable, or hand on the one that is set here"),
	OPT_SET(0, "env-file", spec_env_file, "FILE",
		"Variables from a file, one a line"),
	OPT_SET(0, "group-add", spec_group, "GROUP", "A further group"),
	OPT_SET('h', "hostname", spec_hostname, "NAME",
		"Host name in the guest (default: the box's id)"),
	OPT_FLAG('i', "interactive", struct spec, interactive,
		 "Hand standard input to the command"),
	OPT_STR(0, "json", struct spec, json, "FILE",
		"Write the result, times and resource use to FILE ('-': "
		"stdout)"),
	OPT_STR(0, "kernel", struct spec, kernel, "FILE",
		"Boot this kernel (vmlinux or bzImage)"),
	OPT_SET(0, "log-level", spec_log_level, "LEVEL",
		"error, warn, info or debug"),
	OPT_SET('m', "memory", spec_memory, "SIZE",
		"Memory, such as 256m or 2g (default: 512m)"),
	OPT_SET(0, "name", spec_name, "NAME", "Name of the box"),
	OPT_FLAG('q', "quiet", struct spec, quiet,
		 "No word of ours on standard error"),
	OPT_FLAG(0, "rm", struct spec, rm, "Keep nothing of the box"),
	OPT_SET(0, "shm-size", spec_shm, "SIZE",
		"Size of /dev/shm (default: 64m)"),
	OPT_SET(0, "stop-timeout", spec_grace, "TIME",
		"From SIGTERM to SIGKILL at a time-out (default: 10s)"),
	OPT_SET(0, "timeout", spec_timeout, "TIME",
		"End the command after TIME (10, 90s, 1h30m): status 124"),
	OPT_FLAG('t', "tty", struct spec, tty, "Give it a terminal"),
	OPT_SET(0, "ulimit", spec_ulimit, "NAME=SOFT[:HARD]",
		"A resource limit, such as nofile=1024"),
	OPT_SET('u', "user", spec_user, "USER[:GROUP]",
		"Run as this user of the guest (default: root)"),
	OPT_SET('v', "volume", spec_volume, "HOST:GUEST",
		"Copy a file or directory in before the command starts"),
	OPT_SET('w', "workdir", spec_cwd, "DIR",
		"Working directory, made when missing (default: /)"),
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

static int run_spec(const struct spec *s, struct err *e)
{
	autoclose int json = s->json ? open_json(s->json, e) : -1;
	struct report r;
	int status;

	if (s->json && json < 0)
		return cmd_fail(e);
	if (report_init(&r, s, e) < 0)
		return cmd_fail(e);
	run_box(s, &r);
	if (!s->quiet)
		report_print(&r, STDERR_FILENO, !s->rm);
	status = r.status;
	if (json >= 0 && report_json(&r, s, json, e) < 0)
		status = cmd_fail(e);
	report_fini(&r);
	return status;
}

static int run_main(const struct cmd *c, int argc, char **argv)
{
	struct spec s;
	struct err e = { 0 };
	int status, first;

	spec_init(&s);
	first = cmd_parse(c, argc, argv, &s, &status);
	if (first < 0)
		;
	else if (spec_command(&s, argc - first, argv + first, &e) < 0 ||
		 spec_check(&s, &e) < 0)
		status = cmd_misused(c, &e);
	else
		status = run_spec(&s, &e);
	spec_fini(&s);
	return status;
}

const struct cmd cmd_run = {
	.name = "run",
	.usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Run a command in a virtual machine of its own.",
	.opts = opts,
	.more = "IMAGE is a local ext4 file (see 'vial help images'); what the\n"
		"command writes to it is thrown away. -v copies: changes do not flow\n"
		"back, --artifact brings them out. The exit status is the command's:\n"
		"see 'vial help status'.\n",
	.run = run_main,
};
