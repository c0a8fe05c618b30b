/* SPDX-License-Identifier: Apache-2.0 */
/* A box that is waited for. */
#include "run/attach.h"
#include "run/keep.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct err e;

static char dir[64];
static struct box box;
static struct box_info info;

static int start(void **state)
{
	char path[96];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vial-attach-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/run", dir);
	setenv("VIAL_RUNDIR", path, 1);
	snprintf(path, sizeof(path), "%s/data", dir);
	setenv("VIAL_DATADIR", path, 1);
	info = (struct box_info){ .status = "running" };
	state_new_id(info.id);
	alarm(120);
	return state_create(&box, &info, &e);
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	alarm(0);
	state_remove(&box);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static void waits(struct keep_client *c, const Vial__Keep__Call *m)
{
	if (m->op_case != VIAL__KEEP__CALL__OP_WAIT)
		return;
	c->waits = true;
	keep_ended(c->keep, 42, false, "");
}

static void left(struct keep_client *c)
{
	(void)c;
	_exit(0);
}

/* Its keeper tells the end; the status in the record is another. */
static void the_keeper_tells(void **state)
{
	int status = -1, ready[2];
	char c = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct keep k = { .called = waits, .left = left };
		struct loop loop;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (loop_init(&loop, NULL, &e) < 0 ||
		    keep_open(&k, &loop, box.dir, &e) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		loop_run(&loop);
		_exit(1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(attach_wait(&box, &status, &e), 0);
	assert_int_equal(status, 42);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ready[0]);
	close(ready[1]);
}

/* Nobody keeps it: what is written down. */
static void the_record_tells(void **state)
{
	int status = -1;

	(void)state;
	snprintf(info.status, sizeof(info.status), "exited");
	info.exit_status = 7;
	assert_int_equal(state_write(&box, &info, &e), 0);
	assert_int_equal(attach_wait(&box, &status, &e), 0);
	assert_int_equal(status, 7);
}

static void nobody_to_attach_to(void **state)
{
	const struct attach a = { .out = true };

	(void)state;
	assert_true(attach_box(&box, &a, &e) < 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(the_keeper_tells),
		T(the_record_tells),
		T(nobody_to_attach_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
