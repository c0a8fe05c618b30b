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
	char text[SPEC_PORT_TEXT];
	bool udp;

	number = wanted(port, &udp);
	if (number == 0)
		return err_set(e, EINVAL, "'%s' is not a port", port);
	for (size_t i = 0; i < n->ports.n; i++) {
		const struct spec_port *p = &n->ports.v[i];

		if (p->guest != number || p->udp != udp)
			continue;
		puts(portrow_at(p, text));
		any++;
	}
	if (any)
		return 0;
	return err_set(e, ENOENT, "No public port '%u/%s' published for %s",
		       number, udp ? "udp" : "tcp", what);
}

/* Those of one port of the guest's together. */
static int by_guest(const void *a, const void *b)
{
	const struct spec_port *p = a, *q = b;

	if (p->guest != q->guest)
		return p->guest - q->guest;
	if (p->udp != q->udp)
		return p->udp - q->udp;
	return strcmp(p->address, q->address);
}

static void print_all(struct spec_ports *p)
{
	char text[SPEC_PORT_TEXT];

	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), by_guest);
	for (size_t i = 0; i < p->n; i++)
		printf("%u/%s -> %s\n", p->v[i].guest,
		       p->v[i].udp ? "udp" : "tcp", portrow_at(&p->v[i], text));
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
		print_all(&n.ports);
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
