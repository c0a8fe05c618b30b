/* SPDX-License-Identifier: Apache-2.0 */
#include "run/keep.h"

#include "base/auto.h"
#include "base/passfd.h"
#include "box/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PACKET_MAX 8192
#define SOCKET "keep.sock"

static void client_free(struct keep_client *c)
{
	struct keep *k = c->keep;

	for (struct keep_client **at = &k->clients; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	k->count--;
	k->left(c);
	loop_del(k->loop, &c->watch);
	close(c->watch.fd);
	for (int i = 0; i < 2; i++)
		relay_drop(&c->sink[i]);
	for (int i = 0; i < KEEP_FDS; i++)
		if (c->fd[i] >= 0)
			close(c->fd[i]);
	free(c);
}

/* fd -1: none goes along. */
static void send_answer(struct keep_client *c, Vial__Keep__Answer *a, int fd)
{
	uint8_t out[PACKET_MAX];
	size_t len;

	a->full = true;
	len = vial__keep__answer__get_packed_size(a);
	if (len > sizeof(out))
		return;
	vial__keep__answer__pack(a, out);
	/* One that does not listen is noticed when it hangs up. */
	(void)passfd_send(c->watch.fd, out, len, &fd, fd >= 0);
}

void keep_answer(struct keep_client *c, int error, const char *message)
{
	Vial__Keep__Answer a = VIAL__KEEP__ANSWER__INIT;

	a.error = (uint32_t)error;
	a.message = (char *)(uintptr_t)(message ? message : "");
	send_answer(c, &a, -1);
}

void keep_answer_fd(struct keep_client *c, int fd)
{
	Vial__Keep__Answer a = VIAL__KEEP__ANSWER__INIT;

	send_answer(c, &a, fd);
}

void keep_ended(struct keep *k, int status, bool oom_killed,
		const char *message)
{
	Vial__Keep__Answer a = VIAL__KEEP__ANSWER__INIT;
	Vial__Keep__Ended end = VIAL__KEEP__ENDED__INIT;

	end.status = (uint32_t)status;
	end.oom_killed = oom_killed;
	end.message = (char *)(uintptr_t)message;
	a.ended = &end;
	for (struct keep_client *c = k->clients; c; c = c->next)
		if (c->waits)
			send_answer(c, &a, -1);
}

static void drop_fds(int fd[KEEP_FDS])
{
	for (int i = 0; i < KEEP_FDS; i++)
		if (fd[i] >= 0)
			close(take_fd(&fd[i]));
}

static void client_call(struct keep_client *c, const Vial__Keep__Call *m,
			int fd[KEEP_FDS])
{
	bool attach = m->op_case == VIAL__KEEP__CALL__OP_ATTACH;

	if (attach && c->attached) {
		keep_answer(c, EALREADY, "you are attached already");
		return;
	}
	for (int i = 0; i < KEEP_FDS && attach; i++)
		c->fd[i] = take_fd(&fd[i]);
	c->attached |= attach;
	c->keep->called(c, m);
}

static void client_ready(struct watch *w, uint32_t events)
{
	struct keep_client *c = container_of(w, struct keep_client, watch);
	uint8_t buf[PACKET_MAX];
	int fd[KEEP_FDS];
	ssize_t n = passfd_recv(w->fd, buf, sizeof(buf), fd, KEEP_FDS);
	Vial__Keep__Call *m;

	(void)events;
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		drop_fds(fd);
		client_free(c);
		return;
	}
	m = vial__keep__call__unpack(NULL, (size_t)n, buf);
	if (m)
		client_call(c, m, fd);
	else
		keep_answer(c, EBADMSG, "the call makes no sense");
	drop_fds(fd);
	if (m)
		vial__keep__call__free_unpacked(m, NULL);
}

static void keep_ready(struct watch *w, uint32_t events)
{
	struct keep *k = container_of(w, struct keep, watch);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct keep_client *c;
	struct err ignored;

	(void)events;
	if (fd < 0)
		return;
	c = k->count < KEEP_CLIENTS ? calloc(1, sizeof(*c)) : NULL;
	if (!c) {
		close(fd);
		return;
	}
	c->keep = k;
	c->watch = (struct watch){ .fd = fd,
				   .name = "keep client",
				   .ready = client_ready };
	for (int i = 0; i < KEEP_FDS; i++)
		c->fd[i] = -1;
	if (loop_add(k->loop, &c->watch, EPOLLIN, &ignored) < 0) {
		close(fd);
		free(c);
		return;
	}
	c->next = k->clients;
	k->clients = c;
	k->count++;
}

int keep_open(struct keep *k, struct loop *l, int boxdir, struct err *e)
{
	int fd = sock_listen_packets(boxdir, SOCKET, e);

	if (fd < 0)
		return fd;
	k->watch =
		(struct watch){ .fd = fd, .name = "keep", .ready = keep_ready };
	if (loop_add(l, &k->watch, EPOLLIN, e) < 0) {
		close(fd);
		return -e->code;
	}
	k->loop = l;
	return 0;
}

void keep_close(struct keep *k)
{
	if (!k->loop)
		return;
	while (k->clients)
		client_free(k->clients);
	loop_del(k->loop, &k->watch);
	close(k->watch.fd);
	k->loop = NULL;
}

/* ---- the other end ---- */

int keep_dial(int boxdir, struct err *e)
{
	return sock_connect_packets(boxdir, SOCKET, e);
}

int keep_send(int fd, const Vial__Keep__Call *m, const int *fds, size_t nfds,
	      struct err *e)
{
	uint8_t out[PACKET_MAX];
	size_t len = vial__keep__call__get_packed_size(m);
	ssize_t r;

	if (len > sizeof(out))
		return err_set(e, EMSGSIZE, "the call is too long");
	vial__keep__call__pack(m, out);
	r = passfd_send(fd, out, len, fds, nfds);
	return r < 0 ? err_set(e, (int)-r, "the keeper: %s", strerror((int)-r))
		     : 0;
}

Vial__Keep__Answer *keep_recv(int fd)
{
	uint8_t buf[PACKET_MAX];
	ssize_t n;

	do
		n = recv(fd, buf, sizeof(buf), 0);
	while (n < 0 && errno == EINTR);
	return n <= 0 ? NULL : vial__keep__answer__unpack(NULL, (size_t)n, buf);
}

int keep_ask(int boxdir, const Vial__Keep__Call *m, struct err *e)
{
	autoclose int fd = keep_dial(boxdir, e);
	Vial__Keep__Answer *a;
	int r = 0;

	if (fd < 0)
		return fd;
	if (keep_send(fd, m, NULL, 0, e) < 0)
		return -e->code;
	a = keep_recv(fd);
	if (!a)
		return err_set(e, EPIPE, "the box has ended");
	if (a->error)
		r = err_set(e, (int)a->error, "%s", a->message);
	vial__keep__answer__free_unpacked(a, NULL);
	return r;
}

int keep_disk(int boxdir, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Nothing nothing = VIAL__KEEP__NOTHING__INIT;
	autoclose int sock = keep_dial(boxdir, e), disk = -1;
	Vial__Keep__Answer *a;
	uint8_t buf[PACKET_MAX];
	int r = 0;
	ssize_t n;

	m.op_case = VIAL__KEEP__CALL__OP_DISK;
	m.disk = &nothing;
	if (sock < 0 || keep_send(sock, &m, NULL, 0, e) < 0)
		return -e->code;
	n = passfd_recv(sock, buf, sizeof(buf), &disk, 1);
	a = n <= 0 ? NULL : vial__keep__answer__unpack(NULL, (size_t)n, buf);
	if (!a)
		return err_set(e, EPIPE, "the box has ended");
	if (a->error)
		r = err_set(e, (int)a->error, "%s", a->message);
	else if (disk < 0)
		r = err_set(e, EBADMSG, "no disk came");
	vial__keep__answer__free_unpacked(a, NULL);
	return r < 0 ? r : take_fd(&disk);
}
