/* SPDX-License-Identifier: Apache-2.0 */
/* volume.h - the commands of `vial volume`. */
#pragma once

#include "cli/cmd.h"
#include "cli/filter.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

extern const struct cmd cmd_volume_create, cmd_volume_grow, cmd_volume_inspect,
	cmd_volume_ls, cmd_volume_prune, cmd_volume_rm;

/* volume_inspect.c: as docker's inspect shows it. The caller owns it; NULL, and
 * the reason. */
json_t *volume_json(const char *name, struct err *e);

/* What nobody mounts and the filter lets through: all, or only those whose
 * name was made up. Says what it removed, as docker does, and adds the bytes of
 * the host's disk. One that comes into use meanwhile stays. */
int volume_prune(bool all, const struct filter *f, uint64_t *bytes,
		 struct err *e);
