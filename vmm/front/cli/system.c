/* SPDX-License-Identifier: Apache-2.0 */
/* Groups whose commands are elsewhere: docker's second names for them. */
#include "cli/system.h"

static const struct cmd *const system_commands[] = {
	&cmd_system_df, &cmd_events, &cmd_info, &cmd_system_prune, NULL,
};

const struct cmd cmd_system = {
	.name = "system",
	.usage = "COMMAND",
	.summary = "What all boxes take together, and tidying up.",
	.sub = system_commands,
	.example = "vial system df\n",
	.run = cmd_group,
};

static const struct cmd *const container_commands[] = {
	&cmd_attach, &cmd_commit,  &cmd_cp,    &cmd_create, &cmd_diff,
	&cmd_exec,   &cmd_inspect, &cmd_kill,  &cmd_logs,   &cmd_pause,
	&cmd_port,   &cmd_prune,   &cmd_ps,    &cmd_rename, &cmd_restart,
	&cmd_rm,     &cmd_run,	   &cmd_start, &cmd_stats,  &cmd_stop,
	&cmd_top,    &cmd_unpause, &cmd_wait,  NULL,
};

const struct cmd cmd_container = {
	.name = "container",
	.usage = "COMMAND",
	.summary = "The commands for boxes, as docker groups them.",
	.sub = container_commands,
	.example = "vial container ls --all\n",
	.run = cmd_group,
};
