/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/forward.h"

#include "agent/event.h"
#include "agent/mounts.h"
#include "base/auto.h"
#include "base/tunnel.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct forward_socket {
	struct watch watch;
	struct forwards *of;
	struct caller *owner;
	uint64_t key;
	struct forward_socket *next;
	char path[TUNNEL_PATH_MAX + 1];
};

/* Waits with a descriptor and a time limit, or is tied in a tunnel. */
struct forward_call {
	struct forwards *of;
	struct forward_call *next;
	uint64_t call; /* 0: not from a socket of ours */
	int fd;	       /* -1: tied */
	struct timer late;
	struct tunnel tunnel;
};

void forwards_init(struct forwards *f, struct loop *l, struct callers *cs)
{
	*f = (struct forwards){ .loop = l, .callers = cs };
}

/* ---- calls ---- */

/* While there are too many, whoever calls waits in the socket's queue. */
static void listen_all(const struct forwards *f)
{
	uint32_t events = f->ncalls < FORWARD_CALLS ? EPOLLIN : 0;

	for (struct forward_socket *s = f->sockets; s; s = s->next)
		loop_mod(f->loop, &s->watch, events);
}

static void call_free(struct forward_call *c)
{
	struct forwards *f = c->of;

	for (struct forward_call **p = &f->calls; *p; p = &(*p)->next) {
		if (*p != c)
			continue;
		*p = c->next;
		f->ncalls--;
		break;
	}
	timer_fini(&c->late, f->loop);
	tunnel_fini(&c->tunnel);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
	listen_all(f);
}

static void call_late(struct timer *t)
{
	call_free(container_of(t, struct forward_call, late));
}

static void call_over(struct tunnel *t)
{
	call_free(container_of(t, struct forward_call, tunnel));
}

/* Takes fd over. */
static struct forward_call *call_new(struct forwards *f, int fd)
{
	struct forward_call *c =
		f->ncalls < FORWARD_CALLS ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		close(fd);
		return NULL;
	}
	c->of = f;
	c->fd = fd;
	c->next = f->calls;
	f->calls = c;
	f->ncalls++;
	listen_all(f);
	return c;
}

/* The host's end is the first: what it sent early is there. */
static int call_begin(struct forward_call *c, int host, const void *early,
		      size_t len, struct err *e)
{
	tunnel_init(&c->tunnel, c->of->loop, host);
	c->tunnel.over = call_over;
	if (tunnel_early(&c->tunnel, early, len) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

static struct forward_call *call_find(const struct forwards *f, uint64_t call)
{
	for (struct forward_call *c = f->calls; c; c = c->next)
		if (c->call == call && c->fd >= 0)
			return c;
	return NULL;
}

void forward_hang_up(struct forwards *f, uint64_t call)
{
	struct forward_call *c = call ? call_find(f, call) : NULL;

	if (c)
		call_free(c);
}

void forward_take(struct forwards *f, uint64_t call, int fd, const void *early,
		  size_t len)
{
	struct forward_call *c = call ? call_find(f, call) : NULL;
	struct err e;

	if (!c) {
		close(fd);
		return;
	}
	timer_fini(&c->late, f->loop);
	if (call_begin(c, fd, early, len, &e) < 0 ||
	    tunnel_tie(&c->tunnel, take_fd(&c->fd), &e) < 0)
		call_free(c);
}

int forward_dial(struct forwards *f, const char *path, int fd,
		 const void *early, size_t len, struct err *e)
{
	struct forward_call *c;

	if (*path != '/') {
		close(fd);
		return err_set(e, EINVAL, "\"%.64s\": not an absolute path",
			       path);
	}
	c = call_new(f, fd);
	if (!c)
		return err_set(e, EAGAIN, "too many connections");
	if (call_begin(c, take_fd(&c->fd), early, len, e) == 0 &&
	    tunnel_dial(&c->tunnel, path, e) == 0)
		return 0;
	call_free(c);
	return -e->code;
}

/* ---- sockets ---- */

static bool socket_accept(struct forward_socket *s)
{
	struct forwards *f = s->of;
	int fd = accept4(s->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct forward_call *c;
	struct err e;

	if (fd < 0)
		return false;
	c = call_new(f, fd);
	if (!c)
		return false;
	if (timer_init(&c->late, f->loop, "call", call_late, &e) < 0) {
		call_free(c);
		return false;
	}
	timer_set(&c->late, CALLER_WAIT_MS);
	c->call = ++f->last;
	event_called((struct reply){ f->callers, s->owner, s->key }, c->call);
	return true;
}

static void socket_called(struct watch *w, uint32_t events)
{
	(void)events;
	socket_accept(container_of(w, struct forward_socket, watch));
}

void forwards_poll(struct forwards *f)
{
	for (struct forward_socket *s = f->sockets; s; s = s->next)
		while (f->ncalls < FORWARD_CALLS && socket_accept(s))
			;
}

static void socket_free(struct forward_socket *s)
{
	struct forwards *f = s->of;

	for (struct forward_socket **p = &f->sockets; *p; p = &(*p)->next) {
		if (*p != s)
			continue;
		*p = s->next;
		f->nsockets--;
		break;
	}
	loop_del(f->loop, &s->watch);
	if (s->watch.fd >= 0) {
		close(s->watch.fd);
		unlink(s->path);
	}
	free(s);
}

static int make_folder(const char *path, struct err *e)
{
	char dir[TUNNEL_PATH_MAX + 1];
	char *slash;

	memcpy(dir, path, strlen(path) + 1);
	slash = strrchr(dir, '/');
	if (slash == dir)
		return 0;
	*slash = '\0';
	return mounts_target(dir, true, e);
}

/* What is listened to is there for all who are in the guest. A socket of that
 * name is one of an earlier life: nobody has run yet in this one who could
 * have made it and be heard. */
static int open_socket(const char *path, struct err *e)
{
	autoclose int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;

	if (fd < 0)
		return err_sys(e, "socket");
	if (make_folder(path, e) < 0)
		return -e->code;
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	memcpy(at.sun_path, path, strlen(path));
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		return errno == EADDRINUSE
			     ? err_set(e, EEXIST,
				       "%s: is there already, and "
				       "no socket",
				       path)
			     : err_sys(e, "%s", path);
	if (chmod(path, 0666) < 0 || listen(fd, SOMAXCONN) < 0)
		return err_sys(e, "%s", path);
	return take_fd(&fd);
}

int forward_listen(struct forwards *f, struct caller *owner, uint64_t key,
		   const char *path, struct err *e)
{
	size_t len = strlen(path);
	struct forward_socket *s;

	if (*path != '/' || len > TUNNEL_PATH_MAX)
		return err_set(e, EINVAL,
			       "\"%.64s\": not an absolute path of at most %d "
			       "bytes",
			       path, TUNNEL_PATH_MAX);
	if (f->nsockets >= FORWARD_SOCKETS)
		return err_set(e, EAGAIN, "too many sockets");
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(e, ENOMEM, "out of memory");
	s->of = f;
	s->owner = owner;
	s->key = key;
	memcpy(s->path, path, len + 1);
	s->watch = (struct watch){ .fd = open_socket(path, e),
				   .name = "forward",
				   .ready = socket_called };
	s->next = f->sockets;
	f->sockets = s;
	f->nsockets++;
	if (s->watch.fd < 0 || loop_add(f->loop, &s->watch, EPOLLIN, e) < 0) {
		socket_free(s);
		return -e->code;
	}
	listen_all(f);
	return 0;
}

void forwards_disowned(struct forwards *f, const struct caller *c)
{
	struct forward_socket *next;

	for (struct forward_socket *s = f->sockets; s; s = next) {
		next = s->next;
		if (s->owner == c)
			socket_free(s);
	}
}

void forwards_close(struct forwards *f)
{
	while (f->sockets)
		socket_free(f->sockets);
	while (f->calls)
		call_free(f->calls);
}
