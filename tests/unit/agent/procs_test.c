/* SPDX-License-Identifier: Apache-2.0 */
/* The list of processes, with names and arguments that want to break it. */
#include "tests/guest/peer.h"

#include "agent/proc.h"
#include "base/auto.h"
#include "proto/wire.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t key = 1;

static int start(void **state)
{
	static struct peer p;

	peer_start(&p);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	peer_stop(*state);
	return 0;
}

static Vial__Agent__Event *ask(struct peer *p)
{
	Vial__Agent__Processes m = VIAL__AGENT__PROCESSES__INIT;

	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_PROCESSES, &m);
	return peer_expect(&p->control, VIAL__AGENT__EVENT__EV_PROCESSES);
}

static const Vial__Agent__Process *find(const Vial__Agent__Event *ev, pid_t pid)
{
	for (size_t i = 0; i < ev->processes->n_processes; i++)
		if (ev->processes->processes[i]->pid == (uint32_t)pid)
			return ev->processes->processes[i];
	return NULL;
}

static void a_command(void **state)
{
	struct peer *p = *state;
	char cat[] = "cat", root[] = "0";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(cat));
	const Vial__Agent__Process *one;
	Vial__Agent__Event *ev;
	int in, out;
	pid_t pid;

	x.tty = true;
	x.stdin = true;
	x.stderr = false;
	x.user = geteuid() == 0 ? root : x.user;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED);
	pid = (pid_t)ev->started->pid;
	peer_free(ev);
	in = peer_stream(p, x.key, 0);
	out = peer_stream(p, x.key, 1);
	ev = ask(p);
	one = find(ev, pid);
	assert_non_null(one);
	assert_int_equal(one->ppid, p->agent);
	assert_int_equal(one->uid, geteuid());
	if (geteuid() == 0)
		assert_string_equal(one->user, "root");
	assert_string_equal(one->comm, "cat");
	assert_string_equal(one->args, "cat");
	assert_int_equal(strncmp(one->tty, "pts/", 4), 0);
	assert_int_equal(strlen(one->state), 1);
	assert_true(one->vsz_bytes > 0 && one->rss_bytes <= one->vsz_bytes);
	assert_true(one->start_s <= (uint64_t)time(NULL) + 1);
	/* The agent is not of the guest's. */
	assert_null(find(ev, p->agent));
	assert_non_null(find(ev, getpid()));
	for (size_t i = 1; i < ev->processes->n_processes; i++)
		assert_true(ev->processes->processes[i]->pid >
			    ev->processes->processes[i - 1]->pid);
	peer_free(ev);
	kill(pid, SIGKILL);
	close(in);
	free(peer_read_all(out, NULL));
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED));
}

/* A process of the test's that waits until its input ends. */
static pid_t waiter(const char *name, const char *arg, int in)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(in, 0);
		execlp("cat", name, "-", arg, (char *)NULL);
		_exit(1);
	}
	return pid;
}

static void odd_names(void **state)
{
	struct peer *p = *state;
	const Vial__Agent__Process *one;
	Vial__Agent__Event *ev;
	struct proc q;
	char byte;
	int pipe_fd[2];
	pid_t pid;

	assert_int_equal(pipe(pipe_fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_NAME, ") R 1 (\n 9");
		assert_int_equal(write(pipe_fd[1], "r", 1), 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
	assert_true(proc_read(pid, &q));
	assert_string_equal(q.comm, ") R 1 (? 9");
	assert_int_equal(q.ppid, getpid());
	ev = ask(p);
	one = find(ev, pid);
	assert_non_null(one);
	assert_string_equal(one->comm, ") R 1 (? 9");
	peer_free(ev);
	kill(pid, SIGKILL);
	/* A zombie has a name and no arguments. */
	waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT | WNOHANG);
	while (!proc_read(pid, &q) || q.state != 'Z')
		usleep(1000);
	ev = ask(p);
	one = find(ev, pid);
	assert_non_null(one);
	assert_string_equal(one->args, "[) R 1 (? 9]");
	assert_string_equal(one->state, "Z");
	peer_free(ev);
	waitpid(pid, NULL, 0);
	assert_false(proc_read(pid, &q));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* The list is read while those that are on it end. */
static void come_and_go(void **state)
{
	struct peer *p = *state;
	char text[] = "while :; do for i in 1 2 3 4; do (:) & done; wait; done";
	char sh[] = "/bin/sh", dash_c[] = "-c";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	Vial__Agent__Event *ev;
	pid_t pid;

	x.stdout = x.stderr = false;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED);
	pid = (pid_t)ev->started->pid;
	peer_free(ev);
	for (int i = 0; i < 300; i++) {
		ev = ask(p);
		assert_non_null(find(ev, pid));
		assert_null(find(ev, 0));
		peer_free(ev);
	}
	kill(-pid, SIGKILL);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED));
}

#define MANY 320

/* More than a frame holds. */
static void too_many(void **state)
{
	struct peer *p = *state;
	static char arg[8000];
	static pid_t pid[MANY];
	const Vial__Agent__Process *last;
	Vial__Agent__Event *ev;
	size_t seen = 0;
	int pipe_fd[2];
	struct proc q;

	memset(arg, 'x', sizeof(arg) - 1);
	arg[100] = '\n';
	assert_int_equal(pipe(pipe_fd), 0);
	for (int i = 0; i < MANY; i++)
		pid[i] = waiter("cat", arg, pipe_fd[0]);
	for (int i = 0; i < MANY; i++)
		while (!proc_read(pid[i], &q) || strcmp(q.comm, "cat") != 0)
			usleep(1000);
	ev = ask(p);
	assert_true(protobuf_c_message_get_packed_size(&ev->base) < WIRE_MAX);
	for (int i = 0; i < MANY; i++) {
		const Vial__Agent__Process *one = find(ev, pid[i]);

		if (!one)
			continue;
		seen++;
		assert_int_equal(strlen(one->args), 4096);
		assert_null(strchr(one->args, '\n'));
	}
	assert_true(seen > 200 && seen < MANY);
	last = ev->processes->processes[ev->processes->n_processes - 1];
	assert_int_equal(last->pid, 0);
	assert_int_equal(strncmp(last->args, "... ", 4), 0);
	assert_true(strtoul(last->args + 4, NULL, 10) >= MANY - seen);
	peer_free(ev);
	for (int i = 0; i < MANY; i++)
		kill(pid[i], SIGKILL);
	for (int i = 0; i < MANY; i++)
		waitpid(pid[i], NULL, 0);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command),
		cmocka_unit_test(odd_names),
		cmocka_unit_test(come_and_go),
		cmocka_unit_test(too_many),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
