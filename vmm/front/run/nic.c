/* SPDX-License-Identifier: Apache-2.0 */
#include "run/nic.h"

#include "base/auto.h"
#include "base/log.h"
#include "box/control.h"
#include "guest/ask.h"

#include <string.h>

/* A guest that has something better to do is not waited for longer: neither
 * its output nor anybody's signals go on meanwhile. */
#define PATIENCE_MS 5000

static ProtobufCBinaryData bytes(uint8_t *raw, size_t len)
{
	return (ProtobufCBinaryData){ len, raw };
}

/* The others are behind the gateway, which is the only neighbour. */
static int tell_guest(const struct boxnet *n, int boxdir,
		      struct netinfo_late *at, struct err *e)
{
	Vial__Agent__AddLink m = VIAL__AGENT__ADD_LINK__INIT;
	Vial__Agent__Link link = VIAL__AGENT__LINK__INIT;
	Vial__Agent__Address a = VIAL__AGENT__ADDRESS__INIT;
	Vial__Agent__Address *addresses[] = { &a };
	Vial__Agent__Route way = VIAL__AGENT__ROUTE__INIT, *routes[] = { &way };
	uint8_t subnet[4];

	memcpy(subnet, at->gateway, sizeof(subnet));
	subnet[3] &= 0xfe; /* it is the first address */
	a.address = bytes(at->address, sizeof(at->address));
	a.prefix = at->prefix;
	a.routed = true;
	way.to = bytes(subnet, sizeof(subnet));
	way.prefix = at->prefix;
	way.gateway = bytes(at->gateway, sizeof(at->gateway));
	link.mac = bytes(at->mac, sizeof(at->mac));
	link.mtu = n->info.mtu;
	link.addresses = addresses;
	link.n_addresses = 1;
	link.routes = routes;
	link.n_routes = 1;
	m.device = at->device;
	m.link = &link;
	return ask_add_link(boxdir, PATIENCE_MS, &m, e);
}

static int plug(const struct boxnet *n, int boxdir, struct netinfo_late *at,
		int tap, struct err *e)
{
	Vial__Control__Plug it = VIAL__CONTROL__PLUG__INIT;
	Vial__Control__Plugged plugged;
	struct err ignored;

	it.mac = bytes(at->mac, sizeof(at->mac));
	it.mtu = n->info.mtu;
	it.rx_bytes = n->rx_bps;
	it.tx_bytes = n->tx_bps;
	if (control_plug(boxdir, tap, &it, &plugged, e) < 0)
		return -e->code;
	at->slot = plugged.slot;
	at->device = plugged.address;
	if (tell_guest(n, boxdir, at, e) == 0)
		return 0;
	control_unplug(boxdir, at->slot, &ignored);
	return -e->code;
}

int nic_join(struct boxnet *n, int boxdir, const char *network,
	     const struct netlate_who *who, struct err *e)
{
	autoclose int tap = -1;
	struct netinfo_late *at = netlate_join(n, network, who, &tap, e);
	char name[NETINFO_TEXT];
	struct err ignored;

	if (!at)
		return -e->code;
	if (plug(n, boxdir, at, tap, e) == 0)
		return 0;
	memcpy(name, at->network, sizeof(name));
	netlate_leave(n, name, &ignored);
	return -e->code;
}

/* Once: afterwards the slot may be another network's. */
static void unplug(int boxdir, struct netinfo_late *at)
{
	struct err why;

	if (!at->device)
		return;
	if (ask_remove_link(boxdir, PATIENCE_MS, at->device, &why) < 0)
		log_warn("network %s: the guest keeps a dead interface: %s",
			 at->network, why.msg);
	if (control_unplug(boxdir, at->slot, &why) < 0)
		log_warn("network %s: %s", at->network, why.msg);
	at->device = 0;
}

int nic_leave(struct boxnet *n, int boxdir, const char *network, struct err *e)
{
	struct netinfo_late *at = netlate_find(n, network, e);

	if (!at)
		return -e->code;
	unplug(boxdir, at);
	return netlate_leave(n, network, e);
}
