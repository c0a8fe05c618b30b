/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - vial.conf: what a user or the host's owner set once.
 *
 * TOML, a table for each part of vial; vial.conf(5) has them all. The file is
 * VIAL_CONF, else vial/vial.conf below XDG_CONFIG_HOME (~/.config), else
 * /etc/vial/vial.conf: the first that is there, as a whole. Command lines come
 * before it. */
#pragma once

#include "base/err.h"

#include <jansson.h>

/* The caller's; an empty object when there is no file. NULL: one that cannot
 * be read, and the reason with its name. */
json_t *settings_load(struct err *e);
