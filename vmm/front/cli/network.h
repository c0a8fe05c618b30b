/* SPDX-License-Identifier: Apache-2.0 */
/* network.h - the commands of `vial network`. */
#pragma once

#include "cli/cmd.h"

extern const struct cmd cmd_network_connect, cmd_network_disconnect;
extern const struct cmd cmd_network_create, cmd_network_inspect, cmd_network_ls,
	cmd_network_prune, cmd_network_rm;
