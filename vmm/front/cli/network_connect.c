/* SPDX-License-Identifier: Apache-2.0 */
/* vial network connect, disconnect: of boxes that run, by their keeper, and of
 * those that do not, by their record. */
#include "base/auto.h"
#include "box/create.h"
#include "box/network.h"
#include "cli/each.h"
#include "cli/network.h"
#include "run/keep.h"
#include "spec/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define CONFIG "config.json"
#define CONFIG_MAX (8u << 20)

struct connect {
	struct strv aliases;
	const char *ip;
	bool force;
};

static int add_alias(void *what, const char *text, struct err *e)
{
	if (strv_add(&((struct connect *)what)->aliases, text) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

static const struct opt connect_opts[] = {
	OPT_LIST(0, "alias", add_alias, "NAME",
		 "A further name by which the others there know it"),
	OPT_STR(0, "ip", struct connect, ip, "ADDRESS", "Its address there"),
	OPT_END
};

static const struct opt disconnect_opts[] = {
	OPT_FLAG('f', "force", struct connect, force,
		 "Of no meaning: what can be left is left"),
	OPT_END
};

/* ---- its record ---- */

static json_t *list(const struct strv *v)
{
	json_t *a = json_array();

	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(a, json_string(v->v[i]));
	return a;
}

/* network NULL: the default. */
static int rewrite(const struct box *b, const char *network,
		   const struct connect *c, struct err *e)
{
	autofree char *text = state_slurp(b, CONFIG, CONFIG_MAX), *out = NULL;
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;
	struct spec s;
	int r;

	json_object_set_new(o, "network",
			    network ? json_string(network) : json_null());
	json_object_set_new(o, "ip", c->ip ? json_string(c->ip) : json_null());
	json_object_set_new(o, "aliases", list(&c->aliases));
	out = o ? json_dumps(o, JSON_COMPACT) : NULL;
	/* What would not be read again is not written. */
	r = out ? spec_from_json(&s, o, e)
		: err_set(e, EINVAL, "box %.12s: its record is damaged", b->id);
	if (out)
		spec_fini(&s);
	json_decref(o);
	return r < 0 ? r : state_put(b, CONFIG, out, e);
}

/* A box of that name. One that does not run is locked: nobody starts it
 * meanwhile. */
static int take(const char *what, struct box *b, bool *runs, struct err *e)
{
	struct box_info info;

	if (each_open(what, &info, b, e) < 0)
		return -e->code;
	*runs = info.alive;
	if (info.alive || state_lock(b, e) == 0)
		return 0;
	state_close(b);
	return -e->code;
}

/* ---- its keeper ---- */

static int ask(const struct box *b, const char *network, bool join,
	       const struct connect *c, struct err *e)
{
	Vial__Keep__Network n = VIAL__KEEP__NETWORK__INIT;
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;

	n.name = (char *)(uintptr_t)network;
	n.leave = !join;
	n.ip = (char *)(uintptr_t)(c->ip ? c->ip : "");
	n.aliases = c->aliases.v;
	n.n_aliases = c->aliases.n;
	m.op_case = VIAL__KEEP__CALL__OP_NETWORK;
	m.network = &n;
	return keep_ask(b->dir, &m, e);
}

static int check(const struct connect *c, struct err *e)
{
	struct spec s;
	int r = 0;

	spec_init(&s);
	if (c->ip && spec_ip(&s, c->ip, e) < 0)
		r = err_wrap(e, "--ip");
	for (size_t i = 0; r == 0 && i < c->aliases.n; i++)
		if (spec_alias(&s, c->aliases.v[i], e) < 0)
			r = err_wrap(e, "--alias");
	spec_fini(&s);
	return r;
}

static int change(const char *network, const char *what, bool join,
		  const struct connect *c, struct err *e)
{
	struct network n;
	struct spec s;
	struct box b;
	bool runs = false;
	int r;

	if (check(c, e) < 0 || network_get(network, &n, e) < 0)
		return -e->code;
	r = take(what, &b, &runs, e);
	if (r == 0 && runs) {
		r = ask(&b, n.name, join, c, e);
		if (r < 0)
			err_wrap(e, "box %s", what);
		state_close(&b);
	} else if (r == 0) {
		r = box_load(&b, &s, e);
		if (r == 0 && !join &&
		    (!s.network || !network_called(&n, s.network)))
			r = err_set(e, ENOENT, "box %s is not on network %s",
				    what, n.name);
		spec_fini(&s);
		if (r == 0)
			r = rewrite(&b, join ? n.name : NULL, c, e);
		state_close(&b);
	}
	network_fini(&n);
	return r;
}

static int main_of(const struct cmd *c, int argc, char **argv, bool join)
{
	struct connect o = { .ip = NULL };
	struct err e = { 0 };
	int status, first = cmd_parse(c, argc, argv, &o, &status);

	if (first >= 0 && argc - first != 2) {
		err_set(&e, EINVAL, "'vial %s' needs a NETWORK and a BOX",
			c->name);
		status = cmd_misused(c, &e);
	} else if (first >= 0) {
		status = change(argv[first], argv[first + 1], join, &o, &e) < 0
			       ? cmd_error(&e)
			       : 0;
	}
	strv_fini(&o.aliases);
	return status;
}

static int connect_main(const struct cmd *c, int argc, char **argv)
{
	return main_of(c, argc, argv, true);
}

static int disconnect_main(const struct cmd *c, int argc, char **argv)
{
	return main_of(c, argc, argv, false);
}

const struct cmd cmd_network_connect = {
	.name = "network connect",
	.usage = "[OPTIONS] NETWORK BOX",
	.summary = "Put a box on a network of several boxes.",
	.opts = connect_opts,
	.mixed = true,
	.example = "vial network connect ci db\n",
	.run = connect_main,
};

const struct cmd cmd_network_disconnect = {
	.name = "network disconnect",
	.usage = "[OPTIONS] NETWORK BOX",
	.summary = "Take a box from a network of several boxes.",
	.opts = disconnect_opts,
	.mixed = true,
	.example = "vial network disconnect ci db\n",
	.run = disconnect_main,
};
