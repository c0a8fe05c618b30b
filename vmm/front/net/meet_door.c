/* SPDX-License-Identifier: Apache-2.0 */
/* meet_door.c - the side of the process that is met; meet.h. */
#include "net/meet.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* How long one that was just started waits for the first, and one that is
 * about to go for who holds the lock. */
#define LINGER_MS 2000
#define AGAIN_MS 20

static void door_ready(struct watch *w, uint32_t events)
{
	struct meet_door *d = container_of(w, struct meet_door, watch);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (d->n >= d->max) {
		close(fd);
		return;
	}
	d->n++;
	d->came(d, fd);
}

/* The name that leads here is nobody's any more. Not always ours to remove:
 * the next one does then. */
static void unhinge(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	const char *name;

	if (getsockname(MEET_FD, (struct sockaddr *)&a, &len) < 0)
		return;
	name = memrchr(a.sun_path, '/', sizeof(a.sun_path));
	if (name)
		unlinkat(MEET_DIR_FD, name + 1, 0);
}

/* Nobody is here; who is just coming holds the lock. */
static void idle_fired(struct timer *t)
{
	struct meet_door *d = container_of(t, struct meet_door, idle);

	if (d->n > 0)
		return;
	if (flock(MEET_DIR_FD, LOCK_EX | LOCK_NB) < 0) {
		timer_set(t, AGAIN_MS);
		return;
	}
	/* And who came before that is behind the door. */
	door_ready(&d->watch, EPOLLIN);
	if (d->n > 0) {
		flock(MEET_DIR_FD, LOCK_UN);
		return;
	}
	/* Who comes next gets the lock when the door is gone. */
	unhinge();
	loop_stop(d->loop);
}

int meet_door_open(struct meet_door *d, struct loop *l, struct err *e)
{
	/* It was started by another name: /proc/self/exe. */
	prctl(PR_SET_NAME, "vial-netd");
	d->loop = l;
	d->watch = (struct watch){ .fd = MEET_FD,
				   .name = "door",
				   .ready = door_ready };
	fd_set_cloexec(MEET_FD, true);
	fd_set_nonblock(MEET_FD, true);
	if (timer_init(&d->idle, l, "idle", idle_fired, e) < 0 ||
	    loop_add(l, &d->watch, EPOLLIN, e) < 0)
		return -e->code;
	timer_set(&d->idle, LINGER_MS);
	return 0;
}

void meet_door_left(struct meet_door *d)
{
	d->n--;
	if (d->n == 0)
		timer_set(&d->idle, AGAIN_MS);
}
