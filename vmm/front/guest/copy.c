/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/copy.h"

#include "base/auto.h"
#include "base/fd.h"
#include "guest/dial.h"
#include "guest/pack.h"
#include "guest/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

char *copy_in_target(const struct spec_copy *what)
{
	size_t len = (size_t)(base_name(what->guest) - what->guest);

	if (!is_file(what->host))
		return strdup(what->guest);
	return len > 1 ? strndup(what->guest, len - 1) : strdup("/");
}

static int do_in(const void *arg, int fd, struct copy_result *res,
		 struct err *e)
{
	const struct spec_copy *what = arg;
	bool to_root = strcmp(what->guest, "/") == 0;
	struct pack_stats st = { 0 };
	int r = pack_tree(what->host, base_name(what->guest), to_root, fd, &st,
			  e);

	res->entries = st.entries;
	res->bytes = st.bytes;
	if (r == 0)
		shutdown(fd, SHUT_WR);
	return r;
}

static int do_out(const void *arg, int fd, struct copy_result *res,
		  struct err *e)
{
	const struct spec_copy *what = arg;
	struct unpack_stats st = { 0 };
	int r = unpack_tree(fd, what->host, base_name(what->guest), &st, e);

	res->entries = st.entries;
	res->bytes = st.bytes;
	res->left_out = st.left_out;
	memcpy(res->first_left_out, st.first_left_out,
	       sizeof(res->first_left_out));
	return r;
}

/* The agent's answer comes before anything else on a stream. */
static int take_answer(int fd, struct err *e)
{
	struct dial d = { 0 };

	while (!d.done) {
		uint8_t byte;

		/* One at a time: what follows belongs to the archive. */
		if (fd_read_full(fd, &byte, 1) != 1 ||
		    dial_answer(&d, &byte, 1) < 0)
			return err_set(e, ECONNRESET,
				       "the guest does not answer");
	}
	return 0;
}

static void child(copy_job *job, const void *what, int fd, int pipe_fd,
		  pid_t parent)
{
	int low = MIN(fd, pipe_fd), high = MAX(fd, pipe_fd);
	struct copy_result res = { 0 };
	sigset_t none;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_NAME, "vial-copy");
	sigemptyset(&none);
	/* Interrupting is the client's business, which kills us. */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (low > 3)
		syscall(SYS_close_range, 3, low - 1, 0);
	if (high > low + 1)
		syscall(SYS_close_range, low + 1, high - 1, 0);
	syscall(SYS_close_range, high + 1, ~0u, 0);
	r = fd_set_nonblock(fd, false);
	if (r == 0)
		r = take_answer(fd, &res.err);
	if (r == 0)
		r = job(what, fd, &res, &res.err);
	if (r == 0)
		res.err.code = 0;
	_exit(fd_write_full(pipe_fd, &res, sizeof(res)) < 0);
}

static void result_ready(struct watch *w, uint32_t events)
{
	struct copy *c = container_of(w, struct copy, watch);
	ssize_t n = fd_read_full(w->fd, &c->result, sizeof(c->result));

	(void)events;
	if (n != sizeof(c->result)) {
		c->result = (struct copy_result){ 0 };
		err_set(&c->result.err, ECHILD, "the copying process died");
	}
	copy_fini(c);
	c->done(c);
}

int copy_start(struct copy *c, struct loop *l, copy_job *job, const void *what,
	       int fd, struct err *e)
{
	pid_t self = getpid();
	int p[2];

	c->loop = l;
	c->result = (struct copy_result){ 0 };
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	c->pid = fork();
	if (c->pid < 0) {
		err_sys(e, "fork");
		close(p[0]);
		close(p[1]);
		return -e->code;
	}
	if (c->pid == 0)
		child(job, what, fd, p[1], self);
	close(p[1]);
	c->watch = (struct watch){ .fd = p[0],
				   .name = "copy",
				   .ready = result_ready };
	c->running = true;
	if (loop_add(l, &c->watch, EPOLLIN, e) < 0) {
		copy_fini(c);
		return -e->code;
	}
	return 0;
}

int copy_in_start(struct copy *c, struct loop *l, const struct spec_copy *what,
		  int fd, struct err *e)
{
	return copy_start(c, l, do_in, what, fd, e);
}

int copy_out_start(struct copy *c, struct loop *l, const struct spec_copy *what,
		   int fd, struct err *e)
{
	return copy_start(c, l, do_out, what, fd, e);
}

void copy_fini(struct copy *c)
{
	if (!c->running)
		return;
	c->running = false;
	loop_del(c->loop, &c->watch);
	close(c->watch.fd);
	/* Done or not: it has nothing left that we wait for. */
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
