/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/peer.h"

#include "agent/agent.h"
#include "agent/serve.h"
#include "base/auto.h"
#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far above what anything takes; only a hang gets there. */
#define PEER_ALARM_S 300

#define NEED(cond) need((cond), #cond, __LINE__)

static void need(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "peer.c:%d: %s: %s\n", line, what, strerror(errno));
	abort();
}

static void peer_agent(const struct peer *p, int ready)
{
	static struct agent a;
	struct err e = { 0 };
	int status = 1;

	log_init("agent", LOG_ERR);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (agent_open(&a, false, &e) < 0 ||
	    serve_unix(&a, p->socket, &e) < 0 || write(ready, "r", 1) != 1)
		log_err("%s", e.msg);
	else
		status = loop_run(&a.loop) < 0;
	close(ready);
	down_finish(&a);
	agent_close(&a);
	exit(status);
}

/* The program itself, when somebody wants to see that one (VIAL_AGENT=path). */
static void peer_program(struct peer *p, const char *path)
{
	char at[80];

	snprintf(at, sizeof(at), "unix:%s", p->socket);
	p->agent = fork();
	NEED(p->agent >= 0);
	if (p->agent == 0) {
		execl(path, path, "--listen", at, (char *)NULL);
		_exit(127);
	}
	while (access(p->socket, F_OK) < 0) {
		NEED(waitpid(p->agent, NULL, WNOHANG) == 0);
		usleep(1000);
	}
	usleep(10000);
	peer_control(p, &p->control);
}

void peer_start(struct peer *p)
{
	const char *program = getenv("VIAL_AGENT");
	int ready[2];
	char c;

	*p = (struct peer){ .dir = "/tmp/vial-peer-XXXXXX" };
	alarm(PEER_ALARM_S);
	NEED(mkdtemp(p->dir));
	snprintf(p->socket, sizeof(p->socket), "%s/agent", p->dir);
	if (program) {
		peer_program(p, program);
		return;
	}
	NEED(pipe(ready) == 0);
	p->agent = fork();
	NEED(p->agent >= 0);
	if (p->agent == 0) {
		close(ready[0]);
		peer_agent(p, ready[1]);
	}
	close(ready[1]);
	NEED(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	peer_control(p, &p->control);
}

void peer_stop(struct peer *p)
{
	Vial__Agent__Shutdown m = VIAL__AGENT__SHUTDOWN__INIT;
	char cmd[128];
	int status;

	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_SHUTDOWN, &m);
	NEED(waitpid(p->agent, &status, 0) == p->agent);
	if (status)
		fprintf(stderr, "the agent ended with %x\n", status);
	NEED(status == 0);
	peer_hang_up(&p->control);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", p->dir);
	NEED(system(cmd) == 0);
	alarm(0);
}

int peer_connect(const struct peer *p)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	NEED(fd >= 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", p->socket);
	NEED(connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

void peer_control(const struct peer *p, struct chan *c)
{
	Vial__Agent__Hello m = VIAL__AGENT__HELLO__INIT;

	chan_init(c, peer_connect(p));
	m.generation = 1;
	peer_request(c, VIAL__AGENT__REQUEST__OP_HELLO, &m);
	peer_free(peer_expect(c, VIAL__AGENT__EVENT__EV_HELLO));
}

void peer_hang_up(struct chan *c)
{
	close(c->fd);
	chan_fini(c);
}

void peer_request(struct chan *c, Vial__Agent__Request__OpCase op, void *body)
{
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;

	q.op_case = op;
	q.hello = body;
	NEED(chan_send(c, &q.base) == 0);
}

Vial__Agent__Event *peer_expect(struct chan *c, Vial__Agent__Event__EvCase kind)
{
	struct err e = { 0 };
	ProtobufCMessage *m = chan_recv(c, &vial__agent__event__descriptor, &e);
	Vial__Agent__Event *ev;

	if (!m)
		fprintf(stderr, "no event: %s\n", e.msg);
	NEED(m);
	ev = container_of(m, Vial__Agent__Event, base);
	if (ev->ev_case != kind) {
		fprintf(stderr, "event %d instead of %d: %s\n",
			(int)ev->ev_case, (int)kind,
			ev->ev_case == VIAL__AGENT__EVENT__EV_FAILED
				? ev->failed->message
				: "");
		abort();
	}
	return ev;
}

void peer_free(Vial__Agent__Event *ev)
{
	vial__agent__event__free_unpacked(ev, NULL);
}

Vial__Agent__Exec peer_exec(uint64_t key, char **argv)
{
	Vial__Agent__Exec x = VIAL__AGENT__EXEC__INIT;

	x.key = key;
	x.argv = argv;
	while (argv[x.n_argv])
		x.n_argv++;
	x.stdout = true;
	x.stderr = true;
	return x;
}

int peer_stream(const struct peer *p, uint64_t key, int which)
{
	Vial__Agent__Stream m = VIAL__AGENT__STREAM__INIT;
	struct chan c;

	chan_init(&c, peer_connect(p));
	m.key = key;
	m.which = (Vial__Agent__Stream__Which)which;
	peer_request(&c, VIAL__AGENT__REQUEST__OP_STREAM, &m);
	chan_fini(&c);
	return c.fd;
}

char *peer_read_all(int fd, size_t *len)
{
	char *out = NULL;
	ssize_t n = fd_slurp(fd, &out, SIZE_MAX / 2);

	NEED(n >= 0);
	if (len)
		*len = (size_t)n;
	close(fd);
	return out;
}

static void peer_run_failed(const Vial__Agent__Failed *f, struct peer_result *r)
{
	r->failed = true;
	r->kind = f->kind;
	snprintf(r->message, sizeof(r->message), "%s", f->message);
}

void peer_exited(Vial__Agent__Event *ev, struct peer_result *r)
{
	const Vial__Agent__Exited *x = ev->exited;

	r->status = x->status;
	r->signal = x->signal;
	r->timed_out = x->timed_out;
	r->oom_killed = x->oom_killed;
	r->cut = x->streams_cut;
	r->cpu_us = x->usage->user_us + x->usage->system_us;
	r->rss_bytes = x->usage->max_rss_bytes;
	r->wall_us = x->wall_us;
	peer_free(ev);
}

static Vial__Agent__Event *peer_any(struct chan *c)
{
	struct err e = { 0 };
	ProtobufCMessage *m = chan_recv(c, &vial__agent__event__descriptor, &e);

	NEED(m);
	return container_of(m, Vial__Agent__Event, base);
}

void peer_run(struct peer *p, Vial__Agent__Exec *x, const char *in,
	      struct peer_result *r)
{
	Vial__Agent__Event *ev;
	int fd[3] = { -1, -1, -1 };

	*r = (struct peer_result){ 0 };
	x->stdin = in != NULL;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, x);
	ev = peer_any(&p->control);
	if (ev->ev_case == VIAL__AGENT__EVENT__EV_FAILED) {
		NEED(ev->failed->key == x->key);
		peer_run_failed(ev->failed, r);
		peer_free(ev);
		return;
	}
	NEED(ev->ev_case == VIAL__AGENT__EVENT__EV_STARTED);
	NEED(ev->started->key == x->key && ev->started->pid > 0);
	peer_free(ev);
	for (int i = in ? 0 : 1; i < (x->tty ? 2 : 3); i++)
		fd[i] = peer_stream(p, x->key, i);
	if (in) {
		fd_write_full(fd[0], in, strlen(in));
		shutdown(fd[0], SHUT_WR);
	}
	r->out = peer_read_all(fd[1], &r->out_len);
	if (!x->tty)
		r->err = peer_read_all(fd[2], &r->err_len);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED);
	NEED(ev->exited->key == x->key);
	peer_exited(ev, r);
	if (in)
		close(fd[0]);
}

void peer_sh(struct peer *p, const char *text, struct peer_result *r)
{
	static uint64_t key = 1000;
	autofree char *copy = strdup(text);
	char sh[] = "/bin/sh", c[] = "-c";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, c, copy));

	peer_run(p, &x, NULL, r);
}

static void peer_tar_end(struct peer *p, uint64_t key, struct peer_result *r)
{
	Vial__Agent__Event *ev = peer_any(&p->control);

	if (ev->ev_case == VIAL__AGENT__EVENT__EV_FAILED) {
		NEED(ev->failed->key == key);
		peer_run_failed(ev->failed, r);
	} else {
		NEED(ev->ev_case == VIAL__AGENT__EVENT__EV_TAR_DONE);
		NEED(ev->tar_done->key == key);
		r->entries = ev->tar_done->entries;
		r->bytes = ev->tar_done->bytes;
	}
	peer_free(ev);
}

static uint64_t peer_tar_key(void)
{
	static uint64_t key = 1u << 30;

	return key++;
}

void peer_put(struct peer *p, const char *path, const void *tar, size_t len,
	      struct peer_result *r)
{
	Vial__Agent__PutTar m = VIAL__AGENT__PUT_TAR__INIT;

	peer_put_as(p, &m, path, tar, len, r);
}

void peer_put_as(struct peer *p, Vial__Agent__PutTar *m, const char *path,
		 const void *tar, size_t len, struct peer_result *r)
{
	autofree char *copy = strdup(path);
	const char *at = tar;
	int fd;

	*r = (struct peer_result){ 0 };
	m->key = peer_tar_key();
	m->path = copy;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_PUT_TAR, m);
	fd = peer_stream(p, m->key, VIAL__AGENT__STREAM__WHICH__TAR);
	/* A refusal closes it early. */
	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		at += n;
		len -= (size_t)n;
	}
	shutdown(fd, SHUT_WR);
	peer_tar_end(p, m->key, r);
	close(fd);
}

void peer_get(struct peer *p, const char *path, struct peer_result *r)
{
	Vial__Agent__GetTar m = VIAL__AGENT__GET_TAR__INIT;

	peer_get_as(p, &m, path, r);
}

void peer_get_as(struct peer *p, Vial__Agent__GetTar *m, const char *path,
		 struct peer_result *r)
{
	autofree char *copy = strdup(path);
	int fd;

	*r = (struct peer_result){ 0 };
	m->key = peer_tar_key();
	m->path = copy;
	/* The stream first: either order is allowed. */
	fd = peer_stream(p, m->key, VIAL__AGENT__STREAM__WHICH__TAR);
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_GET_TAR, m);
	r->out = peer_read_all(fd, &r->out_len);
	peer_tar_end(p, m->key, r);
}

void peer_result_fini(struct peer_result *r)
{
	free(r->out);
	free(r->err);
	*r = (struct peer_result){ 0 };
}
