/* SPDX-License-Identifier: Apache-2.0 */
#include "net/lan.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "jail/ids.h"
#include "net/meet.h"
#include "net/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ID_SHOWN 16

int lan_place_open(struct lan_place *p, const char *path, struct err *e)
{
	bool root = ids_choose() == IDS_OWN;

	p->folder = meet_folder(root ? POOL_DIR : path, e);
	if (p->folder >= 0 && (root || roof_take(&p->roof, p->folder, e) == 0))
		return 0;
	lan_place_fini(p);
	return -e->code;
}

void lan_place_fini(struct lan_place *p)
{
	roof_fini(&p->roof);
	if (p->folder >= 0)
		close(take_fd(&p->folder));
}

static int reach(const struct lan_place *at, const char *id, const char *subnet,
		 struct err *e)
{
	const char *const argv[] = { "vial-netd", "lan", subnet, NULL };
	const int more[] = { at->roof.ns, at->roof.conn };
	char name[MEET_NAME];
	const struct meet_who who = {
		.name = name, .argv = argv, .more = more, .nmore = 2
	};
	int s;

	snprintf(name, sizeof(name), "lan-%.*s", ID_SHOWN, id);
	s = meet(at->folder, &who, e);
	return s < 0 ? err_wrap(e, "the network's keeper") : s;
}

/* ---- joining ---- */

void lan_fini(struct lan *l)
{
	if (l->members)
		vial__net__members__free_unpacked(take_ptr(&l->members), NULL);
	if (l->netns >= 0)
		close(take_fd(&l->netns));
	if (l->roof >= 0)
		close(take_fd(&l->roof));
	if (l->chan.fd >= 0) {
		close(l->chan.fd);
		chan_fini(&l->chan);
		l->chan.fd = -1;
	}
}

/* The network's namespace, and the roof that it is below. */
static int ask(struct lan *l, const Vial__Net__Network *n, struct err *e)
{
	Vial__Net__Join join = VIAL__NET__JOIN__INIT;
	Vial__Net__Member me = VIAL__NET__MEMBER__INIT;
	int r, fds[2] = { -1, -1 };
	char byte;

	me.address = n->address;
	me.names = n->names;
	me.n_names = n->n_names;
	join.me = &me;
	r = chan_send(&l->chan, &join.base);
	if (r == 0)
		r = (int)passfd_recv(l->chan.fd, &byte, 1, fds, 2);
	l->netns = fds[0];
	l->roof = fds[1];
	if (r == 0)
		r = -EPIPE;
	return r < 0 ? err_set(e, -r, "the network's keeper: %s", strerror(-r))
		     : 0;
}

static int take(struct lan *l, struct err *e)
{
	ProtobufCMessage *m =
		chan_recv(&l->chan, &vial__net__members__descriptor, e);
	const Vial__Net__Members *a = (const Vial__Net__Members *)m;
	in_addr_t net;
	int r = 0;

	if (!m)
		return -e->code;
	if (a->error)
		r = err_set(e, (int)a->error, "%s", a->message);
	else if (a->address.len != sizeof(net) || l->netns < 0)
		r = err_set(e, EPROTO, "the network's keeper: half an answer");
	else
		memcpy(&net, a->address.data, sizeof(net));
	if (r < 0) {
		protobuf_c_message_free_unpacked(m, NULL);
		return r;
	}
	l->address = ntohl(net);
	l->members = (Vial__Net__Members *)m;
	return 0;
}

static int try(struct lan *l, const struct lan_place *at,
	       const Vial__Net__Network *n, const char *subnet, struct err *e)
{
	int s = reach(at, n->id, subnet, e);

	if (s < 0)
		return s;
	chan_init(&l->chan, s);
	return ask(l, n, e);
}

int lan_join(struct lan *l, const struct lan_place *at,
	     const Vial__Net__Network *n, struct err *e)
{
	char text[INET_ADDRSTRLEN], subnet[INET_ADDRSTRLEN + 8];
	in_addr_t net;
	int r = -EPIPE;

	if (n->subnet.len != sizeof(net) || n->prefix < 8 || n->prefix > 30 ||
	    strspn(n->id, "0123456789abcdef") < ID_SHOWN)
		return err_set(e, EINVAL, "not a network");
	memcpy(&net, n->subnet.data, sizeof(net));
	l->subnet = ntohl(net);
	l->prefix = n->prefix;
	inet_ntop(AF_INET, &net, text, sizeof(text));
	snprintf(subnet, sizeof(subnet), "%s/%u", text, n->prefix);
	for (int i = 0; i < MEET_TRIES && (r == -EPIPE || r == -ECONNRESET);
	     i++) {
		lan_fini(l);
		*e = (struct err){ 0 };
		r = try(l, at, n, subnet, e);
	}
	return r < 0 ? r : take(l, e);
}

bool lan_news(struct lan *l, int *error)
{
	ProtobufCMessage *m;

	*error = 0;
	m = chan_next(&l->chan, &vial__net__members__descriptor, error);
	if (!m)
		return false;
	if (l->members)
		vial__net__members__free_unpacked(l->members, NULL);
	l->members = (Vial__Net__Members *)m;
	return true;
}
