/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/serve.h"

#include "agent/agent.h"
#include "agent/event.h"
#include "agent/file.h"
#include "agent/forward.h"
#include "agent/freeze.h"
#include "agent/job.h"
#include "agent/nic.h"
#include "agent/procs.h"
#include "agent/setup.h"
#include "agent/stat.h"
#include "agent/stats.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"
#include "proto/ports.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define GENERATION 4

static struct log_limit limit;

static struct reply reply_to(struct agent *a, struct caller *c, uint64_t key)
{
	return (struct reply){ &a->callers, c, key };
}

static void serve_drop(struct agent *a, struct caller *c)
{
	if (c->kind == CALLER_CONTROL) {
		jobs_disowned(a, c);
		files_disowned(a, c);
		freeze_disowned(&a->freeze, c);
		forwards_disowned(&a->forwards, c);
	}
	caller_free(&a->callers, c);
}

/* Every operation answers the peer by itself; an error here means that the
 * peer broke the rules. */
typedef int serve_op(struct agent *a, struct caller *c,
		     const Vial__Agent__Request *q, struct err *e);

static int op_hello(struct agent *a, struct caller *c,
		    const Vial__Agent__Request *q, struct err *e)
{
	uint32_t theirs = q->hello->generation;

	if (theirs == 0)
		return err_set(e, EPROTO, "hello: generation 0");
	caller_control(c);
	event_hello(reply_to(a, c, 0), MIN(theirs, (uint32_t)GENERATION));
	return 0;
}

static int op_setup(struct agent *a, struct caller *c,
		    const Vial__Agent__Request *q, struct err *e)
{
	Vial__Agent__Failed__Kind kind;
	struct err why;

	(void)e;
	if (setup_apply(a, q->setup, &kind, &why) < 0) {
		log_limited(&limit, "setup: %s", why.msg);
		event_failed(reply_to(a, c, 0), kind, "setup", &why);
		return 0;
	}
	event_setup_done(reply_to(a, c, 0), a->boot_us);
	return 0;
}

static int op_exec(struct agent *a, struct caller *c,
		   const Vial__Agent__Request *q, struct err *e)
{
	(void)e;
	job_start(a, c, q->exec);
	return 0;
}

/* The job may have ended while the Request was on its way: no answer. */
static int op_signal(struct agent *a, struct caller *c,
		     const Vial__Agent__Request *q, struct err *e)
{
	struct job *j = job_find(a, q->signal->key);

	(void)c;
	(void)e;
	if (j)
		job_signal(j, (int)q->signal->signal, q->signal->group);
	return 0;
}

static int op_resize(struct agent *a, struct caller *c,
		     const Vial__Agent__Request *q, struct err *e)
{
	const struct job *j = job_find(a, q->resize->key);

	(void)c;
	(void)e;
	if (j)
		job_resize(j, q->resize->size);
	return 0;
}

static int op_put_tar(struct agent *a, struct caller *c,
		      const Vial__Agent__Request *q, struct err *e)
{
	(void)e;
	file_put(a, c, q->put_tar);
	return 0;
}

static int op_get_tar(struct agent *a, struct caller *c,
		      const Vial__Agent__Request *q, struct err *e)
{
	(void)e;
	file_get(a, c, q->get_tar);
	return 0;
}

static int op_stats(struct agent *a, struct caller *c,
		    const Vial__Agent__Request *q, struct err *e)
{
	Vial__Agent__StatsReply s = VIAL__AGENT__STATS_REPLY__INIT;

	(void)q;
	(void)e;
	stats_read(&a->cgroups, &s);
	event_stats(reply_to(a, c, 0), &s);
	return 0;
}

static int op_processes(struct agent *a, struct caller *c,
			const Vial__Agent__Request *q, struct err *e)
{
	(void)q;
	(void)e;
	procs_send(reply_to(a, c, 0), &a->users);
	return 0;
}

static int op_stat(struct agent *a, struct caller *c,
		   const Vial__Agent__Request *q, struct err *e)
{
	(void)e;
	stat_send(reply_to(a, c, q->stat->key), q->stat->path);
	return 0;
}

static int op_freeze(struct agent *a, struct caller *c,
		     const Vial__Agent__Request *q, struct err *e)
{
	struct err why;

	(void)q;
	(void)e;
	if (freeze_root(&a->freeze, c, &why) < 0)
		event_failed(reply_to(a, c, 0),
			     VIAL__AGENT__FAILED__KIND__OTHER, "freeze", &why);
	else
		event_frozen(reply_to(a, c, 0));
	return 0;
}

static int op_listen(struct agent *a, struct caller *c,
		     const Vial__Agent__Request *q, struct err *e)
{
	const Vial__Agent__Listen *l = q->listen;
	struct err why;

	(void)e;
	if (forward_listen(&a->forwards, c, l->key, l->path, &why) < 0)
		event_failed(reply_to(a, c, l->key),
			     VIAL__AGENT__FAILED__KIND__OTHER, "listen", &why);
	return 0;
}

static int op_hang_up(struct agent *a, struct caller *c,
		      const Vial__Agent__Request *q, struct err *e)
{
	(void)c;
	(void)e;
	forward_hang_up(&a->forwards, q->hang_up->call);
	return 0;
}

static void link_said(struct reply to, int r, const struct err *why)
{
	if (r < 0)
		event_failed(to, VIAL__AGENT__FAILED__KIND__OTHER, "link", why);
	else
		event_link_done(to);
}

static int op_add_link(struct agent *a, struct caller *c,
		       const Vial__Agent__Request *q, struct err *e)
{
	struct err why;

	(void)e;
	link_said(reply_to(a, c, q->add_link->key), nic_add(q->add_link, &why),
		  &why);
	return 0;
}

static int op_remove_link(struct agent *a, struct caller *c,
			  const Vial__Agent__Request *q, struct err *e)
{
	const Vial__Agent__RemoveLink *m = q->remove_link;
	struct err why;

	(void)e;
	link_said(reply_to(a, c, m->key), nic_remove(m->device, &why), &why);
	return 0;
}

static int op_shutdown(struct agent *a, struct caller *c,
		       const Vial__Agent__Request *q, struct err *e)
{
	(void)c;
	(void)q;
	(void)e;
	/* Who waits for the disk could not even be killed. */
	freeze_end(&a->freeze);
	down_begin(a);
	return 0;
}

static serve_op *const ops[] = {
	[VIAL__AGENT__REQUEST__OP_HELLO] = op_hello,
	[VIAL__AGENT__REQUEST__OP_SETUP] = op_setup,
	[VIAL__AGENT__REQUEST__OP_EXEC] = op_exec,
	[VIAL__AGENT__REQUEST__OP_SIGNAL] = op_signal,
	[VIAL__AGENT__REQUEST__OP_RESIZE] = op_resize,
	[VIAL__AGENT__REQUEST__OP_PUT_TAR] = op_put_tar,
	[VIAL__AGENT__REQUEST__OP_GET_TAR] = op_get_tar,
	[VIAL__AGENT__REQUEST__OP_STATS] = op_stats,
	[VIAL__AGENT__REQUEST__OP_SHUTDOWN] = op_shutdown,
	[VIAL__AGENT__REQUEST__OP_PROCESSES] = op_processes,
	[VIAL__AGENT__REQUEST__OP_STAT] = op_stat,
	[VIAL__AGENT__REQUEST__OP_FREEZE] = op_freeze,
	[VIAL__AGENT__REQUEST__OP_LISTEN] = op_listen,
	[VIAL__AGENT__REQUEST__OP_HANG_UP] = op_hang_up,
	[VIAL__AGENT__REQUEST__OP_ADD_LINK] = op_add_link,
	[VIAL__AGENT__REQUEST__OP_REMOVE_LINK] = op_remove_link,
};

/* The connection becomes its job's, or waits for it. */
static void serve_stream(struct agent *a, struct caller *c,
			 const Vial__Agent__Stream *s)
{
	bool tar = s->which == VIAL__AGENT__STREAM__WHICH__TAR;
	struct file *f = tar ? file_find(a, s->key) : NULL;
	struct job *j = tar ? NULL : job_find(a, s->key);
	const void *early = buf_head(&c->chan.in);
	size_t len = buf_len(&c->chan.in);
	int fd;

	if (s->which == VIAL__AGENT__STREAM__WHICH__SOCKET) {
		fd = caller_take_fd(&a->callers, c);
		forward_take(&a->forwards, s->key, fd, early, len);
		caller_free(&a->callers, c);
		return;
	}
	if (!j && !f) {
		caller_park(&a->callers, c, s->key, (unsigned)s->which);
		return;
	}
	fd = caller_take_fd(&a->callers, c);
	if (f ? !file_attach(f, fd, early, len)
	      : !job_attach(j, (unsigned)s->which, fd, early, len))
		close(fd);
	caller_free(&a->callers, c);
}

/* The connection becomes one to a socket of the guest's. */
static void serve_dial(struct agent *a, struct caller *c, const char *path)
{
	int fd = caller_take_fd(&a->callers, c);
	struct err e;

	if (forward_dial(&a->forwards, path, fd, buf_head(&c->chan.in),
			 buf_len(&c->chan.in), &e) < 0)
		log_limited(&limit, "dial: %s", e.msg);
	caller_free(&a->callers, c);
}

/* What makes a new connection something other than a control connection. */
static bool serve_first(struct agent *a, struct caller *c,
			const Vial__Agent__Request *q)
{
	if (c->kind != CALLER_NEW)
		return false;
	if (q->op_case == VIAL__AGENT__REQUEST__OP_STREAM)
		serve_stream(a, c, q->stream);
	else if (q->op_case == VIAL__AGENT__REQUEST__OP_DIAL)
		serve_dial(a, c, q->dial->path);
	else
		return false;
	return true;
}

static int serve_request(struct agent *a, struct caller *c,
			 const Vial__Agent__Request *q, struct err *e)
{
	unsigned op = (unsigned)q->op_case;
	serve_op *run = op < ARRAY_LEN(ops) ? ops[op] : NULL;

	if (!run)
		return err_set(e, EPROTO, "unknown request");
	if ((op == VIAL__AGENT__REQUEST__OP_HELLO) == (c->kind != CALLER_NEW))
		return err_set(e, EPROTO, "hello must come first, and once");
	return run(a, c, q, e);
}

static Vial__Agent__Request *serve_next(struct caller *c, int *error)
{
	ProtobufCMessage *m =
		chan_next(&c->chan, &vial__agent__request__descriptor, error);

	return m ? container_of(m, Vial__Agent__Request, base) : NULL;
}

static void serve_refuse(struct agent *a, struct caller *c, const struct err *e)
{
	log_limited(&limit, "connection refused: %s", e->msg);
	event_failed(reply_to(a, c, 0), VIAL__AGENT__FAILED__KIND__BAD_REQUEST,
		     "request", e);
	serve_drop(a, c);
}

/* All whole Requests that have come. c may be gone afterwards. */
static void serve_requests(struct agent *a, struct caller *c)
{
	Vial__Agent__Request *q;
	struct err e;
	int r;

	while (!chan_pending(&c->chan)) {
		q = serve_next(c, &r);
		if (!q && r == 0)
			return;
		if (!q) {
			errno = -r;
			err_sys(&e, "malformed message");
			serve_refuse(a, c, &e);
			return;
		}
		if (serve_first(a, c, q)) {
			vial__agent__request__free_unpacked(q, NULL);
			return;
		}
		r = serve_request(a, c, q, &e);
		vial__agent__request__free_unpacked(q, NULL);
		if (r < 0) {
			serve_refuse(a, c, &e);
			return;
		}
	}
}

void serve_ready(struct watch *w, uint32_t events)
{
	struct caller *c = container_of(w, struct caller, watch);
	struct agent *a = container_of(c->callers, struct agent, callers);
	int r;

	/* A parked stream is not read; it wakes up only to be gone. */
	if (c->kind == CALLER_STREAM) {
		serve_drop(a, c);
		return;
	}
	if (events & EPOLLOUT) {
		caller_flush(&a->callers, c);
		if (chan_pending(&c->chan))
			return;
	} else {
		r = chan_fill(&c->chan);
		if (r == 0)
			return;
		if (r < 0) {
			serve_drop(a, c);
			return;
		}
	}
	serve_requests(a, c);
}

static void serve_accept(struct watch *w, uint32_t events)
{
	struct agent *a = container_of(w, struct agent, listener);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0) {
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			log_limited(&limit, "accept: %s", strerror(errno));
		return;
	}
	if (!caller_new(&a->callers, fd))
		log_limited(&limit, "too many connections");
}

static int serve_listen(struct agent *a, const struct sockaddr *sa,
			socklen_t len, struct err *e)
{
	int fd = socket(sa->sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	a->listener = (struct watch){ .fd = fd,
				      .name = "listener",
				      .ready = serve_accept };
	if (fd < 0)
		return err_sys(e, "socket");
	if (bind(fd, sa, len) < 0)
		return err_sys(e, "bind");
	if (listen(fd, SOMAXCONN) < 0)
		return err_sys(e, "listen");
	a->boot_us = now_us();
	return loop_add(&a->loop, &a->listener, EPOLLIN, e);
}

static void serve_announced(struct watch *w, uint32_t events)
{
	struct agent *a = container_of(w, struct agent, announce);

	(void)events;
	loop_del(&a->loop, w);
	close(w->fd);
	w->fd = -1;
}

/* The host refuses: that somebody tried is all it wants to know. */
static void serve_announce(struct agent *a)
{
	struct sockaddr_vm to = {
		.svm_family = AF_VSOCK,
		.svm_cid = VIAL_HOST_CID,
		.svm_port = VIAL_READY_PORT,
	};
	int fd =
		socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct err e;

	a->announce = (struct watch){ .fd = fd,
				      .name = "announce",
				      .ready = serve_announced };
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 ||
	    errno != EINPROGRESS ||
	    loop_add(&a->loop, &a->announce, EPOLLOUT, &e) < 0)
		serve_announced(&a->announce, 0);
}

int serve_vsock(struct agent *a, struct err *e)
{
	const struct sockaddr_vm at = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_ANY,
		.svm_port = VIAL_AGENT_PORT,
	};

	if (serve_listen(a, (const struct sockaddr *)&at, sizeof(at), e) < 0)
		return err_wrap(e, "vsock port %d", VIAL_AGENT_PORT);
	serve_announce(a);
	return 0;
}

int serve_unix(struct agent *a, const char *path, struct err *e)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(at.sun_path))
		return err_set(e, ENAMETOOLONG, "%s: too long", path);
	memcpy(at.sun_path, path, strlen(path));
	if (serve_listen(a, (const struct sockaddr *)&at, sizeof(at), e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

void serve_close(struct agent *a)
{
	struct watch *w[] = { &a->listener, &a->announce };

	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		loop_del(&a->loop, w[i]);
		if (w[i]->fd >= 0)
			close(w[i]->fd);
		w[i]->fd = -1;
	}
}
