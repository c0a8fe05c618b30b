/* SPDX-License-Identifier: Apache-2.0 */
/* cmd.h - what a command of `vial` is. */
#pragma once

#include "base/err.h"
#include "cli/opt.h"

#include <stddef.h>

struct cmd {
	const char *name;
	const char *usage;   /* behind "vial NAME " */
	const char *summary; /* one line */
	const struct opt *opts;
	const char *more;    /* end of the help; may be NULL */
	const char *example; /* lines that work as typed; may be NULL */
	/* Options are also found behind words. Not for commands that hand
	 * words on, such as run and exec. */
	bool mixed;
	/* A group: its commands, NULL behind the last. Their names are whole
	 * ("volume create"), and run is cmd_group(). */
	const struct cmd *const *sub;
	/* argv[0] is the command's name. Returns the exit status. */
	int (*run)(const struct cmd *c, int argc, char **argv);
};

/* The docker whose words and answers ours are. */
#define CMD_DOCKER_VERSION "20.10.24"
#define CMD_DOCKER_API "1.41"

/* Exit status of everything that is vial's own fault or the user's. */
#define CMD_FAILED 125

/* And of what a command could not do to one of its boxes, as docker has it. */
#define CMD_ERROR 1

extern const struct cmd cmd_run, cmd_create, cmd_start, cmd_exec, cmd_attach,
	cmd_stop, cmd_kill, cmd_restart, cmd_pause, cmd_unpause, cmd_wait,
	cmd_rename, cmd_ps, cmd_logs, cmd_rm, cmd_doctor, cmd_version;

extern const struct cmd cmd_diff, cmd_port, cmd_completion, cmd_cp;
extern const struct cmd cmd_inspect;

extern const struct cmd cmd_events, cmd_top, cmd_stats, cmd_prune;
extern const struct cmd cmd_volume, cmd_network, cmd_system, cmd_container,
	cmd_info;

extern const struct cmd cmd_images, cmd_image, cmd_load, cmd_rmi, cmd_tag,
	cmd_untag, cmd_history, cmd_save, cmd_import, cmd_pull, cmd_push,
	cmd_login, cmd_logout, cmd_commit, cmd_build;
extern const struct cmd cmd_image_ls, cmd_image_load, cmd_image_rm,
	cmd_image_tag, cmd_image_history, cmd_image_save, cmd_image_import,
	cmd_image_pull, cmd_image_push, cmd_image_build;

/* All of them, NULL behind the last. */
extern const struct cmd *const cmds[];

/* Parses by the command's table. Returns the index of the first word that is
 * no option. When the command is over (help was asked for, or a mistake was
 * reported) it returns -1 and sets *status. */
int cmd_parse(const struct cmd *c, int argc, char **argv, void *what,
	      int *status);
/* Of all, the one that the word calls: the last word of its name. */
const struct cmd *cmd_find(const struct cmd *const *all, const char *word);
/* run of a group: hands on to the command that argv[1] calls. */
int cmd_group(const struct cmd *c, int argc, char **argv);
/* "vial: ..." on standard error, and CMD_FAILED. */
int cmd_fail(const struct err *e);
/* The same, and CMD_ERROR. */
int cmd_error(const struct err *e);
/* The same; what is not there is told in docker's words: "Error: No such". */
int cmd_no_such(const struct err *e);
/* "vial: ...", CMD_FAILED, and a line that points to the command's help. */
int cmd_misused(const struct cmd *c, const struct err *e);
void cmd_help(const struct cmd *c);

/* help.c: `vial help [COMMAND|TOPIC]`. */
int help_main(int argc, char **argv);
