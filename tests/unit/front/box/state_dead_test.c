/* SPDX-License-Identifier: Apache-2.0 */
/* Boxes whose processes are gone: what stays, what is swept, what is written
 * down. */
#include "tests/unit/front/box/state_fixture.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void a_created_box_stays_created(void **state)
{
	struct box_info info = { .name = "new" }, found;
	struct box b;
	int64_t before = state_now();

	(void)state;
	for (int brief = 0; brief < 2; brief++) {
		info = (struct box_info){ .name = "new", .brief = brief };
		state_new_id(info.id);
		assert_int_equal(state_create(&b, &info, &e), 0);
		state_close(&b);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(state_find("new", &found, &e), 0);
			assert_string_equal(found.status, "created");
			assert_false(found.alive);
			assert_int_equal(found.started, 0);
			assert_int_equal(found.finished, 0);
			assert_true(found.created >= before);
		}
		assert_int_equal(state_open(&b, info.id, &e), 0);
		state_remove(&b);
	}
}

static void the_ended_stay(void **state)
{
	autofree struct box_info *all = NULL;
	struct box_info info;
	struct box b;

	(void)state;
	assert_int_equal(make_kept(&b, &info, "ended"), 0);
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
	/* Also one that has told its end, and could not remove itself. */
	assert_int_equal(make(&b, &info, "dead"), 0);
	snprintf(info.status, sizeof(info.status), "exited");
	assert_int_equal(state_write(&b, &info, &e), 0);
	state_close(&b);
	assert_int_equal(state_list(&all, &e), 0);
	assert_false(exists(info.id));
}

static void the_end_of_the_dead_is_written_down(void **state)
{
	static const char *const was[] = { "running", "paused" };
	struct box_info info, found;
	struct box b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(was); i++) {
		assert_int_equal(make_kept(&b, &info, "dead"), 0);
		info.pid = 4711;
		info.started = info.created;
		snprintf(info.status, sizeof(info.status), "%s", was[i]);
		assert_int_equal(state_write(&b, &info, &e), 0);
		state_close(&b);
		assert_int_equal(state_find("dead", &found, &e), 0);
		assert_string_equal(found.status, "exited");
		assert_int_equal(found.exit_status, 137);
		assert_int_equal(found.pid, 0);
		assert_int_equal(found.started, info.started);
		assert_true(found.finished >= info.started);
		assert_non_null(strstr(found.reason, "was killed"));
		assert_int_equal(state_open(&b, info.id, &e), 0);
		assert_int_equal(state_read(&b, &info, &e), 0);
		assert_int_equal(info.finished, found.finished);
		state_remove(&b);
	}
}

static void what_was_half_made_is_swept(void **state)
{
	char id[BOX_ID_LEN + 1], path[256];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct box_info *all = NULL;

		state_list(&all, &e); /* makes the folders */
		free(take_ptr(&all));
		state_new_id(id);
		snprintf(path, sizeof(path), "%s/data/boxes/%s", dir, id);
		assert_int_equal(mkdir(path, 0700), 0);
		if (i == 1)
			in_file(id, "state.json", "{");
		assert_int_equal(state_list(&all, &e), 0);
		assert_false(exists(id));
	}
}

/* A box with a disk is not thrown away for a record that cannot be read. */
static void what_was_kept_and_is_damaged_is_shown(void **state)
{
	struct box_info info, found;
	struct box b;

	(void)state;
	assert_int_equal(make_kept(&b, &info, "hurt"), 0);
	in_file(info.id, "config.json", "{}");
	in_file(info.id, "state.json", "{ broken");
	assert_int_equal(state_find(info.id, &found, &e), 0);
	assert_true(found.alive);
	state_close(&b);
	assert_int_equal(state_find(info.id, &found, &e), 0);
	assert_false(found.alive);
	assert_string_equal(found.status, "exited");
	assert_non_null(strstr(found.reason, "damaged"));
	assert_int_equal(strlen(found.name), BOX_SHORT_LEN);
	assert_true(exists(info.id));
	assert_int_equal(state_open(&b, info.id, &e), 0);
	state_remove(&b);
	assert_false(exists(info.id));
}

/* Nor for want of a descriptor. */
static void nothing_is_lost_without_descriptors(void **state)
{
	struct rlimit was, few;
	struct box_info info;
	struct box b;

	(void)state;
	assert_int_equal(make_kept(&b, &info, "kept"), 0);
	in_file(info.id, "config.json", "{}");
	snprintf(info.status, sizeof(info.status), "exited");
	assert_int_equal(state_write(&b, &info, &e), 0);
	state_close(&b);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (rlim_t n = 3; n < 24; n++) {
		struct box_info *all = NULL;

		few = (struct rlimit){ n, was.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		state_list(&all, &e);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
		free(all);
		assert_true(exists(info.id));
	}
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

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(a_created_box_stays_created),
		T(the_ended_stay),
		T(the_dead_are_swept),
		T(the_end_of_the_dead_is_written_down),
		T(what_was_half_made_is_swept),
		T(what_was_kept_and_is_damaged_is_shown),
		T(nothing_is_lost_without_descriptors),
		T(a_child_keeps_it_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
