/* SPDX-License-Identifier: Apache-2.0 */
#include "box/netinfo.h"

#include "base/auto.h"
#include "spec/json.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME "net.json"
#define FILE_MAX (4u << 20)

char *netinfo_dotted(const uint8_t raw[4], char *out)
{
	snprintf(out, NETINFO_TEXT, "%u.%u.%u.%u", raw[0], raw[1], raw[2],
		 raw[3]);
	return out;
}

char *netinfo_colons(const uint8_t raw[16], char *out)
{
	inet_ntop(AF_INET6, raw, out, NETINFO_TEXT);
	return out;
}

char *netinfo_mac(const uint8_t m[NETINFO_MAC], char *out)
{
	snprintf(out, NETINFO_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
		 m[2], m[3], m[4], m[5]);
	return out;
}

static json_t *late_json(const struct netinfo *n)
{
	char address[NETINFO_TEXT], gateway[NETINFO_TEXT], mac[NETINFO_TEXT];
	json_t *a = json_array();

	for (size_t i = 0; i < NETINFO_LATE; i++) {
		const struct netinfo_late *l = &n->late[i];

		json_array_append_new(
			a, json_pack("{ss ss ss ss si}", "network", l->network,
				     "address",
				     netinfo_dotted(l->address, address),
				     "gateway",
				     netinfo_dotted(l->gateway, gateway), "mac",
				     netinfo_mac(l->mac, mac), "prefix",
				     (int)l->prefix));
	}
	return a;
}

int netinfo_write(const struct netinfo *n, const struct box *b, struct err *e)
{
	char text[4][NETINFO_TEXT];
	json_t *o = json_pack("{ss ss ss ss ss ss si si so}", "mode", n->mode,
			      "network", n->network, "mac",
			      netinfo_mac(n->mac, text[0]), "guest",
			      netinfo_dotted(n->guest, text[1]), "gateway",
			      netinfo_dotted(n->gateway, text[2]), "resolver",
			      netinfo_dotted(n->resolver, text[3]), "prefix",
			      (int)n->prefix, "mtu", (int)n->mtu, "ports",
			      spec_json_ports(&n->ports));
	autofree char *json;

	if (o && n->prefix6) {
		json_object_set_new(
			o, "guest6",
			json_string(netinfo_colons(n->guest6, text[0])));
		json_object_set_new(
			o, "gateway6",
			json_string(netinfo_colons(n->gateway6, text[0])));
		json_object_set_new(o, "prefix6", json_integer(n->prefix6));
	}
	if (o)
		json_object_set_new(o, "late", late_json(n));
	json = o ? json_dumps(o, JSON_COMPACT) : NULL;

	json_decref(o);
	if (!json)
		return err_set(e, ENOMEM, "out of memory");
	return state_put(b, FILE_NAME, json, e);
}

static void get(const json_t *o, const char *key, int family, uint8_t *raw)
{
	const char *text = json_string_value(json_object_get(o, key));

	if (!text || inet_pton(family, text, raw) != 1)
		memset(raw, 0, family == AF_INET ? 4 : 16);
}

static void get_mac(const json_t *o, uint8_t m[NETINFO_MAC])
{
	const char *text = json_string_value(json_object_get(o, "mac"));

	if (!text || sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1],
			    &m[2], &m[3], &m[4], &m[5]) != NETINFO_MAC)
		memset(m, 0, NETINFO_MAC);
}

/* In the places that they have. */
static void read_late(struct netinfo *n, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		struct netinfo_late *l = &n->late[i];
		const char *name =
			json_string_value(json_object_get(one, "network"));

		if (i >= NETINFO_LATE)
			break;
		snprintf(l->network, sizeof(l->network), "%s",
			 name ? name : "");
		get(one, "address", AF_INET, l->address);
		get(one, "gateway", AF_INET, l->gateway);
		get_mac(one, l->mac);
		l->prefix = (unsigned)json_integer_value(
			json_object_get(one, "prefix"));
	}
}

const struct netinfo_late *netinfo_find(const struct netinfo *n,
					const char *network)
{
	for (size_t i = 0; i < NETINFO_LATE; i++)
		if (strcmp(n->late[i].network, network) == 0)
			return &n->late[i];
	return NULL;
}

void netinfo_read(struct netinfo *n, const struct box *b)
{
	autofree char *text = state_slurp(b, FILE_NAME, FILE_MAX);
	json_t *o = text ? json_loads(text, 0, NULL) : NULL;
	const char *mode = json_string_value(json_object_get(o, "mode"));
	const char *network = json_string_value(json_object_get(o, "network"));
	struct err ignored;
	json_t *port;
	size_t i;

	*n = (struct netinfo){ .prefix = 0 };
	if (network)
		snprintf(n->network, sizeof(n->network), "%s", network);
	if (mode)
		snprintf(n->mode, sizeof(n->mode), "%s", mode);
	get_mac(o, n->mac);
	get(o, "guest", AF_INET, n->guest);
	get(o, "gateway", AF_INET, n->gateway);
	get(o, "resolver", AF_INET, n->resolver);
	get(o, "guest6", AF_INET6, n->guest6);
	get(o, "gateway6", AF_INET6, n->gateway6);
	n->prefix6 =
		(unsigned)json_integer_value(json_object_get(o, "prefix6"));
	read_late(n, json_object_get(o, "late"));
	n->prefix = (unsigned)json_integer_value(json_object_get(o, "prefix"));
	n->mtu = (unsigned)json_integer_value(json_object_get(o, "mtu"));
	json_array_foreach(json_object_get(o, "ports"), i, port)
	{
		if (json_is_string(port))
			spec_ports_add(&n->ports, json_string_value(port),
				       &ignored);
	}
	json_decref(o);
}

void netinfo_fini(struct netinfo *n)
{
	spec_ports_fini(&n->ports);
}
