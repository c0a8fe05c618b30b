/* SPDX-License-Identifier: Apache-2.0 */
/* lan_keeper.c - the process that holds a network of several boxes; lan.h. It
 * knows who is there, and gives addresses; it has no right to anything else. */
#include "net/lan.h"

#include "base/auto.h"
#include "base/loop.h"
#include "base/passfd.h"
#include "jail/caps.h"
#include "net/meet.h"
#include "net/netns.h"
#include "net/seal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* No more than there may be descriptors. */
#define MEMBERS_MAX 1000
#define NAMES_MAX 64
#define NAME_MAX_ 253
/* What an ordinary user's was handed: the roof, and the connection by which
 * it stays, which nobody looks at. */
#define ROOF_FD	     MEET_MORE_FD
#define ROOF_CONN_FD (MEET_MORE_FD + 1)

struct keeper;

struct member {
	struct keeper *k;
	struct member *next;
	struct chan chan;
	struct watch watch;
	Vial__Net__Join *join; /* NULL: has not asked yet */
	uint8_t raw[4];
};

struct keeper {
	struct loop loop;
	struct meet_door door;
	struct member *members;
	int fds[2]; /* what members are given: the namespace, and the roof */
	size_t nfds;
	in_addr_t subnet;
	unsigned prefix;
};

static in_addr_t address_of(const struct member *m)
{
	in_addr_t net;

	memcpy(&net, m->raw, sizeof(net));
	return ntohl(net);
}

static bool taken(const struct keeper *k, in_addr_t a)
{
	for (const struct member *m = k->members; m; m = m->next)
		if (m->join && address_of(m) == a)
			return true;
	return false;
}

/* The first is kept for whoever may be asked as the gateway. */
static int choose(struct keeper *k, const struct member *m, in_addr_t *out,
		  struct err *e)
{
	const ProtobufCBinaryData *want = &m->join->me->address;
	in_addr_t last = k->subnet | (~0u >> k->prefix), net;

	if (want->len == sizeof(net)) {
		memcpy(&net, want->data, sizeof(net));
		*out = ntohl(net);
		if (*out <= k->subnet + 1 || *out >= last)
			return err_set(e, EADDRNOTAVAIL,
				       "the address is not one of the network");
		return taken(k, *out)
			     ? err_set(e, EADDRINUSE, "Address already in use")
			     : 0;
	}
	for (in_addr_t a = k->subnet + 2; a < last; a++)
		if (!taken(k, a)) {
			*out = a;
			return 0;
		}
	return err_set(e, EADDRNOTAVAIL, "the network has no address left");
}

static bool sane(const Vial__Net__Join *j)
{
	if (!j->me || j->me->n_names > NAMES_MAX)
		return false;
	for (size_t i = 0; i < j->me->n_names; i++)
		if (strlen(j->me->names[i]) > NAME_MAX_)
			return false;
	return true;
}

/* ---- telling ---- */

static void tell(struct keeper *k, struct member *to)
{
	Vial__Net__Members all = VIAL__NET__MEMBERS__INIT;
	Vial__Net__Member **list = calloc(k->door.n + 1, sizeof(void *));

	if (!list)
		return;
	all.address = (ProtobufCBinaryData){ sizeof(to->raw), to->raw };
	for (struct member *m = k->members; m; m = m->next)
		if (m->join) {
			m->join->me->address =
				(ProtobufCBinaryData){ sizeof(m->raw), m->raw };
			list[all.n_members++] = m->join->me;
		}
	all.members = list;
	/* Who does not read is behind by so many; the next one tells all. */
	if (chan_put(&to->chan, &all.base) == 0)
		chan_flush(&to->chan);
	for (struct member *m = k->members; m; m = m->next)
		if (m->join)
			m->join->me->address = (ProtobufCBinaryData){ 0, NULL };
	free(list);
}

static void tell_all(struct keeper *k)
{
	for (struct member *m = k->members; m; m = m->next)
		if (m->join)
			tell(k, m);
}

static void refuse(struct member *m, const struct err *why)
{
	Vial__Net__Members no = VIAL__NET__MEMBERS__INIT;
	char text[sizeof(why->msg)];

	memcpy(text, why->msg, sizeof(text));
	no.error = (uint32_t)why->code;
	no.message = text;
	if (passfd_send(m->chan.fd, "", 1, NULL, 0) == 1)
		chan_send(&m->chan, &no.base);
}

/* ---- coming and going ---- */

static void drop(struct member *m)
{
	struct keeper *k = m->k;
	struct member **at = &k->members;
	bool was = m->join != NULL;

	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	loop_del(&k->loop, &m->watch);
	close(m->chan.fd);
	chan_fini(&m->chan);
	if (m->join)
		vial__net__join__free_unpacked(m->join, NULL);
	free(m);
	if (was)
		tell_all(k);
	meet_door_left(&k->door);
}

static int enrol(struct member *m, struct err *e)
{
	in_addr_t a, net;

	if (!sane(m->join))
		return err_set(e, EINVAL, "not a member");
	/* What was asked for is not yet what it has. */
	memset(m->raw, 0, sizeof(m->raw));
	if (choose(m->k, m, &a, e) < 0)
		return -e->code;
	net = htonl(a);
	memcpy(m->raw, &net, sizeof(net));
	/* It was theirs to free, and is ours to set for each telling. */
	free(m->join->me->address.data);
	m->join->me->address = (ProtobufCBinaryData){ 0, NULL };
	if (passfd_send(m->chan.fd, "", 1, m->k->fds, m->k->nfds) < 0)
		return err_set(e, EPIPE, "gone");
	return 0;
}

static void heard(struct member *m)
{
	struct err e = { 0 };
	ProtobufCMessage *j = NULL;
	int error = 0;

	/* One that is in has nothing more to say. */
	if (!m->join)
		j = chan_next(&m->chan, &vial__net__join__descriptor, &error);
	if (!j) {
		if (error < 0 || m->join)
			drop(m);
		return;
	}
	m->join = (Vial__Net__Join *)j;
	if (enrol(m, &e) == 0) {
		tell_all(m->k);
		return;
	}
	refuse(m, &e);
	vial__net__join__free_unpacked(take_ptr(&m->join), NULL);
	drop(m);
}

static void member_ready(struct watch *w, uint32_t events)
{
	struct member *m = container_of(w, struct member, watch);
	int r = chan_fill(&m->chan);

	(void)events;
	if (r < 0)
		drop(m);
	else
		heard(m);
}

static void came(struct meet_door *d, int fd)
{
	struct keeper *k = container_of(d, struct keeper, door);
	struct member *m = calloc(1, sizeof(*m));
	struct err e;

	if (!m) {
		close(fd);
		meet_door_left(d);
		return;
	}
	m->k = k;
	chan_init(&m->chan, fd);
	m->watch = (struct watch){ .fd = fd,
				   .name = "member",
				   .ready = member_ready };
	m->next = k->members;
	k->members = m;
	if (loop_add(&k->loop, &m->watch, EPOLLIN, &e) < 0)
		drop(m);
}

/* ---- the process ---- */

/* Root's is in a namespace of its own and then nobody; an ordinary user's in
 * one that belongs to a user namespace below the roof, where it is nobody. */
static int enter(struct keeper *k, struct err *e)
{
	bool below = fcntl(ROOF_FD, F_SETFD, FD_CLOEXEC) == 0;

	k->nfds = below ? 2 : 1;
	k->fds[1] = below ? ROOF_FD : -1;
	fcntl(ROOF_CONN_FD, F_SETFD, FD_CLOEXEC);
	if (below)
		return roof_enter(ROOF_FD, e) < 0 ? -e->code : netns_box(e);
	return unshare(CLONE_NEWNET) < 0 ? err_sys(e, "a network namespace")
					 : 0;
}

static int furnish(struct keeper *k, struct err *e)
{
	if (enter(k, e) < 0)
		return -e->code;
	k->fds[0] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (k->fds[0] < 0)
		return err_sys(e, "a network namespace");
	if (netns_set("ipv4/ip_forward", "1", e) < 0 ||
	    netns_set("ipv4/conf/all/send_redirects", "0", e) < 0 ||
	    netns_set("ipv4/conf/default/send_redirects", "0", e) < 0)
		return -e->code;
	if (caps_bound(e) < 0 || (k->nfds == 1 && netns_become(e) < 0))
		return -e->code;
	return caps_drop(e);
}

static int read_subnet(struct keeper *k, const char *text, struct err *e)
{
	char address[INET_ADDRSTRLEN];
	struct in_addr a;

	if (sscanf(text, "%15[0-9.]/%u", address, &k->prefix) != 2 ||
	    inet_pton(AF_INET, address, &a) != 1 || k->prefix < 8 ||
	    k->prefix > 30)
		return err_set(e, EINVAL, "'%s' is not a subnet", text);
	k->subnet = ntohl(a.s_addr);
	return 0;
}

int lan_keeper(const char *subnet, struct err *e)
{
	struct keeper k = { .fds = { -1, -1 } };
	int r;

	k.door = (struct meet_door){ .max = MEMBERS_MAX, .came = came };
	if (read_subnet(&k, subnet, e) < 0 || furnish(&k, e) < 0 ||
	    loop_init(&k.loop, NULL, e) < 0 ||
	    meet_door_open(&k.door, &k.loop, e) < 0 || seal(MEET_DIR_FD, e) < 0)
		return -e->code;
	r = loop_run(&k.loop);
	while (k.members)
		drop(k.members);
	return r < 0 ? err_set(e, -r, "loop: %s", strerror(-r)) : 0;
}
