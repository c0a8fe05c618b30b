/* SPDX-License-Identifier: Apache-2.0 */
/* One command, from Exec to Exited. */
#include "tests/guest/peer.h"

#include "base/auto.h"
#include "base/fd.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char sh[] = "/bin/sh", dash_c[] = "-c";
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

static void exit_status(void **state)
{
	struct peer_result r;

	peer_sh(*state, "echo out; echo err >&2; exit 7", &r);
	assert_false(r.failed);
	assert_int_equal(r.status, 7);
	assert_int_equal(r.signal, 0);
	assert_false(r.timed_out || r.oom_killed || r.cut);
	assert_string_equal(r.out, "out\n");
	assert_string_equal(r.err, "err\n");
	assert_true(r.rss_bytes > 0);
	assert_true(r.wall_us > 0);
	peer_result_fini(&r);
}

static void death_by_signal(void **state)
{
	struct peer_result r;

	peer_sh(*state, "kill -SEGV $$", &r);
	assert_int_equal(r.signal, SIGSEGV);
	assert_int_equal(r.status, 0);
	peer_result_fini(&r);
}

static void expect_failure(struct peer *p, Vial__Agent__Exec *x,
			   Vial__Agent__Failed__Kind kind, const char *text)
{
	struct peer_result r;

	peer_run(p, x, NULL, &r);
	assert_true(r.failed);
	assert_string_equal(r.message, text);
	assert_int_equal(r.kind, kind);
}

static void not_found(void **state)
{
	char name[] = "no-such-program", path[] = "/no/such", none[] = "";
	char script[128], text[400];
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(name));
	struct peer *p = *state;
	FILE *f;

	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_FOUND,
		       "exec: \"no-such-program\": executable file not found "
		       "in $PATH");
	x = peer_exec(key++, PEER_ARGS(path));
	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_FOUND,
		       "exec: \"/no/such\": no such file or directory");
	x = peer_exec(key++, PEER_ARGS(none));
	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_FOUND,
		       "exec: \"\": executable file not found in $PATH");
	snprintf(script, sizeof(script), "%s/script", p->dir);
	f = fopen(script, "w");
	fputs("#!/no/interpreter\n", f);
	fclose(f);
	chmod(script, 0755);
	x = peer_exec(key++, PEER_ARGS(script));
	snprintf(text, sizeof(text),
		 "exec: \"%s\": No such file or directory (the interpreter "
		 "or loader it names is missing)",
		 script);
	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_FOUND, text);
}

static void not_executable(void **state)
{
	char dir[] = "/etc", file[128], text[300];
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(dir));
	struct peer *p = *state;
	FILE *f;

	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE,
		       "exec: \"/etc\": permission denied");
	snprintf(file, sizeof(file), "%s/text", p->dir);
	f = fopen(file, "w");
	fputs("no program\n", f);
	fclose(f);
	chmod(file, 0644);
	x = peer_exec(key++, PEER_ARGS(file));
	snprintf(text, sizeof(text), "exec: \"%s\": permission denied", file);
	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE, text);
	chmod(file, 0755);
	x = peer_exec(key++, PEER_ARGS(file));
	snprintf(text, sizeof(text), "exec: \"%s\": exec format error", file);
	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE, text);
}

static void many_arguments(void **state)
{
	static char *argv[1002];
	Vial__Agent__Exec x;
	struct peer_result r;
	char name[] = "printf", format[] = "%s.", a[] = "a";

	argv[0] = name;
	argv[1] = format;
	for (int i = 2; i < 1001; i++)
		argv[i] = a;
	x = peer_exec(key++, argv);
	peer_run(*state, &x, NULL, &r);
	assert_false(r.failed);
	assert_int_equal(r.out_len, 2 * 999);
	peer_result_fini(&r);
}

/* A folder of PATH that may not be searched does not hide the next one; a
 * file there that may not be executed is told when nothing else is found. */
static void search_path(void **state)
{
	struct peer *p = *state;
	char path[200], name[] = "tool", cmd[400];
	Vial__Agent__Exec x;
	struct peer_result r;

	snprintf(cmd, sizeof(cmd),
		 "mkdir %s/p1 %s/p2; echo x > %s/p1/tool; "
		 "printf '#!/bin/sh\\necho tool runs\\n' > %s/p2/tool; "
		 "chmod 755 %s/p2/tool",
		 p->dir, p->dir, p->dir, p->dir, p->dir);
	assert_int_equal(system(cmd), 0);
	snprintf(path, sizeof(path), "PATH=%s/p1:/nonexistent:%s/p2", p->dir,
		 p->dir);
	x = peer_exec(key++, PEER_ARGS(name));
	x.env = PEER_ARGS(path);
	x.n_env = 1;
	peer_run(p, &x, NULL, &r);
	assert_false(r.failed);
	assert_string_equal(r.out, "tool runs\n");
	peer_result_fini(&r);
	snprintf(path, sizeof(path), "PATH=%s/p1:/nonexistent", p->dir);
	x.key = key++;
	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE,
		       "exec: \"tool\": permission denied");
}

static void working_directory(void **state)
{
	struct peer *p = *state;
	char pwd[] = "pwd", nope[] = "/nope", usr[] = "/usr", made[64];
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, pwd));
	struct peer_result r;

	x.cwd = nope;
	expect_failure(p, &x, VIAL__AGENT__FAILED__KIND__BAD_CWD,
		       "chdir to cwd (\"/nope\"): no such file or directory");
	x.key = key++;
	x.cwd = usr;
	peer_run(p, &x, NULL, &r);
	assert_string_equal(r.out, "/usr\n");
	peer_result_fini(&r);
	snprintf(made, sizeof(made), "%s/one/two", p->dir);
	x.key = key++;
	x.cwd = made;
	x.make_cwd = true;
	peer_run(p, &x, NULL, &r);
	assert_false(r.failed);
	assert_int_equal(strncmp(r.out, made, strlen(made)), 0);
	peer_result_fini(&r);
}

static void environment(void **state)
{
	char env[] = "env", one[] = "ONE=1", two[] = "TWO=with = and spaces";
	char home[] = "HOME=/mine";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(env));
	struct peer_result r;

	x.env = PEER_ARGS(one, two, home);
	x.n_env = 3;
	peer_run(*state, &x, NULL, &r);
	assert_string_equal(r.out,
			    "ONE=1\nTWO=with = and spaces\nHOME=/mine\n"
			    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			    "/usr/bin:/sbin:/bin\n");
	peer_result_fini(&r);
}

static void users(void **state)
{
	char user[64], id[] = "echo $(id -u):$(id -g):$(id -G) $HOME; "
			      "echo again > /dev/stdout";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, id));
	char nobody[] = "no-such-user";
	struct peer_result r;

	x.user = nobody;
	expect_failure(*state, &x, VIAL__AGENT__FAILED__KIND__BAD_USER,
		       "unable to find user no-such-user: no matching "
		       "entries in passwd file");
	if (geteuid() == 0)
		snprintf(user, sizeof(user), "54321:12345");
	else
		snprintf(user, sizeof(user), "%u:%u", geteuid(), getegid());
	x.key = key++;
	x.user = user;
	peer_run(*state, &x, NULL, &r);
	assert_false(r.failed);
	if (geteuid() == 0) {
		assert_string_equal(r.out, "54321:12345:12345 /\nagain\n");
		assert_string_equal(r.err, "");
	}
	peer_result_fini(&r);
}

static void limits(void **state)
{
	char text[] = "ulimit -Sn; ulimit -Hn; umask; "
		      "ls /proc/self/fd | wc -l; "
		      "grep -E '^Sig(Blk|Ign)' /proc/self/status";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	Vial__Agent__Rlimit l = VIAL__AGENT__RLIMIT__INIT;
	Vial__Agent__Rlimit *list[] = { &l };
	struct peer_result r;

	l.resource = RLIMIT_NOFILE;
	l.soft = 77;
	l.hard = 99;
	x.rlimits = list;
	x.n_rlimits = 1;
	peer_run(*state, &x, NULL, &r);
	/* 0, 1, 2 and the folder that ls reads: nothing of the agent's. */
	assert_string_equal(r.out, "77\n99\n0022\n4\n"
				   "SigBlk:\t0000000000000000\n"
				   "SigIgn:\t0000000000000000\n");
	peer_result_fini(&r);
}

static void bad_requests(void **state)
{
	Vial__Agent__Exec x = VIAL__AGENT__EXEC__INIT;

	x.key = key++;
	expect_failure(*state, &x, VIAL__AGENT__FAILED__KIND__BAD_REQUEST,
		       "exec: no command");
}

static void key_in_use(void **state)
{
	struct peer *p = *state;
	char cat[] = "cat";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(cat));
	struct peer_result r;
	Vial__Agent__Event *ev;
	int in;

	x.stdin = true;
	x.stdout = x.stderr = false;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_FAILED);
	assert_string_equal(ev->failed->message, "this key is in use");
	peer_free(ev);
	in = peer_stream(p, x.key, 0);
	close(in);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED);
	peer_exited(ev, &r);
	assert_int_equal(r.status, 0);
}

/* Nothing is asked for: the streams are /dev/null. */
static void no_streams(void **state)
{
	char text[] = "cat; echo x; echo y >&2; "
		      "readlink /proc/self/fd/0 | grep -qx /dev/null";
	Vial__Agent__Exec x = peer_exec(key++, PEER_ARGS(sh, dash_c, text));
	struct peer *p = *state;
	struct peer_result r;

	x.stdout = x.stderr = false;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_EXEC, &x);
	peer_free(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STARTED));
	peer_exited(peer_expect(&p->control, VIAL__AGENT__EVENT__EV_EXITED),
		    &r);
	assert_int_equal(r.status, 0);
}

static void orphans_are_reaped(void **state)
{
	struct peer *p = *state;
	struct peer_result r;
	char path[64];

	/* Its parent is gone before it ends; a zombie would stay in /proc. */
	peer_sh(p, "(sleep 0.01 & echo $!)", &r);
	assert_false(r.failed);
	snprintf(path, sizeof(path), "/proc/%d", atoi(r.out));
	while (access(path, F_OK) == 0)
		usleep(1000);
	peer_result_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_status),
		cmocka_unit_test(death_by_signal),
		cmocka_unit_test(not_found),
		cmocka_unit_test(not_executable),
		cmocka_unit_test(many_arguments),
		cmocka_unit_test(search_path),
		cmocka_unit_test(working_directory),
		cmocka_unit_test(environment),
		cmocka_unit_test(users),
		cmocka_unit_test(limits),
		cmocka_unit_test(bad_requests),
		cmocka_unit_test(key_in_use),
		cmocka_unit_test(no_streams),
		cmocka_unit_test(orphans_are_reaped),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
