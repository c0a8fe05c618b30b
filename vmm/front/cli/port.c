/* SPDX-License-Identifier: Apache-2.0 */
/* vial port: which ports of a box the host has. None, as long as a guest has
 * no network; docker's callers ask nevertheless. */
#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/each.h"

#include <errno.h>
#include <string.h>

static const struct opt none[] = { OPT_END };

static int port_of(const char *what, const char *port, struct err *e)
{
	struct box_info info;
	struct box b;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	state_close(&b);
	if (port)
		return err_set(e, ENOENT, "No public port '%s%s' of %s", port,
			       strchr(port, '/') ? "" : "/tcp", what);
	return 0;
}

static int port_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &e, &status);

	if (first < 0)
		return status;
	if (argc - first != 1 && argc - first != 2) {
		err_set(&e, EINVAL,
			"'vial port' needs a BOX, and may be given "
			"a PORT");
		return cmd_misused(c, &e);
	}
	if (port_of(argv[first], argv[first + 1], &e) < 0)
		return cmd_error(&e);
	return 0;
}

const struct cmd cmd_port = {
	.name = "port",
	.usage = "BOX [PORT[/PROTO]]",
	.summary = "List the ports of a box that the host has.",
	.opts = none,
	.more = "A guest has no network yet, so there are none.\n",
	.example = "vial port job\n",
	.run = port_main,
};
