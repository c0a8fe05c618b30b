/* SPDX-License-Identifier: Apache-2.0 */
#include "net/roof.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "jail/caps.h"
#include "net/meet.h"
#include "net/netns.h"
#include "net/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET "roof"
#define GUESTS_MAX 4096

/* ---- who is below it ---- */

/* 0 too when it has ended before it said anything. */
static int ask(struct roof *r, int folder, struct err *e)
{
	static const char *const argv[] = { "vial-netd", "roof", NULL };
	const struct meet_who who = { .name = SOCKET, .argv = argv };
	char byte;

	r->conn = meet(folder, &who, e);
	if (r->conn < 0)
		return err_wrap(e, "vial-netd roof");
	if (passfd_recv(r->conn, &byte, 1, &r->ns, 1) == 1 && r->ns >= 0)
		return 1;
	roof_fini(r);
	return 0;
}

int roof_take(struct roof *r, int folder, struct err *e)
{
	int done = 0;

	for (int i = 0; i < MEET_TRIES && done == 0; i++)
		done = ask(r, folder, e);
	if (done == 0)
		return err_set(e, EPIPE, "vial-netd roof has ended");
	return MIN(done, 0);
}

void roof_fini(struct roof *r)
{
	if (r->ns >= 0)
		close(take_fd(&r->ns));
	if (r->conn >= 0)
		close(take_fd(&r->conn));
}

int roof_enter(int ns, struct err *e)
{
	return setns(ns, CLONE_NEWUSER) < 0
		     ? err_sys(e, "enter the namespace of all boxes")
		     : 0;
}

bool roof_same(int ns, int other)
{
	struct stat a, b;

	return fstat(ns, &a) == 0 && fstat(other, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* ---- who gives it ---- */

struct giver {
	struct loop loop;
	struct meet_door door;
	int ns;
};

struct guest {
	struct giver *g;
	struct watch watch;
};

static void leave(struct guest *g)
{
	loop_del(&g->g->loop, &g->watch);
	close(g->watch.fd);
	meet_door_left(&g->g->door);
	free(g);
}

/* They have nothing to say. */
static void guest_ready(struct watch *w, uint32_t events)
{
	(void)events;
	leave(container_of(w, struct guest, watch));
}

static bool ours(int fd)
{
	struct ucred c;
	socklen_t len = sizeof(c);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c, &len) == 0 &&
	       c.uid == geteuid();
}

static void came(struct meet_door *d, int fd)
{
	struct giver *g = container_of(d, struct giver, door);
	struct guest *new = ours(fd) ? calloc(1, sizeof(*new)) : NULL;
	struct err e;

	if (!new) {
		close(fd);
		meet_door_left(d);
		return;
	}
	new->g = g;
	new->watch = (struct watch){ .fd = fd,
				     .name = "guest",
				     .ready = guest_ready };
	if (loop_add(&g->loop, &new->watch, EPOLLIN, &e) < 0 ||
	    passfd_send(fd, "", 1, &g->ns, 1) != 1)
		leave(new);
}

/* Who is in it has rights over all below: so we are in another below it. */
static int furnish(struct giver *g, struct err *e)
{
	if (netns_user(false, e) < 0)
		return -e->code;
	g->ns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	if (g->ns < 0)
		return err_sys(e, "/proc/self/ns/user");
	if (netns_user(false, e) < 0 || caps_bound(e) < 0)
		return -e->code;
	return caps_drop(e);
}

int roof_keeper(struct err *e)
{
	struct giver g = { .ns = -1 };
	int r;

	g.door = (struct meet_door){ .max = GUESTS_MAX, .came = came };
	if (furnish(&g, e) < 0 || loop_init(&g.loop, NULL, e) < 0 ||
	    meet_door_open(&g.door, &g.loop, e) < 0 || seal(MEET_DIR_FD, e) < 0)
		return -e->code;
	r = loop_run(&g.loop);
	return r < 0 ? err_set(e, -r, "loop: %s", strerror(-r)) : 0;
}
