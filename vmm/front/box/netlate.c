/* SPDX-License-Identifier: Apache-2.0 */
#include "box/netlate.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "box/netd.h"
#include "box/netegress.h"
#include "box/network.h"
#include "box/where.h"
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
	int sock;
	int got[2]; /* what it has handed over: LAN, TAP; -1: not */
	Vial__Net__Answer *said;
	char folder[PATH_MAX]; /* the request's */
};

enum { LAN, TAP };

#define HELPER_INIT                                                            \
	{                                                                      \
		.sock = -1, .got = { -1, -1 }                                  \
	}

static void helper_fini(struct helper *h)
{
	if (h->sock >= 0)
		close(h->sock);
	for (size_t i = 0; i < ARRAY_LEN(h->got); i++)
		if (h->got[i] >= 0)
			close(take_fd(&h->got[i]));
	if (h->pid > 0 && !h->said) /* one that hangs, at most */
		kill(h->pid, SIGKILL);
	while (h->pid > 0 && waitpid(h->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (h->said)
		vial__net__answer__free_unpacked(h->said, NULL);
}

static int tell(const struct boxnet *n, const char *network, int lan,
		Vial__Net__Members *members, struct err *e)
{
	Vial__Net__Change m = VIAL__NET__CHANGE__INIT;

	m.network = (char *)(uintptr_t)network;
	m.members = members;
	return netd_change(n->sock, &m, lan, NULL, 0, e);
}

/* Those of the box, which nobody has for longer than it takes. */
static int put_namespaces(const struct boxnet *n, const struct helper *h,
			  struct err *e)
{
	Vial__Net__Change m = VIAL__NET__CHANGE__INIT;
	int fds[2] = { -1, -1 }, r;

	m.namespaces = true;
	r = netd_change(n->sock, &m, -1, fds, ARRAY_LEN(fds), e);
	if (r == 0 && passfd_send(h->sock, "", 1, fds,
				  (fds[0] >= 0) + (fds[1] >= 0)) != 1)
		r = err_set(e, EPIPE, "vial-netd has ended");
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return r;
}

static int ask_helper(const struct boxnet *b, struct helper *h, const char *how,
		      Vial__Net__Request *r, struct err *e)
{
	const struct netegress none = { .log = -1, .record = -1 };
	struct chan c;
	int n;

	where_net(h->folder);
	r->folder = h->folder;
	if (netd_spawn(how, -1, &none, &h->pid, &h->sock, e) < 0 ||
	    put_namespaces(b, h, e) < 0)
		return -e->code;
	chan_init(&c, h->sock);
	n = chan_send(&c, &r->base);
	if (n < 0)
		err_set(e, -n, "vial-netd: %s", strerror(-n));
	else
		n = netd_hear(h->sock, &c, h->got, ARRAY_LEN(h->got), &h->said,
			      e);
	chan_fini(&c);
	return n;
}

static void put_late(Vial__Net__Request *r, Vial__Net__Late *l,
		     const struct boxnet *n, struct netinfo_late *at)
{
	unsigned link = (unsigned)(at - n->info.late) + 1;

	/* The box's own with another first byte, which stays one of no
	 * manufacturer and of no group. */
	memcpy(at->mac, n->info.mac, sizeof(at->mac));
	at->mac[0] = (uint8_t)(at->mac[0] + 4 * link);
	vial__net__request__init(r);
	vial__net__late__init(l);
	r->generation = 1;
	l->process = (uint32_t)n->pid;
	l->link = link;
	l->mtu = n->info.mtu;
	l->mac = (ProtobufCBinaryData){ sizeof(at->mac), at->mac };
	r->late = l;
}

static int undo(struct boxnet *n, struct netinfo_late *at, struct err *e)
{
	struct helper h = HELPER_INIT;
	Vial__Net__Request r;
	Vial__Net__Late late;
	int done;

	put_late(&r, &late, n, at);
	done = ask_helper(n, &h, "leave", &r, e);
	helper_fini(&h);
	return done;
}

static bool copy4(uint8_t to[4], const ProtobufCBinaryData *from)
{
	if (from->len == 4)
		memcpy(to, from->data, 4);
	return from->len == 4;
}

static int take(struct helper *h, struct netinfo_late *at, struct err *e)
{
	const Vial__Net__Family *f =
		h->said->n_families == 1 ? h->said->families[0] : NULL;

	if (!f || h->got[LAN] < 0 || h->got[TAP] < 0 ||
	    !copy4(at->address, &f->guest) || !copy4(at->gateway, &f->gateway))
		return err_set(e, EPROTO, "vial-netd gave half an answer");
	at->prefix = f->prefix;
	return 0;
}

static int join(struct boxnet *n, const struct network *net,
		Vial__Net__Network *lan, struct netinfo_late *at, int *tap,
		struct err *e)
{
	struct helper h = HELPER_INIT;
	Vial__Net__Request r;
	Vial__Net__Late late;
	struct err ignored;
	int done;

	put_late(&r, &late, n, at);
	r.network = lan;
	done = ask_helper(n, &h, "join", &r, e);
	if (done == 0)
		done = take(&h, at, e);
	if (done == 0)
		done = tell(n, net->id, h.got[LAN], h.said->members, e);
	if (done == 0) {
		snprintf(at->network, sizeof(at->network), "%s", net->name);
		*tap = take_fd(&h.got[TAP]);
	}
	helper_fini(&h);
	/* Wherever it died: nothing of it may be in the way of the next. */
	if (done < 0) {
		undo(n, at, &ignored);
		*at = (struct netinfo_late){ .prefix = 0 };
	}
	return done;
}

static int may_join(const struct boxnet *n, const struct network *net,
		    struct err *e)
{
	if (!boxnet_is(n))
		return err_set(e, EINVAL,
			       "its network is none: who has no interface "
			       "joins nothing");
	if (strcmp(n->info.network, net->name) == 0 ||
	    netinfo_find(&n->info, net->name))
		return err_set(e, EEXIST, "it is on network %s already",
			       net->name);
	if (!netinfo_find(&n->info, ""))
		return err_set(e, ENOSPC, "it is on %d networks already",
			       NETINFO_LATE);
	return 0;
}

/* By which the others know it: its id, its name, and so on. */
static size_t put_names(char **names, char id[BOX_SHORT_LEN + 1],
			const struct netlate_who *who)
{
	size_t count = 0;

	snprintf(id, BOX_SHORT_LEN + 1, "%.*s", BOX_SHORT_LEN, who->id);
	names[count++] = id;
	if (*who->name)
		names[count++] = (char *)(uintptr_t)who->name;
	for (size_t i = 0; i < who->naliases; i++)
		names[count++] = who->aliases[i];
	return count;
}

static int join_as(struct boxnet *n, const struct network *net,
		   const struct netlate_who *who, struct netinfo_late *at,
		   int *tap, struct err *e)
{
	autofree char **names = calloc(who->naliases + 2, sizeof(*names));
	Vial__Net__Network lan = VIAL__NET__NETWORK__INIT;
	char id[BOX_SHORT_LEN + 1];
	uint8_t ip[4];

	if (!names)
		return err_set(e, ENOMEM, "out of memory");
	lan.n_names = put_names(names, id, who);
	lan.names = names;
	lan.id = (char *)(uintptr_t)net->id;
	lan.subnet = (ProtobufCBinaryData){ sizeof(net->subnet),
					    (uint8_t *)(uintptr_t)net->subnet };
	lan.prefix = net->prefix;
	if (who->ip && inet_pton(AF_INET, who->ip, ip) == 1)
		lan.address = (ProtobufCBinaryData){ sizeof(ip), ip };
	return join(n, net, &lan, at, tap, e);
}

static struct netinfo_late *entry(struct boxnet *n, const char *network)
{
	return (struct netinfo_late *)(uintptr_t)netinfo_find(&n->info,
							      network);
}

struct netinfo_late *netlate_join(struct boxnet *n, const char *network,
				  const struct netlate_who *who, int *tap,
				  struct err *e)
{
	struct netinfo_late *at = entry(n, "");
	struct network net;
	int r;

	if (network_get(network, &net, e) < 0)
		return NULL;
	r = may_join(n, &net, e);
	if (r == 0)
		r = join_as(n, &net, who, at, tap, e);
	network_fini(&net);
	return r < 0 ? NULL : at;
}

struct netinfo_late *netlate_find(struct boxnet *n, const char *network,
				  struct err *e)
{
	struct netinfo_late *at = entry(n, network);

	if (strcmp(n->info.network, network) == 0) {
		err_set(e, EBUSY,
			"network %s is the one that it was started on, "
			"and ends with it",
			network);
		return NULL;
	}
	if (!at || !*network) {
		err_set(e, ENOENT, "it is not on network %s", network);
		return NULL;
	}
	return at;
}

int netlate_leave(struct boxnet *n, const char *network, struct err *e)
{
	struct netinfo_late *at = netlate_find(n, network, e);
	struct network net;
	int r;

	if (!at || network_get(network, &net, e) < 0)
		return -e->code;
	r = undo(n, at, e);
	/* The link is gone: nobody may believe that it is still there. */
	if (r == 0)
		r = tell(n, net.id, -1, NULL, e);
	if (r == 0)
		*at = (struct netinfo_late){ .prefix = 0 };
	network_fini(&net);
	return r;
}
