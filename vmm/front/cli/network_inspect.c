/* SPDX-License-Identifier: Apache-2.0 */
/* vial network inspect: all there is to know about networks. */
#include "base/auto.h"
#include "box/netinfo.h"
#include "box/network.h"
#include "cli/boxjson.h"
#include "cli/human.h"
#include "cli/look.h"
#include "cli/network.h"

#include <errno.h>

static const struct opt opts[] = LOOK_OPTS;

/* Those that run, as docker has it. */
static json_t *containers(const struct network *n)
{
	autofree struct network_user *users = NULL;
	json_t *o = json_object();
	struct err ignored;
	size_t count = 0;

	if (network_users(n, &users, &count, &ignored) < 0)
		return o;
	for (size_t i = 0; i < count; i++)
		if (users[i].runs)
			json_object_set_new(
				o, users[i].id,
				json_pack("{s:s s:s s:o}", "Name",
					  users[i].name, "MacAddress",
					  users[i].mac, "IPv4Address",
					  json_sprintf("%s/%u",
						       users[i].address,
						       n->prefix)));
	return o;
}

static json_t *describe(const struct network *n)
{
	char created[HUMAN_MAX], subnet[NETINFO_TEXT];

	return json_pack(
		"{s:s s:s s:s s:s s:s s:b s:{s:s s:[{s:o}]} s:b s:o s:o}",
		"Name", n->name, "Id", n->id, "Created",
		human_rfc3339(n->created / 1000, 0, created), "Scope", "local",
		"Driver", "bridge", "EnableIPv6", 0, "IPAM", "Driver",
		"default", "Config", "Subnet",
		json_sprintf("%s/%u", netinfo_dotted(n->subnet, subnet),
			     n->prefix),
		"Internal", (int)n->internal, "Containers", containers(n),
		"Labels", boxjson_labels(&n->labels));
}

static json_t *look(void *arg, const char *what, struct err *e)
{
	struct network n;
	json_t *o;

	(void)arg;
	if (network_get(what, &n, e) < 0)
		return NULL;
	o = describe(&n);
	network_fini(&n);
	if (!o)
		err_set(e, ENOMEM, "out of memory");
	return o;
}

static int inspect_main(const struct cmd *c, int argc, char **argv)
{
	return look_main(c, argc, argv, "a NETWORK", look);
}

const struct cmd cmd_network_inspect = {
	.name = "network inspect",
	.usage = "[OPTIONS] NETWORK...",
	.summary = "Show all there is to know about networks, as JSON.",
	.opts = opts,
	.mixed = true,
	.example = "vial network inspect ci\n",
	.run = inspect_main,
};
