/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/portrow.h"

#include "base/auto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void portrow_read(struct netinfo *n, const struct box_info *info,
		  const struct box *b)
{
	*n = (struct netinfo){ .prefix = 0 };
	if (state_is(info, "running") || state_is(info, "paused"))
		netinfo_read(n, b);
}

static const char *address_of(const struct spec_port *p)
{
	return *p->address ? p->address : "0.0.0.0";
}

char *portrow_at(const struct spec_port *p, char *text)
{
	const char *address = address_of(p);
	bool six = strchr(address, ':') != NULL;

	snprintf(text, SPEC_PORT_TEXT, "%s%s%s:%u", six ? "[" : "", address,
		 six ? "]" : "", p->host);
	return text;
}

static const char *proto(const struct spec_port *p)
{
	return p->udp ? "udp" : "tcp";
}

static bool has(const struct spec_ports *list, const struct spec_port *p)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].guest == p->guest && list->v[i].udp == p->udp)
			return true;
	return false;
}

/* How many ports from v[i] on are a range. */
static size_t run_of(const struct spec_ports *p, size_t i)
{
	size_t n = 1;

	while (i + n < p->n && p->v[i + n].udp == p->v[i].udp &&
	       strcmp(p->v[i + n].address, p->v[i].address) == 0 &&
	       p->v[i + n].guest == p->v[i].guest + n &&
	       p->v[i + n].host == p->v[i].host + n)
		n++;
	return n;
}

static void put_run(FILE *f, const struct spec_port *p, size_t n)
{
	size_t more = n - 1;
	char text[SPEC_PORT_TEXT];

	fputs(portrow_at(p, text), f);
	if (more)
		fprintf(f, "-%zu", p->host + more);
	fprintf(f, "->%u", p->guest);
	if (more)
		fprintf(f, "-%zu", p->guest + more);
	fprintf(f, "/%s", proto(p));
}

char *portrow_text(const struct netinfo *n, const struct spec *s)
{
	const char *sep = "";
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	for (size_t i = 0; i < n->ports.n; i += run_of(&n->ports, i)) {
		fputs(sep, f);
		put_run(f, &n->ports.v[i], run_of(&n->ports, i));
		sep = ", ";
	}
	/* Without a network there is nothing to come in by. */
	for (size_t i = 0; *n->mode && i < s->expose.n; i++)
		if (!has(&n->ports, &s->expose.v[i])) {
			fprintf(f, "%s%u/%s", sep, s->expose.v[i].guest,
				proto(&s->expose.v[i]));
			sep = ", ";
		}
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static void key_of(const struct spec_port *p, char key[16])
{
	snprintf(key, 16, "%u/%s", p->guest, proto(p));
}

static void bind(json_t *o, const struct spec_port *p, const char *address)
{
	char key[16], host[8] = "";
	json_t *list;

	key_of(p, key);
	list = json_object_get(o, key);
	if (!json_is_array(list)) {
		list = json_array();
		json_object_set_new(o, key, list);
	}
	if (p->host)
		snprintf(host, sizeof(host), "%u", p->host);
	json_array_append_new(list, json_pack("{ssss}", "HostIp", address,
					      "HostPort", host));
}

json_t *portrow_ports(const struct spec_ports *p, const struct spec *s)
{
	json_t *o = json_object();
	char key[16];

	for (size_t i = 0; i < p->n; i++)
		bind(o, &p->v[i], address_of(&p->v[i]));
	for (size_t i = 0; i < s->expose.n; i++) {
		key_of(&s->expose.v[i], key);
		if (!json_object_get(o, key))
			json_object_set_new(o, key, json_null());
	}
	return o;
}

json_t *portrow_bindings(const struct spec *s)
{
	json_t *o = json_object();

	for (size_t i = 0; i < s->publish.n; i++)
		bind(o, &s->publish.v[i], s->publish.v[i].address);
	return o;
}

json_t *portrow_exposed(const struct spec *s)
{
	const struct spec_ports *const all[] = { &s->publish, &s->expose };
	json_t *o = json_object();
	char key[16];

	for (size_t l = 0; l < ARRAY_LEN(all); l++)
		for (size_t i = 0; i < all[l]->n; i++) {
			key_of(&all[l]->v[i], key);
			json_object_set_new(o, key, json_object());
		}
	return o;
}
