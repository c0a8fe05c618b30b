/* SPDX-License-Identifier: Apache-2.0 */
/* vial - run commands in microVMs. The table of commands. */
#include "base/auto.h"
#include "base/log.h"
#include "cli/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cmd *const cmds[] = {
	&cmd_run,	 &cmd_create,  &cmd_start,     &cmd_exec,
	&cmd_attach,	 &cmd_stop,    &cmd_kill,      &cmd_restart,
	&cmd_pause,	 &cmd_unpause, &cmd_wait,      &cmd_rename,
	&cmd_ps,	 &cmd_inspect, &cmd_top,       &cmd_stats,
	&cmd_events,	 &cmd_logs,    &cmd_cp,	       &cmd_port,
	&cmd_rm,	 &cmd_prune,   &cmd_doctor,    &cmd_version,
	&cmd_completion, &cmd_images,  &cmd_image,     &cmd_load,
	&cmd_tag,	 &cmd_untag,   &cmd_rmi,       &cmd_history,
	&cmd_save,	 &cmd_import,  &cmd_volume,    &cmd_network,
	&cmd_system,	 &cmd_info,    &cmd_container, &cmd_pull,
	&cmd_push,	 &cmd_login,   &cmd_logout,    &cmd_commit,
	&cmd_diff,	 &cmd_build,   NULL,
};

static int unknown(const char *word)
{
	const char *names[ARRAY_LEN(cmds)] = { "help" }, *near;

	for (size_t i = 0; cmds[i]; i++)
		names[i + 1] = cmds[i]->name;
	near = opt_nearest(word, names, ARRAY_LEN(names));
	fprintf(stderr,
		"vial: '%s' is not a vial command%s%s%s\n"
		"See 'vial --help'.\n",
		word, near ? ": did you mean '" : "", near ? near : "",
		near ? "'?" : "");
	return CMD_FAILED;
}

/* Callers of docker read a number out of its answer and judge by it what they
 * may ask for (Jenkins: --workdir from 17.12 on). Under docker's name we say
 * whose words we speak. */
static int say_version(const char *self)
{
	const char *slash = self ? strrchr(self, '/') : NULL;

	if (self && strcmp(slash ? slash + 1 : self, "docker") == 0)
		return printf("Docker version %s, build vial-%s\n",
			      CMD_DOCKER_VERSION, VIAL_VERSION) < 0;
	return printf("vial version %s\n", VIAL_VERSION) < 0;
}

static int command(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "--help";

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return help_main(0, NULL);
	if (strcmp(word, "help") == 0)
		return help_main(argc - 2, argv + 2);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-v") == 0)
		return say_version(argv[0]);
	for (size_t i = 0; cmds[i]; i++)
		if (strcmp(word, cmds[i]->name) == 0)
			return cmds[i]->run(cmds[i], argc - 1, argv + 1);
	return unknown(word);
}

/* What we open must never be taken for a stream that is closed. There is
 * nothing to read then, nobody to complain to, and an output that fails. */
static void hold_streams(void)
{
	static const int how[] = { O_RDONLY, O_RDONLY, O_WRONLY };

	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", how[fd]) < 0)
			exit(CMD_FAILED);
}

/* An answer that did not arrive is an error, unless its reader has left. */
static int answered(int status)
{
	bool bad = fflush(stdout) != 0 || ferror(stdout);

	if (!bad || status != 0)
		return status;
	if (errno != EPIPE)
		fprintf(stderr, "vial: write: %s\n",
			errno ? strerror(errno) : "failed");
	return CMD_ERROR;
}

int main(int argc, char **argv)
{
	hold_streams();
	log_init("vial", LOG_WARN);
	return answered(command(argc, argv));
}
