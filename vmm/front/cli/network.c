/* SPDX-License-Identifier: Apache-2.0 */
/* vial network: create, rm, prune, and the group of all its commands. */
#include "cli/network.h"

#include "base/auto.h"
#include "box/network.h"
#include "cli/each.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- create ---- */

struct create {
	struct network net;
	const char *subnet;
};

static int set_label(void *what, const char *value, struct err *e)
{
	struct create *c = what;

	if (strv_add(&c->net.labels, value) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

static int set_driver(void *what, const char *value, struct err *e)
{
	(void)what;
	if (strcmp(value, "bridge") == 0)
		return 0;
	return err_set(e, EINVAL, "'%s': there is only bridge", value);
}

static const struct opt create_opts[] = {
	OPT_STR(0, "subnet", struct create, subnet, "ADDRESS/BITS",
		"Its addresses (default: a free one of 10.214.0.0/16)"),
	OPT_FLAG(0, "internal", struct create, net.internal,
		 "No way out but to each other"),
	OPT_LIST(0, "label", set_label, "NAME=VALUE", "Mark it"),
	OPT_SET('d', "driver", set_driver, "NAME", "bridge, and nothing else"),
	OPT_END
};

static int create_one(struct create *c, const char *name, struct err *e)
{
	if (strlen(name) > NETWORK_NAME_MAX)
		return err_set(e, EINVAL,
			       "the name of a network has at most "
			       "%d characters",
			       NETWORK_NAME_MAX);
	snprintf(c->net.name, sizeof(c->net.name), "%s", name);
	return network_create(&c->net, c->subnet, e);
}

static int create_main(const struct cmd *c, int argc, char **argv)
{
	struct create o = { .subnet = NULL };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &o, &status);

	if (first < 0)
		return status;
	if (argc - first != 1) {
		err_set(&e, EINVAL, "'vial network create' needs a NAME");
		status = cmd_misused(c, &e);
	} else if (create_one(&o, argv[first], &e) < 0) {
		status = cmd_error(&e);
	} else {
		printf("%s\n", o.net.id);
		status = fflush(stdout) == 0 ? 0 : CMD_ERROR;
	}
	network_fini(&o.net);
	return status;
}

const struct cmd cmd_network_create = {
	.name = "network create",
	.usage = "[OPTIONS] NAME",
	.summary = "Make a network of several boxes.",
	.opts = create_opts,
	.mixed = true,
	.example = "vial network create ci\n"
		   "vial run -d --name db --network ci postgres:16\n",
	.run = create_main,
};

/* ---- rm ---- */

static const struct opt no_opts[] = { OPT_END };

static int remove_one(void *arg, const char *name, struct err *e)
{
	autofree struct network_user *users = NULL;
	struct network n;
	size_t count;
	int r;

	(void)arg;
	if (network_get(name, &n, e) < 0)
		return -e->code;
	r = network_users(&n, &users, &count, e);
	for (size_t i = 0; r == 0 && i < count; i++)
		if (users[i].runs)
			r = err_set(e, EBUSY,
				    "network %s has active endpoints: box %s",
				    n.name, users[i].name);
	if (r == 0)
		r = network_remove(&n, e);
	network_fini(&n);
	return r;
}

static int rm_main(const struct cmd *c, int argc, char **argv)
{
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, NULL, &status);

	if (first < 0)
		return status;
	if (first == argc) {
		err_set(&e, EINVAL, "'vial network rm' needs a NETWORK");
		return cmd_misused(c, &e);
	}
	return each_box(argv + first, argc - first, remove_one, NULL);
}

const struct cmd cmd_network_rm = {
	.name = "network rm",
	.usage = "NETWORK...",
	.summary = "Remove networks that no running box is on.",
	.opts = no_opts,
	.mixed = true,
	.example = "vial network rm ci\n",
	.run = rm_main,
};

/* ---- prune ---- */

struct prune {
	bool force;
};

static const struct opt prune_opts[] = {
	OPT_FLAG('f', "force", struct prune, force,
		 "Ask nothing (it never does)"),
	OPT_END
};

/* One that no box names, whether it runs or not. */
static int prune_one(const char *name, bool *said, struct err *e)
{
	autofree struct network_user *users = NULL;
	struct network n;
	size_t count = 0;
	int r;

	if (network_get(name, &n, e) < 0)
		return e->code == ENOENT ? 0 : -e->code;
	r = network_users(&n, &users, &count, e);
	if (r == 0 && count == 0) {
		r = network_remove(&n, e);
		if (r == 0)
			printf("%s%s\n", *said ? "" : "Deleted Networks:\n",
			       n.name);
		*said = true;
	}
	network_fini(&n);
	return r;
}

static int prune_main(const struct cmd *c, int argc, char **argv)
{
	struct prune p = { .force = false };
	struct strv names = { 0 };
	struct err e = { 0 };
	bool said = false;
	int status, r, first = cmd_parse(c, argc, argv, &p, &status);

	if (first < 0)
		return status;
	r = network_names(&names, &e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = prune_one(names.v[i], &said, &e);
	strv_fini(&names);
	return r < 0 ? cmd_error(&e) : 0;
}

const struct cmd cmd_network_prune = {
	.name = "network prune",
	.usage = "[OPTIONS]",
	.summary = "Remove the networks that no box names.",
	.opts = prune_opts,
	.mixed = true,
	.example = "vial network prune\n",
	.run = prune_main,
};

static const struct cmd *const commands[] = {
	&cmd_network_connect,	 &cmd_network_create,
	&cmd_network_disconnect, &cmd_network_inspect,
	&cmd_network_ls,	 &cmd_network_prune,
	&cmd_network_rm,	 NULL,
};

const struct cmd cmd_network = {
	.name = "network",
	.usage = "COMMAND",
	.summary = "Make, list and remove networks of several boxes.",
	.sub = commands,
	.example = "vial network create ci\n",
	.run = cmd_group,
};
