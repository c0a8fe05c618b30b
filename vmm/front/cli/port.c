/* SPDX-License-Identifier: Apache-2.0 */
/* vial port: which ports of a box the host has. */
#include "base/auto.h"
#include "box/netinfo.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/portrow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct opt none[] = { OPT_END };

/* "80" or "80/udp"; 0: neither. */
static unsigned wanted(const char *text, bool *udp)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	*udp = strcmp(end, "/udp") == 0;
	if (end == text || port > UINT16_MAX ||
	    (*end && !*udp && strcmp(end, "/tcp") != 0))
		return 0;
	return (unsigned)port;
}

static int print_one(const struct netinfo *n, const char *what,
		     const char *port, struct err *e)
{
	unsigned any = 0, number;
	bool udp;

	number = wanted(port, &udp);
	if (number == 0)
		return err_set(e, EINVAL, "'%s' is not a port", port);
	for (size_t i = 0; i < n->ports.n; i++) {
		const struct spec_port *p = &n->ports.v[i];

		if (p->guest != number || p->udp != udp)
			continue;
		printf("%s:%u\n", portrow_address(p), p->host);
		any++;
	}
	if (any)
		return 0;
	return err_set(e, ENOENT, "No public port '%u/%s' published for %s",
		       number, udp ? "udp" : "tcp", what);
}

static int port_of(const char *what, const char *port, struct err *e)
{
	struct box_info info;
	struct netinfo n;
	struct box b;
	int r = 0;

	if (each_open(what, &info, &b, e) < 0)
		return -e->code;
	portrow_read(&n, &info, &b);
	state_close(&b);
	if (port)
		r = print_one(&n, what, port, e);
	else
		for (size_t i = 0; i < n.ports.n; i++)
			printf("%u/%s -> %s:%u\n", n.ports.v[i].guest,
			       n.ports.v[i].udp ? "udp" : "tcp",
			       portrow_address(&n.ports.v[i]),
			       n.ports.v[i].host);
	netinfo_fini(&n);
	return r;
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
	.more = "A box has them while it runs.\n",
	.example = "vial port job 80/tcp\n",
	.run = port_main,
};
