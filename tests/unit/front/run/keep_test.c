/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's socket: whatever clients do, it goes on for the others. */
#include "run/keep.h"

#include "base/auto.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct {
	char path[64];
	int dir;
	struct loop loop;
	struct keep k;
	unsigned called, left, gone;
	Vial__Keep__Call__OpCase op;
	uint32_t signal;
	char name[64];
	ino_t ino[KEEP_FDS]; /* of what an Attach brought; 0: none */
	int error;	     /* what is answered */
	struct relay *relay; /* that an Attach's output is added to */
} t;
static struct err e;

static void sink_gone(struct relay_sink *s)
{
	(void)s;
	t.gone++;
}

static void on_attach(struct keep_client *c)
{
	for (int i = 0; i < KEEP_FDS; i++) {
		struct stat st;

		t.ino[i] = c->fd[i] >= 0 && fstat(c->fd[i], &st) == 0
				 ? st.st_ino
				 : 0;
	}
	if (t.relay && c->fd[0] >= 0) {
		c->sink[0].gone = sink_gone;
		assert_int_equal(relay_add(t.relay, &c->sink[0], c->fd[0]), 0);
	}
}

static void called(struct keep_client *c, const Vial__Keep__Call *m)
{
	t.called++;
	t.op = m->op_case;
	if (m->op_case == VIAL__KEEP__CALL__OP_SIGNAL)
		t.signal = m->signal->signal;
	if (m->op_case == VIAL__KEEP__CALL__OP_RENAME)
		snprintf(t.name, sizeof(t.name), "%s", m->rename->name);
	if (m->op_case == VIAL__KEEP__CALL__OP_ATTACH)
		on_attach(c);
	if (m->op_case == VIAL__KEEP__CALL__OP_WAIT)
		c->waits = true;
	else if (m->op_case == VIAL__KEEP__CALL__OP_DISK && !t.error)
		keep_answer_fd(c, t.dir);
	else
		keep_answer(c, t.error, t.error ? "so it is" : NULL);
}

static void left(struct keep_client *c)
{
	(void)c;
	t.left++;
}

static int start(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	memset(&t, 0, sizeof(t));
	snprintf(t.path, sizeof(t.path), "/tmp/vial-keep-XXXXXX");
	if (!mkdtemp(t.path))
		return -1;
	t.dir = open(t.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t.k.called = called;
	t.k.left = left;
	alarm(120);
	return loop_init(&t.loop, NULL, &e) < 0 ||
	       keep_open(&t.k, &t.loop, t.dir, &e) < 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	alarm(0);
	keep_close(&t.k);
	loop_fini(&t.loop);
	close(t.dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t.path);
	return system(cmd);
}

static void spin(void)
{
	for (int i = 0; i < 50; i++)
		loop_once(&t.loop, 0);
}

static int dial(void)
{
	int fd = keep_dial(t.dir, &e);

	assert_true(fd >= 0);
	spin();
	return fd;
}

static int open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static Vial__Keep__Nothing nothing = VIAL__KEEP__NOTHING__INIT;

static Vial__Keep__Call plain(Vial__Keep__Call__OpCase op)
{
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;

	m.op_case = op;
	m.detach = &nothing;
	return m;
}

static void send_plain(int fd, Vial__Keep__Call__OpCase op)
{
	Vial__Keep__Call m = plain(op);

	assert_int_equal(keep_send(fd, &m, NULL, 0, &e), 0);
	spin();
}

static int send_attach(int fd, const int *fds, size_t n)
{
	Vial__Keep__Attach a = VIAL__KEEP__ATTACH__INIT;
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	int r;

	m.op_case = VIAL__KEEP__CALL__OP_ATTACH;
	m.attach = &a;
	r = keep_send(fd, &m, fds, n, &e);
	spin();
	return r;
}

/* The next answer's error, -1 at the end. */
static int answer(int fd)
{
	Vial__Keep__Answer *a = keep_recv(fd);
	int error = a ? (int)a->error : -1;

	if (a)
		vial__keep__answer__free_unpacked(a, NULL);
	return error;
}

static bool silent(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       errno == EAGAIN;
}

static bool ended(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void calls_and_answers(void **state)
{
	Vial__Keep__Signal sig = VIAL__KEEP__SIGNAL__INIT;
	Vial__Keep__Rename name = VIAL__KEEP__RENAME__INIT;
	Vial__Keep__Call m = VIAL__KEEP__CALL__INIT;
	Vial__Keep__Answer *a;
	int fd = dial();

	(void)state;
	sig.signal = 15;
	m.op_case = VIAL__KEEP__CALL__OP_SIGNAL;
	m.signal = &sig;
	assert_int_equal(keep_send(fd, &m, NULL, 0, &e), 0);
	name.name = (char *)(uintptr_t) "other";
	m.op_case = VIAL__KEEP__CALL__OP_RENAME;
	m.rename = &name;
	assert_int_equal(keep_send(fd, &m, NULL, 0, &e), 0);
	spin();
	assert_int_equal(t.called, 2);
	assert_int_equal(t.signal, 15);
	assert_string_equal(t.name, "other");
	assert_int_equal(answer(fd), 0);
	assert_int_equal(answer(fd), 0);
	t.error = EEXIST;
	send_plain(fd, VIAL__KEEP__CALL__OP_PAUSE);
	a = keep_recv(fd);
	assert_non_null(a);
	assert_int_equal(a->error, EEXIST);
	assert_string_equal(a->message, "so it is");
	assert_null(a->ended);
	vial__keep__answer__free_unpacked(a, NULL);
	close(fd);
	spin();
	assert_int_equal(t.left, 1);
}

static void asks(void **state)
{
	const int errors[] = { 0, ESRCH };
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			Vial__Keep__Call m =
				plain(VIAL__KEEP__CALL__OP_UNPAUSE);
			int r = keep_ask(t.dir, &m, &e);

			if (r != -errors[i] ||
			    (r && strcmp(e.msg, "so it is") != 0))
				_exit(1);
			_exit(0);
		}
		t.error = errors[i];
		while (t.called <= i)
			loop_once(&t.loop, 100);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(t.op, VIAL__KEEP__CALL__OP_UNPAUSE);
	}
}

static void disk_comes_along(void **state)
{
	const int errors[] = { 0, ENOSYS };
	int status;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			struct stat st[2];
			int before = open_fds(), fd = keep_disk(t.dir, &e);

			fstat(t.dir, &st[0]);
			if (errors[i])
				_exit(fd != -errors[i] || open_fds() != before);
			_exit(fd < 0 || fstat(fd, &st[1]) < 0 ||
			      st[0].st_ino != st[1].st_ino ||
			      open_fds() != before + 1);
		}
		t.error = errors[i];
		while (t.called <= i)
			loop_once(&t.loop, 100);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void nobody_keeps(void **state)
{
	Vial__Keep__Call m = plain(VIAL__KEEP__CALL__OP_PAUSE);
	int fd = dial();

	(void)state;
	keep_close(&t.k);
	assert_int_equal(t.left, 1);
	assert_int_equal(answer(fd), -1);
	close(fd);
	assert_int_equal(keep_dial(t.dir, &e), -ECONNREFUSED);
	assert_int_equal(keep_ask(t.dir, &m, &e), -ECONNREFUSED);
	unlinkat(t.dir, "keep.sock", 0);
	assert_int_equal(keep_dial(t.dir, &e), -ENOENT);
	keep_close(&t.k); /* twice is once */
	/* And again, over what was left. */
	assert_int_equal(keep_open(&t.k, &t.loop, t.dir, &e), 0);
	keep_close(&t.k);
	assert_int_equal(keep_open(&t.k, &t.loop, t.dir, &e), 0);
	close(dial());
}

static void attach_brings_descriptors(void **state)
{
	int fd = dial(), before = open_fds(), p[2];
	struct stat st[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	fstat(p[0], &st[0]);
	fstat(t.dir, &st[1]);
	assert_int_equal(send_attach(fd, (int[]){ p[1], t.dir }, 2), 0);
	assert_int_equal(answer(fd), 0);
	assert_int_equal(t.ino[0], st[0].st_ino);
	assert_int_equal(t.ino[1], st[1].st_ino);
	assert_int_equal(t.ino[2], 0);
	assert_int_equal(open_fds(), before + 4);
	/* Again is refused, and what came along is let go. */
	assert_int_equal(send_attach(fd, (int[]){ p[0] }, 1), 0);
	assert_int_equal(answer(fd), EALREADY);
	assert_int_equal(t.called, 1);
	assert_int_equal(open_fds(), before + 4);
	/* With the client go its descriptors. */
	close(fd);
	spin();
	assert_int_equal(open_fds(), before);
	close(p[1]);
	close(p[0]);
}

static void send_fds(int fd, const void *bytes, size_t len, int nfds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(8 * sizeof(int))];
	} u = { .room = { 0 } };
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = u.room,
			    .msg_controllen =
				    CMSG_SPACE((size_t)nfds * sizeof(int)) };

	u.head.cmsg_level = SOL_SOCKET;
	u.head.cmsg_type = SCM_RIGHTS;
	u.head.cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
	for (int i = 0; i < nfds; i++)
		memcpy(CMSG_DATA(&u.head) + (size_t)i * sizeof(int), &t.dir,
		       sizeof(int));
	assert_int_equal(sendmsg(fd, &m, 0), len);
	spin();
}

static void no_descriptor_stays(void **state)
{
	static const uint8_t garbage[] = { 0xff, 0xff };
	Vial__Keep__Call m = plain(VIAL__KEEP__CALL__OP_PAUSE);
	uint8_t good[64];
	size_t len = vial__keep__call__pack(&m, good);
	int fd = dial(), before = open_fds();

	(void)state;
	for (int n = 1; n <= 8; n++) {
		send_fds(fd, garbage, sizeof(garbage), n);
		send_fds(fd, good, len, n);
		assert_int_equal(answer(fd), EBADMSG);
		assert_int_equal(answer(fd), 0);
		assert_int_equal(open_fds(), before);
	}
	/* Nor with an end. */
	send_fds(fd, "", 0, 3);
	assert_int_equal(t.left, 1);
	assert_true(ended(fd));
	close(fd);
	assert_int_equal(open_fds(), before - 2);
}

static void garbage_is_answered(void **state)
{
	static uint8_t big[100000];
	int fd = dial(), other = dial();

	(void)state;
	memset(big, 0xff, sizeof(big));
	for (size_t n = 1; n < sizeof(big); n = n * 7 + 3) {
		if (send(fd, big, n, 0) < 0)
			break;
		spin();
		assert_int_equal(answer(fd), EBADMSG);
	}
	assert_int_equal(t.called, 0);
	/* It is still heard, and so are others. */
	send_plain(fd, VIAL__KEEP__CALL__OP_DETACH);
	assert_int_equal(answer(fd), 0);
	send_plain(other, VIAL__KEEP__CALL__OP_DETACH);
	assert_int_equal(answer(other), 0);
	assert_int_equal(t.called, 2);
	close(fd);
	close(other);
}

/* One that says nothing we know is a call without an op. */
static void later_calls_are_called(void **state)
{
	static const uint8_t later[] = { 0xf2, 0x06, 0x00 }; /* field 110 */
	int fd = dial();

	(void)state;
	assert_int_equal(send(fd, later, sizeof(later), 0), sizeof(later));
	spin();
	assert_int_equal(t.called, 1);
	assert_int_equal(t.op, VIAL__KEEP__CALL__OP__NOT_SET);
	close(fd);
}

static void the_end_is_told_to_those_who_wait(void **state)
{
	int waits = dial(), other = dial(), also = dial();
	Vial__Keep__Answer *a;

	(void)state;
	send_plain(waits, VIAL__KEEP__CALL__OP_WAIT);
	send_plain(also, VIAL__KEEP__CALL__OP_WAIT);
	assert_true(silent(waits));
	keep_ended(&t.k, 137, true, "killed");
	for (int i = 0; i < 2; i++) {
		a = keep_recv(i ? also : waits);
		assert_non_null(a);
		assert_non_null(a->ended);
		assert_int_equal(a->ended->status, 137);
		assert_true(a->ended->oom_killed);
		assert_string_equal(a->ended->message, "killed");
		vial__keep__answer__free_unpacked(a, NULL);
	}
	assert_true(silent(other));
	/* Everything zero is still a packet, not an end. */
	keep_ended(&t.k, 0, false, "");
	a = keep_recv(waits);
	assert_non_null(a);
	assert_int_equal(a->ended->status, 0);
	vial__keep__answer__free_unpacked(a, NULL);
	close(waits);
	close(other);
	close(also);
}

static void too_many_clients(void **state)
{
	int fd[KEEP_CLIENTS], more;

	(void)state;
	for (int i = 0; i < KEEP_CLIENTS; i++)
		fd[i] = dial();
	assert_int_equal(t.k.count, KEEP_CLIENTS);
	more = dial();
	assert_true(ended(more));
	close(more);
	assert_int_equal(t.k.count, KEEP_CLIENTS);
	assert_int_equal(t.left, 0);
	/* One that goes makes room. */
	close(fd[7]);
	spin();
	assert_int_equal(t.left, 1);
	fd[7] = dial();
	send_plain(fd[7], VIAL__KEEP__CALL__OP_DETACH);
	assert_int_equal(answer(fd[7]), 0);
	for (int i = 0; i < KEEP_CLIENTS; i++)
		close(fd[i]);
	spin();
	spin();
	spin();
	assert_int_equal(t.k.count, 0);
	assert_int_equal(t.left, KEEP_CLIENTS + 1);
}

/* It asks, and never listens: nobody waits for it. */
static void a_client_that_does_not_listen(void **state)
{
	Vial__Keep__Call m = plain(VIAL__KEEP__CALL__OP_DETACH);
	int fd = dial(), other = dial();
	unsigned sent = 0;

	(void)state;
	fd_set_nonblock(fd, true);
	while (sent < 20000 && keep_send(fd, &m, NULL, 0, &e) == 0) {
		sent++;
		loop_once(&t.loop, 0);
	}
	spin();
	assert_int_equal(t.called, sent);
	assert_true(sent > 1000);
	send_plain(other, VIAL__KEEP__CALL__OP_DETACH);
	assert_int_equal(answer(other), 0);
	close(fd);
	close(other);
}

static void nobody_ends(struct relay *r)
{
	(void)r;
}

/* It goes with its sink in a relay: the output goes on without it. */
static void a_client_that_vanishes(void **state)
{
	struct relay relay = { 0 };
	int src[2], own[2], his[2], fd = dial();
	char buf[16];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, src), 0);
	assert_int_equal(pipe(own), 0);
	assert_int_equal(pipe(his), 0);
	assert_int_equal(relay_start(&relay, &t.loop, src[0], own[1], false,
				     nobody_ends, &e),
			 0);
	t.relay = &relay;
	assert_int_equal(send_attach(fd, &his[1], 1), 0);
	assert_int_equal(answer(fd), 0);
	close(his[1]);
	assert_int_equal(write(src[1], "one", 3), 3);
	spin();
	assert_int_equal(read(own[0], buf, sizeof(buf)), 3);
	assert_int_equal(read(his[0], buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "one", 3);
	close(fd);
	spin();
	assert_int_equal(t.left, 1);
	assert_int_equal(t.gone, 0);
	/* Nobody has the other end any more. */
	assert_int_equal(read(his[0], buf, sizeof(buf)), 0);
	assert_int_equal(write(src[1], "two!", 4), 4);
	spin();
	assert_int_equal(read(own[0], buf, sizeof(buf)), 4);
	relay_fini(&relay);
	for (int i = 0; i < 2; i++) {
		close(src[i]);
		close(own[i]);
	}
	close(his[0]);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(calls_and_answers),
		T(asks),
		T(disk_comes_along),
		T(nobody_keeps),
		T(attach_brings_descriptors),
		T(no_descriptor_stays),
		T(garbage_is_answered),
		T(later_calls_are_called),
		T(the_end_is_told_to_those_who_wait),
		T(too_many_clients),
		T(a_client_that_does_not_listen),
		T(a_client_that_vanishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
