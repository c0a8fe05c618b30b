/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes as directories: names, locks, and what the dead leave. */
#include "run/sock.h"
#include "run/state.h"

#include "base/auto.h"

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

static char dir[64];
static struct err e;

static int start(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vial-state-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	setenv("VIAL_RUNDIR", dir, 1);
	setenv("VIAL_DATADIR", dir, 1);
	return 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static int make(struct box *b, struct box_info *info, const char *name)
{
	*info = (struct box_info){ 0 };
	state_new_id(info->id);
	snprintf(info->name, sizeof(info->name), "%s", name);
	snprintf(info->image, sizeof(info->image), "some/image");
	snprintf(info->status, sizeof(info->status), "running");
	info->brief = true;
	return state_create(b, info, &e);
}

static bool exists(const char *id)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/boxes/%s", dir, id);
	return access(path, F_OK) == 0;
}

static void create_find_remove(void **state)
{
	struct box_info info, found;
	struct box b;

	(void)state;
	assert_int_equal(make(&b, &info, "job-1"), 0);
	assert_true(state_alive(&b));
	assert_int_equal(state_find("job-1", &found, &e), 0);
	assert_string_equal(found.id, info.id);
	assert_string_equal(found.status, "running");
	assert_string_equal(found.image, "some/image");
	assert_true(found.alive);
	assert_int_equal(state_find(info.id, &found, &e), 0);
	info.id[5] = '\0';
	assert_int_equal(state_find(info.id, &found, &e), 0);
	assert_int_equal(state_find("nobody", &found, &e), -ENOENT);
	assert_int_equal(state_find("", &found, &e), -ENOENT);
	state_remove(&b);
	assert_false(exists(found.id));
	assert_int_equal(state_find("job-1", &found, &e), -ENOENT);
	state_remove(&b); /* twice is once */
}

static void names_are_unique(void **state)
{
	struct box_info one, two, three;
	struct box a, b, c;

	(void)state;
	assert_int_equal(make(&a, &one, "job"), 0);
	assert_int_equal(make(&b, &two, "job"), -EEXIST);
	assert_non_null(strstr(e.msg, "already in use"));
	assert_non_null(strstr(e.msg, one.id));
	assert_false(exists(two.id));
	assert_int_equal(make(&b, &two, ""), 0);
	assert_int_equal(make(&c, &three, ""), 0);
	assert_true(strlen(two.name) > 2);
	assert_string_not_equal(two.name, three.name);
	state_remove(&a);
	state_remove(&b);
	state_remove(&c);
}

static void the_ended_stay(void **state)
{
	autofree struct box_info *all = NULL;
	struct box_info info;
	struct box b;

	(void)state;
	assert_int_equal(make(&b, &info, "ended"), 0);
	snprintf(info.status, sizeof(info.status), "exited");
	snprintf(info.reason, sizeof(info.reason), "bad \xff\n bytes");
	info.exit_status = 7;
	assert_int_equal(state_write(&b, &info, &e), 0);
	state_close(&b);
	assert_int_equal(state_list(&all, &e), 1);
	assert_false(all[0].alive);
	assert_int_equal(all[0].exit_status, 7);
	assert_string_equal(all[0].reason, "bad ?? bytes");
	assert_int_equal(state_open(&b, info.id, &e), 0);
	state_remove(&b);
}

static void the_dead_are_swept(void **state)
{
	autofree struct box_info *all = NULL;
	struct box_info info;
	struct box b;

	(void)state;
	assert_int_equal(make(&b, &info, "dead"), 0);
	state_close(&b);
	assert_true(exists(info.id));
	assert_int_equal(state_list(&all, &e), 0);
	assert_false(exists(info.id));
}

static void what_was_damaged_is_swept(void **state)
{
	autofree struct box_info *all = NULL;
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/boxes", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/boxes/0123456789ab", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/boxes/0123456789ab/state.json", dir);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(state_list(&all, &e), 0);
	assert_false(exists("0123456789ab"));
}

/* The lock outlives its maker in a child, as it does in shim and monitor. */
static void a_child_keeps_it_alive(void **state)
{
	autofree struct box_info *all = NULL;
	struct box_info info;
	struct box b;
	pid_t pid;

	(void)state;
	assert_int_equal(make(&b, &info, "held"), 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	state_close(&b);
	assert_int_equal(state_list(&all, &e), 1);
	assert_true(all[0].alive);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	free(take_ptr(&all));
	assert_int_equal(state_list(&all, &e), 0);
}

static void refuses_directories_of_others(void **state)
{
	autofree struct box_info *all = NULL;

	(void)state;
	assert_int_equal(chmod(dir, 0777), 0);
	assert_true(state_list(&all, &e) < 0);
	assert_non_null(strstr(e.msg, "written by others"));
	assert_int_equal(chmod(dir, 0700), 0);
}

/* Paths of sockets end at 107 bytes; ours may be longer. */
static void sockets_under_long_paths(void **state)
{
	char path[300], part[100];
	int at, listener, conn;

	(void)state;
	memset(part, 'd', sizeof(part));
	part[sizeof(part) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", dir, part);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, part, part);
	assert_int_equal(mkdir(path, 0700), 0);
	at = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(at >= 0);
	assert_true(sock_connect(at, "s", &e) < 0);
	listener = sock_listen(at, "s", &e);
	assert_true(listener >= 0);
	conn = sock_connect(at, "s", &e);
	assert_true(conn >= 0);
	close(conn);
	close(listener);
	assert_int_equal(sock_connect(at, "s", &e), -ECONNREFUSED);
	close(at);
}

static void tails(void **state)
{
	struct box_info info;
	struct box b;
	char *text;
	int fd;

	(void)state;
	assert_int_equal(make(&b, &info, "tail"), 0);
	assert_null(state_tail(&b, "none", 10));
	fd = openat(b.dir, "log", O_WRONLY | O_CREAT, 0600);
	assert_null(state_tail(&b, "log", 10));
	dprintf(fd, "0123456789abcdef");
	close(fd);
	text = state_tail(&b, "log", 4);
	assert_string_equal(text, "cdef");
	free(text);
	text = state_tail(&b, "log", 100);
	assert_string_equal(text, "0123456789abcdef");
	free(text);
	state_remove(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(create_find_remove),
		T(names_are_unique),
		T(the_ended_stay),
		T(the_dead_are_swept),
		T(what_was_damaged_is_swept),
		T(a_child_keeps_it_alive),
		T(refuses_directories_of_others),
		T(sockets_under_long_paths),
		T(tails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
