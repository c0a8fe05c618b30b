/* SPDX-License-Identifier: Apache-2.0 */
/* Which boxes mount which volumes. */
#include "box/volume_use.h"

#include "base/auto.h"
#include "run/boxmounts.h"
#include "box/create.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];
static struct err e;

static int begin(void **state)
{
	char path[96];

	(void)state;
	snprintf(top, sizeof(top), "/tmp/volume-use-test.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	snprintf(path, sizeof(path), "%s/run", top);
	setenv("VIAL_RUNDIR", path, 1);
	snprintf(path, sizeof(path), "%s/data", top);
	setenv("VIAL_DATADIR", path, 1);
	return 0;
}

static int end(void **state)
{
	char cmd[100];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

/* A box that was created, with these values of -v. */
static void make(const char *name, const char *const *volumes, char id[65])
{
	char image[] = "/nowhere/image", program[] = "true";
	char *words[] = { image, program };
	struct box_info info = { 0 };
	struct spec s;
	struct box b;

	spec_init(&s);
	assert_int_equal(spec_command(&s, 2, words, &e), 0);
	s.name = name;
	for (; *volumes; volumes++)
		if (spec_volume(&s, *volumes, &e) < 0)
			fail_msg("%s", e.msg);
	box_describe(&info, &s);
	if (box_make(&b, &info, &s, &e) < 0)
		fail_msg("%s", e.msg);
	snprintf(id, 65, "%s", info.id);
	state_close(&b);
	spec_fini(&s);
}

static void boxes_that_do_not_run_count(void **state)
{
	static const char *const one[] = { "data:/d", "data2:/e", "/tmp:/t",
					   NULL };
	static const char *const two[] = { "data:/a:ro", "data:/b", NULL };
	char id1[65], id2[65], want[256];
	struct volume_uses u;

	(void)state;
	make("one", one, id1);
	make("two", two, id2);
	assert_int_equal(volume_use_scan(&u, &e), 0);
	assert_int_equal(u.n, 3);
	assert_int_equal(volume_use_count(&u, "data"), 2);
	assert_int_equal(volume_use_count(&u, "data2"), 1);
	assert_int_equal(volume_use_count(&u, "dat"), 0);
	assert_int_equal(volume_use_count(&u, "/tmp"), 0);
	assert_int_equal(volume_use_check(&u, "nobodys", &e), 0);
	assert_int_equal(volume_use_check(&u, "data2", &e), -EBUSY);
	snprintf(want, sizeof(want), "volume is in use - [%.12s (one)]", id1);
	assert_string_equal(e.msg, want);
	assert_int_equal(volume_use_check(&u, "data", &e), -EBUSY);
	assert_non_null(strstr(e.msg, "(one)"));
	assert_non_null(strstr(e.msg, "(two)"));
	assert_false(volume_use_running(&u, "data", "", want, sizeof(want)));
	for (unsigned i = 0; i < u.n; i++)
		u.v[i].alive = true;
	assert_true(volume_use_running(&u, "data", "", want, 6));
	assert_int_equal(strlen(want), 5);
	assert_true(volume_use_running(&u, "data", "one", want, sizeof(want)));
	assert_string_equal(want, "two");
	assert_true(volume_use_running(&u, "data2", "two", want, sizeof(want)));
	assert_string_equal(want, "one");
	volume_use_fini(&u);
}

static void many_users_fit_into_a_message(void **state)
{
	static const char *const volumes[] = { "data:/d", NULL };
	struct volume_uses u;
	char id[65], name[64];

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "a-box-with-a-long-name-%u", i);
		make(name, volumes, id);
	}
	assert_int_equal(volume_use_scan(&u, &e), 0);
	assert_int_equal(volume_use_check(&u, "data", &e), -EBUSY);
	assert_in_range(strlen(e.msg), 100, sizeof(e.msg) - 1);
	volume_use_fini(&u);
}

/* rm -v of one of two boxes that have it (--volumes-from). */
static void one_without_a_name_stays_with_its_last_user(void **state)
{
	struct volume_conf conf = { .name = "shared-one",
				    .anonymous = true,
				    .size = 16u << 20 };
	static const char *const volumes[] = { "shared-one:/d", NULL };
	char id[65], name[VOLUME_NAME_MAX + 1];
	struct spec_mount mount = { .kind = MOUNT_VOLUME,
				    .source = name,
				    .anonymous = true };
	struct spec_mounts mounts = { .v = &mount, .n = 1 };
	struct box b;

	(void)state;
	assert_int_equal(volume_create(&conf, name, &e), 0);
	make("other", volumes, id);
	boxmounts_remove_anonymous(&mounts);
	assert_true(volume_exists(name));
	assert_int_equal(state_open(&b, id, &e), 0);
	state_remove(&b);
	boxmounts_remove_anonymous(&mounts);
	assert_false(volume_exists(name));
}

static void a_damaged_box_uses_nothing(void **state)
{
	static const char *const volumes[] = { "data:/d", NULL };
	struct volume_uses u;
	struct box b;
	char id[65];

	(void)state;
	make("one", volumes, id);
	assert_int_equal(state_open(&b, id, &e), 0);
	assert_int_equal(state_put(&b, "config.json", "{", &e), 0);
	state_close(&b);
	assert_int_equal(volume_use_scan(&u, &e), 0);
	assert_int_equal(u.n, 0);
	volume_use_fini(&u);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(boxes_that_do_not_run_count),
		T(many_users_fit_into_a_message),
		T(one_without_a_name_stays_with_its_last_user),
		T(a_damaged_box_uses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
