/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes as directories: names, places and locks. */
#include "tests/unit/front/box/state_fixture.h"

#include "box/sock.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

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
	assert_memory_equal(strstr(e.msg, "by box \"") + 8, one.id,
			    BOX_SHORT_LEN);
	assert_false(exists(two.id));
	assert_int_equal(make(&b, &two, ""), 0);
	assert_int_equal(make(&c, &three, ""), 0);
	assert_true(strlen(two.name) > 2);
	assert_string_not_equal(two.name, three.name);
	state_remove(&a);
	state_remove(&b);
	state_remove(&c);
}

static void places(void **state)
{
	struct box_info brief, kept, found;
	struct box a, b, c;
	char path[256];

	(void)state;
	assert_int_equal(make(&a, &brief, "brief"), 0);
	assert_int_equal(make_kept(&b, &kept, "kept"), 0);
	assert_int_equal(strlen(brief.id), BOX_ID_LEN);
	snprintf(path, sizeof(path), "%s/run/boxes/%s", dir, brief.id);
	assert_int_equal(access(path, F_OK), 0);
	snprintf(path, sizeof(path), "%s/data/boxes/%s", dir, kept.id);
	assert_int_equal(access(path, F_OK), 0);
	/* Names are one for both. */
	assert_int_equal(make(&c, &found, "kept"), -EEXIST);
	assert_int_equal(make_kept(&c, &found, "brief"), -EEXIST);
	assert_int_equal(state_find("kept", &found, &e), 0);
	assert_false(found.brief);
	assert_int_equal(state_find(brief.id, &found, &e), 0);
	assert_true(found.brief);
	state_remove(&a);
	state_remove(&b);
	assert_int_equal(state_open(&c, kept.id, &e), -ENOENT);
	assert_int_equal(state_open(&c, brief.id, &e), -ENOENT);
}

/* Both names may be one directory: what is in it is there once. */
static void one_place_for_both(void **state)
{
	autofree struct box_info *all = NULL;
	struct box_info one, two;
	struct box a, b;
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/./run", dir);
	setenv("VIAL_DATADIR", path, 1);
	assert_int_equal(make(&a, &one, "one"), 0);
	assert_int_equal(make_kept(&b, &two, "two"), 0);
	assert_int_equal(state_list(&all, &e), 2);
	state_remove(&a);
	state_remove(&b);
}

static void everything_is_read_back(void **state)
{
	struct box_info info = {
		.name = "full",
		.status = "paused",
		.image = "image:tag",
		.command = "sh -c x",
		.created = 1700000000123,
		.started = 1700000001456,
		.finished = 1700000002789,
		.exit_status = 255,
		.pid = 4711,
		.oom_killed = true,
		.health = "starting",
		.health_failures = 2,
		.reason = "why",
	};
	struct box_info back;
	struct box b;

	(void)state;
	state_new_id(info.id);
	assert_int_equal(state_create(&b, &info, &e), 0);
	memset(&back, 0xa5, sizeof(back));
	assert_int_equal(state_read(&b, &back, &e), 0);
	assert_string_equal(back.id, info.id);
	assert_string_equal(back.name, "full");
	assert_string_equal(back.status, "paused");
	assert_string_equal(back.image, "image:tag");
	assert_string_equal(back.command, "sh -c x");
	assert_int_equal(back.created, info.created);
	assert_int_equal(back.started, info.started);
	assert_int_equal(back.finished, info.finished);
	assert_int_equal(back.exit_status, 255);
	assert_int_equal(back.pid, 4711);
	assert_true(back.oom_killed);
	assert_false(back.brief);
	assert_false(back.alive);
	assert_string_equal(back.health, "starting");
	assert_int_equal(back.health_failures, 2);
	assert_string_equal(back.reason, "why");
	state_remove(&b);
}

static void renames(void **state)
{
	struct box_info one, two, found;
	struct box a, b;

	(void)state;
	assert_int_equal(make(&a, &one, "one"), 0);
	assert_int_equal(make_kept(&b, &two, "two"), 0);
	assert_int_equal(state_rename(&a, &one, "two", &e), -EEXIST);
	assert_non_null(strstr(e.msg, "Conflict"));
	assert_string_equal(one.name, "one");
	assert_int_equal(state_find("one", &found, &e), 0);
	assert_int_equal(state_rename(&a, &one, "one", &e), -EINVAL);
	assert_int_equal(state_rename(&a, &one, "three", &e), 0);
	assert_string_equal(one.name, "three");
	assert_int_equal(state_find("one", &found, &e), -ENOENT);
	assert_int_equal(state_find("three", &found, &e), 0);
	assert_string_equal(found.id, one.id);
	/* The old one is free. */
	assert_int_equal(state_rename(&b, &two, "one", &e), 0);
	state_remove(&a);
	state_remove(&b);
}

/* Of many that want one name at the same time, one gets it. */
static void two_creators_of_one_name(void **state)
{
	enum { N = 8 };
	pid_t pid[N];
	int go[2], made = 0, refused = 0, status;
	struct box_info found;
	struct box b;
	char c;

	(void)state;
	assert_int_equal(pipe(go), 0);
	for (int i = 0; i < N; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			int r;

			close(go[1]);
			r = (int)read(go[0], &c, 1); /* all start at its end */
			r = r < 0 ? r : make_one(&b, &found, "same", i % 2);
			if (r == 0) {
				snprintf(found.status, sizeof(found.status),
					 "created");
				r = state_write(&b, &found, &e);
			}
			_exit(r == 0 ? 0 : r == -EEXIST ? 1 : 2);
		}
	}
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < N; i++) {
		waitpid(pid[i], &status, 0);
		made += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		refused += WIFEXITED(status) && WEXITSTATUS(status) == 1;
	}
	assert_int_equal(made, 1);
	assert_int_equal(refused, N - 1);
	assert_int_equal(state_find("same", &found, &e), 0);
}

/* Those who only look do not make it seem held. */
static void lookers_do_not_lock(void **state)
{
	struct box_info info, found;
	struct box b;
	pid_t pid;

	(void)state;
	assert_int_equal(make_kept(&b, &info, "seen"), 0);
	snprintf(info.status, sizeof(info.status), "exited");
	assert_int_equal(state_write(&b, &info, &e), 0);
	close(take_fd(&b.lock));
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			state_alive(&b);
	}
	for (int i = 0; i < 200; i++) {
		int r = state_lock(&b, &e);

		if (r != 0)
			kill(pid, SIGKILL);
		assert_int_equal(r, 0);
		assert_int_equal(state_find(info.id, &found, &e), 0);
		assert_true(found.alive);
		close(take_fd(&b.lock));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	state_close(&b);
}

/* One that is being started is waited for until it runs or has ended. */
static void taken_when_it_runs_or_not(void **state)
{
	struct box_info info, seen;
	struct box b, other = BOX_INIT;

	(void)state;
	assert_int_equal(make_kept(&b, &info, "wanted"), 0);
	assert_int_equal(state_open(&other, info.id, &e), 0);
	assert_int_equal(state_take(&other, &seen, &e), 1);
	assert_true(seen.alive);
	assert_int_equal(other.lock, -1);
	snprintf(info.status, sizeof(info.status), "exited");
	assert_int_equal(state_write(&b, &info, &e), 0);
	close(take_fd(&b.lock));
	assert_int_equal(state_take(&other, &seen, &e), 0);
	assert_false(seen.alive);
	assert_string_equal(seen.status, "exited");
	assert_int_equal(state_lock(&b, &e), -EBUSY);
	state_close(&other);
	state_close(&b);
}

static void refuses_directories_of_others(void **state)
{
	autofree struct box_info *all = NULL;

	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/run", dir);
	assert_int_equal(state_list(&all, &e), 0);
	assert_int_equal(chmod(path, 0777), 0);
	assert_true(state_list(&all, &e) < 0);
	assert_non_null(strstr(e.msg, "written by others"));
	assert_int_equal(chmod(path, 0700), 0);
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
		T(places),
		T(one_place_for_both),
		T(everything_is_read_back),
		T(renames),
		T(two_creators_of_one_name),
		T(lookers_do_not_lock),
		T(taken_when_it_runs_or_not),
		T(refuses_directories_of_others),
		T(sockets_under_long_paths),
		T(tails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
