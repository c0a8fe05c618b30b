/* SPDX-License-Identifier: Apache-2.0 */
#include "run/attach.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/log.h"
#include "run/keep.h"
#include "spec/keys.h"
#include "box/report.h"
#include "spec/signals.h"
#include "guest/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

struct attached {
	const struct attach *a;
	struct loop loop;
	struct watch keep, keyboard;
	struct signals signals;
	struct relay input; /* not of a terminal's */
	int pipe;	    /* our end of the command's input; -1 */
	struct keys keys;
	unsigned interrupts;
	bool over;
	int status;
};

static void call(struct attached *x, const Vial__Keep__Call *m)
{
	struct err ignored;

	keep_send(x->keep.fd, m, NULL, 0, &ignored);
}

static void detach(struct attached *x)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Nothing none = VIAL__KEEP__NOTHING__INIT;

	m.op_case = VIAL__KEEP__CALL__OP_DETACH;
	m.detach = &none;
	call(x, &m);
	x->over = true;
	x->status = 0;
}

static void keyboard_ready(struct watch *w, uint32_t events)
{
	struct attached *x = container_of(w, struct attached, keyboard);
	unsigned char in[1024], out[sizeof(in) + KEYS_MAX];
	ssize_t n = read(w->fd, in, sizeof(in));
	size_t len;
	bool leave;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		loop_del(&x->loop, w);
		close(take_fd(&x->pipe));
		return;
	}
	leave = keys_feed(&x->keys, in, (size_t)n, out, &len);
	/* A command that does not listen any more is about to end. */
	if (fd_write_full(x->pipe, out, len) < 0)
		loop_del(&x->loop, w);
	if (leave)
		detach(x);
}

/* ---- the keeper ---- */

static void on_ended(struct attached *x, const Vial__Keep__Ended *end)
{
	x->over = true;
	x->status = (int)end->status;
	term_restore();
	if (*end->message)
		fprintf(stderr, "vial: %s\n", end->message);
}

static void keep_ready(struct watch *w, uint32_t events)
{
	struct attached *x = container_of(w, struct attached, keep);
	Vial__Keep__Answer *m = keep_recv(w->fd);

	(void)events;
	if (!m) {
		x->over = true;
		x->status = -EPIPE;
		return;
	}
	if (m->ended)
		on_ended(x, m->ended);
	vial__keep__answer__free_unpacked(m, NULL);
}

static void send_size(struct attached *x)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Resize r = VIAL__KEEP__RESIZE__INIT;
	struct winsize size;

	if (!x->a->tty || !term_size(&size))
		return;
	m.op_case = VIAL__KEEP__CALL__OP_RESIZE;
	m.resize = &r;
	r.rows = size.ws_row;
	r.cols = size.ws_col;
	call(x, &m);
}

static void got_signal(struct signals *s, int signo)
{
	struct attached *x = container_of(s, struct attached, signals);
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Signal sig = VIAL__KEEP__SIGNAL__INIT;

	if (signo == SIGWINCH) {
		send_size(x);
		return;
	}
	if (!x->a->proxy) {
		if (signo == SIGCONT || signo == SIGALRM)
			return;
		detach(x);
		x->status = STATUS_SIGNAL + signo;
		return;
	}
	m.op_case = VIAL__KEEP__CALL__OP_SIGNAL;
	m.signal = &sig;
	sig.signal = (uint32_t)signo;
	if (signo == SIGINT && ++x->interrupts > 1)
		sig.signal = SIGKILL;
	sig.group = signo == SIGINT || signo == SIGQUIT;
	call(x, &m);
}

/* ---- start ---- */

static int open_input(struct attached *x, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	x->pipe = p[1];
	return p[0];
}

static void input_ended(struct relay *r)
{
	struct attached *x = container_of(r, struct attached, input);

	relay_fini(r);
	if (x->pipe >= 0)
		close(take_fd(&x->pipe));
}

static int start_input(struct attached *x, struct err *e)
{
	if (!x->a->tty || !isatty(STDIN_FILENO))
		return relay_start(&x->input, &x->loop, STDIN_FILENO, x->pipe,
				   false, input_ended, e);
	term_raw();
	x->keyboard = (struct watch){ .fd = STDIN_FILENO,
				      .name = "keyboard",
				      .ready = keyboard_ready };
	return loop_add(&x->loop, &x->keyboard, EPOLLIN, e);
}

static int send_attach(struct attached *x, int in, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Attach a = VIAL__KEEP__ATTACH__INIT;
	struct winsize size;
	int fds[KEEP_FDS];
	size_t n = 0;

	m.op_case = VIAL__KEEP__CALL__OP_ATTACH;
	m.attach = &a;
	a.stdin = in >= 0;
	a.stdout = x->a->out;
	a.stderr = x->a->err;
	if (x->a->tty && term_size(&size)) {
		a.rows = size.ws_row;
		a.cols = size.ws_col;
	}
	if (a.stdin)
		fds[n++] = in;
	if (a.stdout)
		fds[n++] = STDOUT_FILENO;
	if (a.stderr)
		fds[n++] = STDERR_FILENO;
	return keep_send(x->keep.fd, &m, fds, n, e);
}

static int attach_start(struct attached *x, struct err *e)
{
	Vial__Keep__Answer *m;
	int r = 0, in = x->a->in ? open_input(x, e) : -1;

	if (x->a->in && in < 0)
		return -e->code;
	r = send_attach(x, in, e);
	if (in >= 0)
		close(in);
	if (r < 0)
		return r;
	m = keep_recv(x->keep.fd);
	if (!m)
		return err_set(e, EPIPE, "the box has ended");
	if (m->ended)
		on_ended(x, m->ended);
	else if (m->error)
		r = err_set(e, (int)m->error, "%s", m->message);
	vial__keep__answer__free_unpacked(m, NULL);
	if (r < 0 || x->over)
		return r;
	if (signals_open(&x->signals, &x->loop, got_signal, e) < 0 ||
	    loop_add(&x->loop, &x->keep, EPOLLIN, e) < 0)
		return -e->code;
	return x->a->in ? start_input(x, e) : 0;
}

/* Whoever was attached when the keeper died is told what is left to tell. */
static int status_left(const struct box *b, struct err *e)
{
	struct box_info info = { 0 };

	if (state_find(b->id, &info, e) < 0 || info.alive)
		return err_set(e, EPIPE,
			       "the box's keeper was killed, and "
			       "the box with it");
	return info.exit_status;
}

static void replay_last(const struct box *b, const struct attach *a)
{
	autofree char *last = NULL;
	size_t n = a->replay ? boxlog_last(b->dir, 1, a->replay, &last) : 0;

	if (n > 0)
		fd_write_full(STDOUT_FILENO, last, n);
}

int attach_box(const struct box *b, const struct attach *a, struct err *e)
{
	struct attached x = { .a = a, .pipe = -1, .status = -EPIPE };
	autoclose int fd = keep_dial(b->dir, e);
	int r;

	if (fd < 0)
		return fd;
	x.keep =
		(struct watch){ .fd = fd, .name = "keep", .ready = keep_ready };
	if (keys_parse(&x.keys, a->detach_keys, e) < 0 ||
	    loop_init(&x.loop, NULL, e) < 0)
		return -e->code;
	replay_last(b, a);
	r = attach_start(&x, e);
	while (r == 0 && !x.over)
		if (loop_once(&x.loop, -1) < 0)
			break;
	term_restore();
	relay_fini(&x.input);
	if (x.pipe >= 0)
		close(take_fd(&x.pipe));
	signals_close(&x.signals);
	loop_fini(&x.loop);
	if (r == 0 && x.status == -EPIPE)
		return status_left(b, e);
	return r < 0 ? r : x.status;
}

int attach_wait(const struct box *b, int *status, struct err *e)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Nothing none = VIAL__KEEP__NOTHING__INIT;
	autoclose int fd = keep_dial(b->dir, e);
	Vial__Keep__Answer *a = NULL;
	struct box_info info = { 0 };
	bool told = false;

	m.op_case = VIAL__KEEP__CALL__OP_WAIT;
	m.wait = &none;
	if (fd >= 0 && keep_send(fd, &m, NULL, 0, e) == 0)
		a = keep_recv(fd);
	if (a && a->ended) {
		told = true;
		*status = (int)a->ended->status;
	}
	if (a)
		vial__keep__answer__free_unpacked(a, NULL);
	if (told)
		return 0;
	if (state_read(b, &info, e) < 0)
		return -e->code;
	*status = info.exit_status;
	return 0;
}
