/* SPDX-License-Identifier: Apache-2.0 */
/* system.h - the commands of `vial system`. */
#pragma once

#include "cli/cmd.h"

extern const struct cmd cmd_system_df, cmd_system_prune;
