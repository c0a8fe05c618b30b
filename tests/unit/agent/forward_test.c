/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets out of the guest and into it. */
#include "tests/guest/peer.h"

#include "agent/forward.h"
#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

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

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return a;
}

static int call(const char *path)
{
	struct sockaddr_un to = address(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void ask_listen(struct chan *c, uint64_t key, char *path)
{
	Vial__Agent__Listen l = VIAL__AGENT__LISTEN__INIT;

	l.key = key;
	l.path = path;
	peer_request(c, VIAL__AGENT__REQUEST__OP_LISTEN, &l);
}

/* Everything asked for before has been done. */
static void settled(struct chan *c)
{
	Vial__Agent__Stats s = VIAL__AGENT__STATS__INIT;

	peer_request(c, VIAL__AGENT__REQUEST__OP_STATS, &s);
	peer_free(peer_expect(c, VIAL__AGENT__EVENT__EV_STATS));
}

static uint64_t called(struct chan *c, uint64_t key)
{
	Vial__Agent__Event *ev = peer_expect(c, VIAL__AGENT__EVENT__EV_CALLED);
	uint64_t n = ev->called->call;

	assert_int_equal(ev->called->key, key);
	assert_int_not_equal(n, 0);
	peer_free(ev);
	return n;
}

static void says(int from, int to, const char *text)
{
	size_t len = strlen(text);
	char got[64] = "";

	assert_int_equal(fd_write_full(from, text, len), 0);
	assert_int_equal(fd_read_full(to, got, len), len);
	assert_string_equal(got, text);
}

static void out(void **state)
{
	struct peer *p = *state;
	char path[64], got[8];
	struct stat st;
	int fd[3], host[3];

	snprintf(path, sizeof(path), "%s/a/b/sock", p->dir);
	ask_listen(&p->control, 7, path);
	settled(&p->control);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0666);
	for (int i = 0; i < 3; i++) {
		fd[i] = call(path);
		host[i] = peer_stream(p, called(&p->control, 7), 4);
		says(fd[i], host[i], "from the guest");
	}
	for (int i = 0; i < 3; i++) {
		says(host[i], fd[i], "from the host");
		shutdown(fd[i], SHUT_WR);
		assert_int_equal(read(host[i], got, 1), 0);
		says(host[i], fd[i], "still there");
		close(host[i]);
		assert_int_equal(read(fd[i], got, 1), 0);
		close(fd[i]);
	}
}

/* Whoever is not wanted is told so; and a stream for nobody ends. */
static void sent_away(void **state)
{
	struct peer *p = *state;
	Vial__Agent__HangUp h = VIAL__AGENT__HANG_UP__INIT;
	char path[64], c;
	int fd, host;

	snprintf(path, sizeof(path), "%s/sock", p->dir);
	ask_listen(&p->control, 8, path);
	settled(&p->control);
	fd = call(path);
	h.call = called(&p->control, 8);
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_HANG_UP, &h);
	assert_int_equal(read(fd, &c, 1), 0);
	close(fd);
	host = peer_stream(p, h.call, 4);
	assert_int_equal(read(host, &c, 1), 0);
	close(host);
	host = peer_stream(p, 0, 4);
	assert_int_equal(read(host, &c, 1), 0);
	close(host);
	h.call = 0;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_HANG_UP, &h);
	settled(&p->control);
}

/* A call that a command made is told of before the command's end is. */
static void told_before_the_end(void **state)
{
	struct peer *p = *state;
	char path[64], sh[] = "/bin/sh", dash_c[] = "-c",
		       text[] = "exec python3 -c 'import socket,sys\n"
				"s = socket.socket(socket.AF_UNIX)\n"
				"s.connect(sys.argv[1]); s.send(b\"last\")' $0";
	Vial__Agent__Exec x = peer_exec(77, PEER_ARGS(sh, dash_c, text, path));
	int host;

	snprintf(path, sizeof(path), "%s/sock", p->dir);
	ask_listen(&p->control, 8, path);
	x.stdout = x.stderr = false;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	host = peer_stream(p, called(&p->control, 8), 4);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED));
	free(peer_read_all(host, NULL));
}

static void refused(void **state)
{
	struct peer *p = *state;
	char relative[] = "sock", nowhere[] = "/proc/none/sock", dir[64],
	     far[300];
	char *const bad[] = { relative, nowhere, dir, far };
	struct chan c;

	snprintf(dir, sizeof(dir), "%s", p->dir);
	memset(far, 'a', sizeof(far) - 1);
	far[0] = '/';
	far[sizeof(far) - 1] = '\0';
	peer_control(p, &c);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		Vial__Agent__Event *ev;

		ask_listen(&c, 100 + i, bad[i]);
		ev = peer_expect(&c, VIAL__AGENT__EVENT__EV_FAILED);
		assert_int_equal(ev->failed->key, 100 + i);
		peer_free(ev);
	}
	/* Files stay, and sockets of an earlier life do not. */
	peer_hang_up(&c);
	assert_int_equal(access(p->dir, F_OK), 0);
}

/* It ends with who asked for it, and a later one gets the place. */
static void owner_gone(void **state)
{
	struct peer *p = *state;
	char path[64];
	struct chan c;

	snprintf(path, sizeof(path), "%s/sock", p->dir);
	peer_control(p, &c);
	ask_listen(&c, 1, path);
	settled(&c);
	assert_int_equal(access(path, F_OK), 0);
	peer_hang_up(&c);
	while (access(path, F_OK) == 0)
		settled(&p->control);
	ask_listen(&p->control, 2, path);
	ask_listen(&p->control, 3, path);
	settled(&p->control);
	close(call(path));
	called(&p->control, 3);
}

/* More callers than may be: the others wait for their turn. */
static void too_many(void **state)
{
	struct peer *p = *state;
	enum { N = FORWARD_CALLS + 20 };
	static int fd[N];
	char path[64];

	snprintf(path, sizeof(path), "%s/sock", p->dir);
	ask_listen(&p->control, 9, path);
	settled(&p->control);
	for (int i = 0; i < N; i++)
		assert_true((fd[i] = call(path)) >= 0);
	for (int i = 0; i < N; i++) {
		int host = peer_stream(p, called(&p->control, 9), 4);

		/* In the order of their calls. */
		says(host, fd[i], "you");
		close(host);
		close(fd[i]);
	}
}

static int dial(const struct peer *p, char *path, const char *early)
{
	Vial__Agent__Request q = VIAL__AGENT__REQUEST__INIT;
	Vial__Agent__Dial d = VIAL__AGENT__DIAL__INIT;
	struct chan c;
	int fd = peer_connect(p);

	d.path = path;
	q.op_case = VIAL__AGENT__REQUEST__OP_DIAL;
	q.dial = &d;
	chan_init(&c, fd);
	chan_put(&c, &q.base);
	buf_append(&c.out, early, strlen(early));
	assert_int_equal(chan_flush(&c), 1);
	chan_fini(&c);
	return fd;
}

static void in(void **state)
{
	struct peer *p = *state;
	char path[64], relative[] = "sock", got[8] = "";
	struct sockaddr_un at;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), host, guest;

	snprintf(path, sizeof(path), "%s/service", p->dir);
	at = address(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	/* Nobody listens, or can. */
	host = dial(p, path, "");
	assert_int_equal(read(host, got, 1), 0);
	close(host);
	host = dial(p, relative, "");
	assert_int_equal(read(host, got, 1), 0);
	close(host);
	assert_int_equal(listen(fd, 1), 0);
	host = dial(p, path, "early");
	guest = accept(fd, NULL, NULL);
	assert_int_equal(fd_read_full(guest, got, 5), 5);
	assert_string_equal(got, "early");
	says(host, guest, "more");
	says(guest, host, "answer");
	close(guest);
	assert_int_equal(read(host, got, 1), 0);
	close(host);
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(out),	    T(sent_away),  T(told_before_the_end),
		T(refused), T(owner_gone), T(too_many),
		T(in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
