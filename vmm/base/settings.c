/* SPDX-License-Identifier: Apache-2.0 */
#include "base/settings.h"

#include "base/toml.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Below a folder that a variable names. */
static bool below(const char *variable, const char *rest, char path[PATH_MAX])
{
	const char *dir = getenv(variable);

	return dir && *dir &&
	       snprintf(path, PATH_MAX, "%s%s", dir, rest) < PATH_MAX;
}

static json_t *nothing(struct err *e)
{
	json_t *o = json_object();

	if (o)
		e->code = 0;
	else
		err_set(e, ENOMEM, "out of memory");
	return o;
}

json_t *settings_load(struct err *e)
{
	char path[PATH_MAX];
	json_t *o = NULL;

	if (below("VIAL_CONF", "", path))
		return toml_read(path, e);
	e->code = ENOENT;
	if (below("XDG_CONFIG_HOME", "/vial/vial.conf", path) ||
	    below("HOME", "/.config/vial/vial.conf", path))
		o = toml_read(path, e);
	if (!o && e->code == ENOENT)
		o = toml_read("/etc/vial/vial.conf", e);
	return o || e->code != ENOENT ? o : nothing(e);
}
