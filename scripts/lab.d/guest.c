/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest - the first process of the lab: sets it up, runs one command.
 *
 * A thread per stream moves bytes between the command's pipe and its port, one
 * reads control records, the main thread reaps. When the command has ended, what
 * is in its pipes is still delivered, but nobody waits for a background process
 * that holds them open: its life ends with the lab. See relay.h.
 */
#include "relay.h"
#include "setup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct stream {
	int pipe; /* our end of the command's pipe */
	int port;
	int kick; /* eventfd: gone or over has changed */
	pthread_t thread;
	/* under guest.lock */
	uint64_t moved;
	uint64_t end;
	bool ended; /* end is known */
	bool gone;  /* nobody wants the bytes */
	bool over;  /* the command has exited */
};

struct job {
	char *cwd, *rw, *modules;
	char **argv, **envp;
};

static struct guest {
	struct stream stream[RELAY_NSTREAMS];
	int control;
	pthread_mutex_t lock;
} guest = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void tell(uint32_t type, uint32_t stream, uint64_t value)
{
	struct relay_record r = { type, stream, value };

	pthread_mutex_lock(&guest.lock);
	if (relay_write(guest.control, &r, sizeof(r)) < 0)
		setup_die("control port");
	pthread_mutex_unlock(&guest.lock);
}

/* Under guest.lock: the command sees the end of its input. */
static void close_if_ended(struct stream *s)
{
	if (s->pipe < 0 || !(s->gone || (s->ended && s->moved >= s->end)))
		return;
	close(s->pipe);
	s->pipe = -1;
}

static void *move_in(void *arg)
{
	struct stream *s = arg;
	char *buf = malloc(RELAY_CHUNK);
	ssize_t n;

	while ((n = read(s->port, buf, RELAY_CHUNK)) > 0 ||
	       (n < 0 && errno == EINTR)) {
		if (n < 0)
			continue;
		if (!s->gone && relay_write(s->pipe, buf, (uint64_t)n) < 0) {
			s->gone = true;
			tell(RELAY_GONE, RELAY_IN, 0);
		}
		pthread_mutex_lock(&guest.lock);
		s->moved += (uint64_t)n;
		close_if_ended(s);
		pthread_mutex_unlock(&guest.lock);
	}
	return NULL;
}

/* Bytes to move (> 0), 0 at the end. Blocks only while the command runs. */
static ssize_t next_bytes(struct stream *s, char *buf)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = s->pipe, .events = POLLIN },
			{ .fd = s->kick, .events = POLLIN },
		};
		eventfd_t kicks;
		bool over, gone;
		ssize_t n;

		pthread_mutex_lock(&guest.lock);
		over = s->over;
		gone = s->gone;
		pthread_mutex_unlock(&guest.lock);
		if (gone)
			return 0;
		n = read(s->pipe, buf, RELAY_CHUNK);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n < 0 ? 0 : n;
		if (over)
			return 0;
		if (poll(p, 2, -1) > 0 && p[1].revents)
			eventfd_read(s->kick, &kicks);
	}
}

static void *move_out(void *arg)
{
	struct stream *s = arg;
	char *buf = malloc(RELAY_CHUNK);
	ssize_t n;

	while ((n = next_bytes(s, buf)) > 0) {
		if (relay_write(s->port, buf, (uint64_t)n) < 0)
			setup_die("output port");
		s->moved += (uint64_t)n;
	}
	close(s->pipe);
	tell(RELAY_END, (uint32_t)(s - guest.stream), s->moved);
	return NULL;
}

static void *read_control(void *arg)
{
	struct relay_record r;

	(void)arg;
	while (relay_read(guest.control, &r, sizeof(r)) > 0) {
		struct stream *s = &guest.stream[r.stream % RELAY_NSTREAMS];

		pthread_mutex_lock(&guest.lock);
		if (r.type == RELAY_END) {
			s->end = r.value;
			s->ended = true;
			close_if_ended(s);
		} else if (r.type == RELAY_GONE) {
			s->gone = true;
			eventfd_write(s->kick, 1);
		}
		pthread_mutex_unlock(&guest.lock);
	}
	return NULL;
}

/* Cut the job's strings apart; they stay where they are. */
static void read_job(struct job *j)
{
	char **word, *buf, *p;
	relay_size_t size;
	size_t n = 0;
	int argc;

	if (relay_read(guest.control, &size, sizeof(size)) <= 0 ||
	    size > RELAY_JOB_MAX || !(buf = calloc(1, size + 1)) ||
	    relay_read(guest.control, buf, size) <= 0)
		setup_die("reading the job");
	word = calloc(size + 3, sizeof(*word));
	if (!word)
		setup_die("memory");
	for (p = buf; p < buf + size; p += strlen(p) + 1)
		word[n++] = p;
	argc = n > 3 ? atoi(word[3]) : 0;
	if (argc < 1 || (size_t)argc + 4 > n)
		setup_die("the job makes no sense");
	*j = (struct job){ word[0], word[1], word[2], word + 4, NULL };
	/* A NULL between the arguments and the environment. */
	memmove(word + 4 + argc + 1, word + 4 + argc,
		(n - 4 - (size_t)argc) * sizeof(*word));
	word[4 + argc] = NULL;
	j->envp = word + 4 + argc + 1;
}

static _Noreturn void run(const struct job *j, const int *fd)
{
	int status;

	setsid();
	for (int i = 0; i < RELAY_NSTREAMS; i++)
		dup2(fd[i], i);
	signal(SIGPIPE, SIG_DFL);
	if (chdir(j->cwd) < 0) {
		dprintf(2, "lab: %s: %s\n", j->cwd, strerror(errno));
		_exit(125);
	}
	environ = j->envp;
	execvp(j->argv[0], j->argv);
	status = errno == ENOENT ? 127 : 126;
	dprintf(2, "lab: %s: %s\n", j->argv[0], strerror(errno));
	_exit(status);
}

static pid_t start(const struct job *j)
{
	int theirs[RELAY_NSTREAMS];
	pid_t pid;

	for (int i = 0; i < RELAY_NSTREAMS; i++) {
		struct stream *s = &guest.stream[i];
		int ours = i == RELAY_IN ? 1 : 0, p[2];

		if (pipe2(p, O_CLOEXEC) < 0)
			setup_die("pipe");
		fcntl(p[0], F_SETPIPE_SZ, RELAY_CHUNK);
		s->pipe = p[ours];
		theirs[i] = p[!ours];
		if (i != RELAY_IN)
			fcntl(s->pipe, F_SETFL, O_NONBLOCK);
		s->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	pid = fork();
	if (pid < 0)
		setup_die("fork");
	if (pid == 0)
		run(j, theirs);
	for (int i = 0; i < RELAY_NSTREAMS; i++)
		close(theirs[i]);
	return pid;
}

static void start_threads(void)
{
	pthread_t t;

	for (int i = 0; i < RELAY_NSTREAMS; i++)
		if (pthread_create(&guest.stream[i].thread, NULL,
				   i == RELAY_IN ? move_in : move_out,
				   &guest.stream[i]) != 0)
			setup_die("thread");
	if (pthread_create(&t, NULL, read_control, NULL) != 0)
		setup_die("thread");
}

/* The command's exit status as a shell would give it; reaps all orphans. */
static int wait_for(pid_t pid)
{
	int status;
	pid_t got;

	while ((got = waitpid(-1, &status, 0)) != pid)
		if (got < 0 && errno != EINTR)
			setup_die("wait");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

int main(void)
{
	struct job job;
	pid_t pid;
	int status;

	signal(SIGPIPE, SIG_IGN);
	setup_devices();
	guest.control = setup_port(RELAY_PORT_CONTROL);
	for (int i = 0; i < RELAY_NSTREAMS; i++)
		guest.stream[i].port = setup_port(RELAY_PORT_IN + i);
	read_job(&job);
	setup_root(job.rw);
	setup_system(job.modules);
	tell(RELAY_READY, 0, 0);

	pid = start(&job);
	start_threads();
	status = wait_for(pid);
	for (int i = RELAY_OUT; i <= RELAY_ERR; i++) {
		pthread_mutex_lock(&guest.lock);
		guest.stream[i].over = true;
		pthread_mutex_unlock(&guest.lock);
		eventfd_write(guest.stream[i].kick, 1);
		pthread_join(guest.stream[i].thread, NULL);
	}
	sync();
	tell(RELAY_EXIT, 0, (uint64_t)status);
	for (;;)
		pause(); /* lab-host pulls the plug */
}
