/* SPDX-License-Identifier: Apache-2.0 */
#include "box/netlate.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "box/netd.h"
#include "box/netegress.h"
#include "box/network.h"
#include "proto/chan.h"
#include "proto/net.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* vial-netd join, vial-netd leave. */
struct helper {
	pid_t pid;
	int sock, lan; /* lan: what it has handed over */
	Vial__Net__Answer *said;
};

#define HELPER_INIT                                                            \
	{                                                                      \
		.sock = -1, .lan = -1                                          \
	}

static void helper_fini(struct helper *h)
{
	if (h->sock >= 0)
		close(h->sock);
	if (h->lan >= 0)
		close(h->lan);
	if (h->pid > 0 && !h->said) /* one that hangs, at most */
		kill(h->pid, SIGKILL);
	while (h->pid > 0 && waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (h->said)
		vial__net__answer__free_unpacked(h->said, NULL);
}

static int ask_helper(struct helper *h, const char *how, Vial__Net__Request *r,
		      struct err *e)
{
	const struct netegress none = { .log = -1, .record = -1 };
	struct chan c;
	int n;

	if (netd_spawn(how, -1, &none, &h->pid, &h->sock, e) < 0)
		return -e->code;
	chan_init(&c, h->sock);
	n = chan_send(&c, &r->base);
	if (n < 0)
		err_set(e, -n, "vial-netd: %s", strerror(-n));
	else
		n = netd_hear(h->sock, &c, &h->lan, &h->said, e);
	chan_fini(&c);
	return n;
}

/* The box's own vial-netd, from whom nothing is on its way. */
static int tell(const struct boxnet *n, const char *network, int lan,
		Vial__Net__Members *members, struct err *e)
{
	Vial__Net__Change m = VIAL__NET__CHANGE__INIT;
	Vial__Net__Answer *said = NULL;
	struct chan c;
	int r;

	m.network = (char *)(uintptr_t)network;
	m.members = members;
	chan_init(&c, n->sock);
	r = (int)passfd_send(n->sock, "", 1, &lan, lan >= 0);
	r = r == 1 ? chan_send(&c, &m.base) : r;
	if (r < 0)
		err_set(e, -r, "vial-netd: %s", strerror(-r));
	else
		r = netd_hear(n->sock, &c, NULL, &said, e);
	if (said)
		vial__net__answer__free_unpacked(said, NULL);
	chan_fini(&c);
	return r;
}

static void put_late(Vial__Net__Request *r, Vial__Net__Late *l,
		     const struct boxnet *n, const struct netinfo_late *at)
{
	vial__net__request__init(r);
	vial__net__late__init(l);
	r->generation = 1;
	l->process = (uint32_t)n->pid;
	l->link = (uint32_t)(at - n->info.late) + 1;
	l->mtu = n->info.mtu;
	l->guest.data = (uint8_t *)(uintptr_t)n->info.guest;
	l->guest.len = sizeof(n->info.guest);
	r->late = l;
}

static int join(struct boxnet *n, const struct network *net, char **names,
		size_t count, const struct netlate_who *who,
		struct netinfo_late *at, struct err *e)
{
	Vial__Net__Network lan = VIAL__NET__NETWORK__INIT;
	struct helper h = HELPER_INIT;
	Vial__Net__Request r;
	Vial__Net__Late late;
	uint8_t ip[4];
	int done;

	put_late(&r, &late, n, at);
	lan.id = (char *)(uintptr_t)net->id;
	lan.subnet = (ProtobufCBinaryData){ sizeof(net->subnet),
					    (uint8_t *)(uintptr_t)net->subnet };
	lan.prefix = net->prefix;
	if (who->ip && inet_pton(AF_INET, who->ip, ip) == 1)
		lan.address = (ProtobufCBinaryData){ sizeof(ip), ip };
	lan.names = names;
	lan.n_names = count;
	r.network = &lan;
	done = ask_helper(&h, "join", &r, e);
	if (done == 0 && (h.said->n_families != 1 ||
			  h.said->families[0]->guest.len != 4 || h.lan < 0))
		done = err_set(e, EPROTO, "vial-netd gave half an answer");
	if (done == 0)
		done = tell(n, net->id, h.lan, h.said->members, e);
	if (done == 0) {
		memcpy(at->address, h.said->families[0]->guest.data, 4);
		at->prefix = net->prefix;
		snprintf(at->network, sizeof(at->network), "%s", net->name);
	}
	helper_fini(&h);
	return done;
}

static int may_join(const struct boxnet *n, const struct network *net,
		    struct err *e)
{
	if (!boxnet_is(n) || strcmp(n->info.mode, "nat") != 0)
		return err_set(
			e, EINVAL,
			"its network is %s: only boxes with nat, or with "
			"a network of several boxes, join another",
			n->info.mode);
	if (strcmp(n->info.network, net->name) == 0 ||
	    netinfo_find(&n->info, net->name))
		return err_set(e, EEXIST, "it is on network %s already",
			       net->name);
	if (!netinfo_find(&n->info, ""))
		return err_set(e, ENOSPC, "it is on %d networks already",
			       NETINFO_LATE);
	return 0;
}

int netlate_join(struct boxnet *n, const char *network,
		 const struct netlate_who *who, struct err *e)
{
	autofree char **names = calloc(who->naliases + 2, sizeof(*names));
	char id[BOX_SHORT_LEN + 1];
	struct network net;
	size_t count = 0;
	int r;

	if (!names)
		return err_set(e, ENOMEM, "out of memory");
	if (network_get(network, &net, e) < 0)
		return -e->code;
	snprintf(id, sizeof(id), "%.*s", BOX_SHORT_LEN, who->id);
	names[count++] = id;
	if (*who->name)
		names[count++] = (char *)(uintptr_t)who->name;
	for (size_t i = 0; i < who->naliases; i++)
		names[count++] = who->aliases[i];
	r = may_join(n, &net, e);
	if (r == 0)
		r = join(n, &net, names, count, who,
			 (struct netinfo_late *)(uintptr_t)netinfo_find(
				 &n->info, ""),
			 e);
	network_fini(&net);
	return r;
}

int netlate_leave(struct boxnet *n, const char *network, struct err *e)
{
	struct netinfo_late *at =
		(struct netinfo_late *)(uintptr_t)netinfo_find(&n->info,
							       network);
	struct helper h = HELPER_INIT;
	Vial__Net__Request r;
	Vial__Net__Late late;
	struct network net;
	int done;

	if (strcmp(n->info.network, network) == 0)
		return err_set(e, EBUSY,
			       "network %s is the one that it was started on, "
			       "and ends with it",
			       network);
	if (!at || !*network)
		return err_set(e, ENOENT, "it is not on network %s", network);
	if (network_get(network, &net, e) < 0)
		return -e->code;
	put_late(&r, &late, n, at);
	done = ask_helper(&h, "leave", &r, e);
	helper_fini(&h);
	/* The link is gone: nobody may believe that it is still there. */
	if (done == 0)
		done = tell(n, net.id, -1, NULL, e);
	if (done == 0)
		*at = (struct netinfo_late){ .prefix = 0 };
	network_fini(&net);
	return done;
}
