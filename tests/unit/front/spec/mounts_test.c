/* SPDX-License-Identifier: Apache-2.0 */
/* -v, --mount and --tmpfs: what docker's users write. */
#include "run/boxmounts.h"
#include "spec/mounts.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct spec_mounts m;
static struct err e;

static int begin(void **state)
{
	(void)state;
	e = (struct err){ 0 };
	return 0;
}

static int end(void **state)
{
	(void)state;
	spec_mounts_fini(&m);
	return 0;
}

static const struct spec_mount *last(void)
{
	assert_true(m.n > 0);
	return &m.v[m.n - 1];
}

static void volume(const char *text)
{
	if (spec_mounts_volume(&m, text, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
}

static void mount(const char *text)
{
	if (spec_mounts_mount(&m, text, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
}

static void volumes_that_are_folders(void **state)
{
	char here[4096], want[4200];

	(void)state;
	assert_non_null(getcwd(here, sizeof(here)));
	volume("/src:/w");
	assert_int_equal(last()->kind, MOUNT_BIND);
	assert_string_equal(last()->source, "/src");
	assert_string_equal(last()->target, "/w");
	assert_false(last()->readonly);
	assert_true(last()->make);
	volume("/src:/w/ro/:ro");
	assert_true(last()->readonly);
	assert_string_equal(last()->target, "/w/ro");
	volume("./x:/x:rw,z,cached");
	assert_false(last()->readonly);
	snprintf(want, sizeof(want), "%s/./x", here);
	assert_string_equal(last()->source, want);
	volume(".:/here:Z,ro");
	assert_int_equal(last()->kind, MOUNT_BIND);
	assert_true(last()->readonly);
}

static void volumes_that_are_volumes(void **state)
{
	(void)state;
	volume("cache:/var/cache:nocopy");
	assert_int_equal(last()->kind, MOUNT_VOLUME);
	assert_string_equal(last()->source, "cache");
	assert_true(last()->nocopy);
	assert_false(last()->make);
	volume("/data");
	assert_int_equal(last()->kind, MOUNT_VOLUME);
	assert_true(last()->anonymous);
	assert_int_equal(strlen(last()->source), 64);
	assert_string_equal(last()->target, "/data");
}

static void wrong_volumes_are_refused(void **state)
{
	static const char *const wrong[][2] = {
		{ "/a:b", "'b' is not an absolute path" },
		{ "/a:/b:rx", "unknown mode 'rx'" },
		{ "/a:/b:ro:z", "is not HOST:GUEST[:ro]" },
		{ ":/b", "is not HOST:GUEST[:ro]" },
		{ "/a:/", "on '/'" },
		{ "/a:/.//", "on '/'" },
		{ "/a:/b/../c", "no '..'" },
		{ "/a:/b/..", "no '..'" },
		{ "-x:/b", "no name for a volume" },
		{ "x:/b", "no name for a volume" },
		{ "a b:/b", "no name for a volume" },
		{ "/a:/b:nocopy", "unknown mode 'nocopy'" },
		{ "", "not an absolute path" },
		{ "name:", "not an absolute path" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(spec_mounts_volume(&m, wrong[i][0], &e),
				 -EINVAL);
		if (!strstr(e.msg, wrong[i][1]))
			fail_msg("%s: %s", wrong[i][0], e.msg);
		assert_int_equal(m.n, 0);
	}
}

static void a_target_has_one_mount(void **state)
{
	(void)state;
	volume("/a:/w");
	assert_int_equal(spec_mounts_volume(&m, "/b:/w//", &e), -EINVAL);
	assert_string_equal(e.msg, "two mounts on '/w'");
	assert_int_equal(spec_mounts_tmpfs(&m, "/w/.", &e), -EINVAL);
	assert_int_equal(m.n, 1);
}

static void mounts_in_words(void **state)
{
	(void)state;
	mount("type=bind,source=/a,target=/w,readonly");
	assert_int_equal(last()->kind, MOUNT_BIND);
	assert_string_equal(last()->source, "/a");
	assert_true(last()->readonly);
	assert_false(last()->make);
	mount("type=bind,src=/a,dst=/x,ro=false,consistency=cached");
	assert_false(last()->readonly);
	mount("destination=/y,src=name1,volume-nocopy,volume-subpath=sub");
	assert_int_equal(last()->kind, MOUNT_VOLUME);
	assert_string_equal(last()->source, "name1");
	assert_string_equal(last()->subpath, "sub");
	assert_true(last()->nocopy);
	mount("type=tmpfs,dst=/t,tmpfs-size=16m,tmpfs-mode=1770");
	assert_int_equal(last()->kind, MOUNT_TMPFS);
	assert_string_equal(last()->options,
			    "noexec,nosuid,nodev,size=16777216,mode=1770");
	mount("target=/u");
	assert_true(last()->anonymous);
}

static void wrong_mounts_are_refused(void **state)
{
	static const char *const wrong[][2] = {
		{ "type=bind,target=/x", "source is missing" },
		{ "type=bind,source=/x", "target is missing" },
		{ "type=npipe,target=/x", "type 'npipe' is not" },
		{ "type=tmpfs,source=/a,target=/x", "has no source" },
		{ "type=tmpfs,target=/x,tmpfs-mode=9", "not a mode" },
		{ "type=tmpfs,target=/x,tmpfs-size=big", "big" },
		{ "target=/x,tmpfs-size=1m", "only a tmpfs" },
		{ "target=/x,ro=maybe", "not true or false" },
		{ "target=/x,color=red", "unknown key 'color'" },
		{ "target", "not KEY=VALUE" },
		{ "sour=/x,target=/y", "unknown key 'sour'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(spec_mounts_mount(&m, wrong[i][0], &e),
				 -EINVAL);
		if (!strstr(e.msg, wrong[i][1]))
			fail_msg("%s: %s", wrong[i][0], e.msg);
		assert_int_equal(m.n, 0);
	}
}

static void tmpfs_begins_with_dockers_flags(void **state)
{
	(void)state;
	assert_int_equal(spec_mounts_tmpfs(&m, "/run", &e), 0);
	assert_string_equal(last()->options, "noexec,nosuid,nodev");
	assert_int_equal(spec_mounts_tmpfs(&m, "/t:exec,size=1m", &e), 0);
	assert_string_equal(last()->options,
			    "noexec,nosuid,nodev,exec,size=1m");
	assert_int_equal(spec_mounts_tmpfs(&m, "run", &e), -EINVAL);
}

static void mounts_of_another_box(void **state)
{
	struct spec_mounts other = { 0 };

	(void)state;
	assert_int_equal(spec_mounts_volume(&other, "/a:/a", &e), 0);
	assert_int_equal(spec_mounts_volume(&other, "/b:/b", &e), 0);
	assert_int_equal(spec_mounts_tmpfs(&other, "/t", &e), 0);
	volume("/mine:/b");
	assert_int_equal(spec_mounts_from(&m, &other, true, &e), 0);
	assert_int_equal(m.n, 2);
	assert_string_equal(m.v[0].source, "/mine");
	assert_string_equal(last()->source, "/a");
	assert_true(last()->readonly);
	spec_mounts_fini(&other);
}

static void a_file_keeps_all_of_it(void **state)
{
	struct spec_mounts again = { 0 };
	json_t *a;

	(void)state;
	volume("/a:/w:ro");
	volume("name1:/v:nocopy");
	volume("/anonymous");
	mount("type=tmpfs,dst=/t,tmpfs-size=16m");
	a = spec_mounts_to_json(&m);
	assert_non_null(a);
	assert_int_equal(spec_mounts_from_json(&again, a), 0);
	assert_int_equal(again.n, m.n);
	for (size_t i = 0; i < m.n; i++) {
		assert_int_equal(again.v[i].kind, m.v[i].kind);
		assert_string_equal(again.v[i].target, m.v[i].target);
		assert_int_equal(again.v[i].readonly, m.v[i].readonly);
		assert_int_equal(again.v[i].nocopy, m.v[i].nocopy);
		assert_int_equal(again.v[i].make, m.v[i].make);
	}
	assert_string_equal(again.v[0].source, "/a");
	assert_true(again.v[2].anonymous);
	assert_string_equal(again.v[2].source, m.v[2].source);
	assert_string_equal(again.v[3].options, m.v[3].options);
	json_decref(a);
	spec_mounts_fini(&again);
	a = json_pack("[{s:s}]", "type", "strange");
	assert_int_equal(spec_mounts_from_json(&again, a), -EINVAL);
	json_decref(a);
}

/* ---- what the guest is told ---- */

static void the_guest_mounts_from_above(void **state)
{
	Vial__Agent__Setup setup = VIAL__AGENT__SETUP__INIT;
	Vial__Agent__Mount **v;
	void *room;

	(void)state;
	volume("/a:/w/deep/er");
	volume("name1:/w/deep");
	mount("type=tmpfs,dst=/w");
	volume("/b:/z:ro");
	assert_int_equal(boxmounts_setup(&m, &setup, &room, &e), 0);
	assert_int_equal(setup.n_mounts, 4);
	v = setup.mounts;
	assert_string_equal(v[0]->target, "/w");
	assert_int_equal(v[0]->kind, VIAL__AGENT__MOUNT__KIND__TMPFS);
	assert_string_equal(v[0]->options, "noexec,nosuid,nodev");
	assert_string_equal(v[1]->target, "/z");
	assert_string_equal(v[1]->source, BOXMOUNTS_TAG);
	assert_string_equal(v[1]->subpath, "1");
	assert_true(v[1]->readonly);
	assert_string_equal(v[2]->target, "/w/deep");
	assert_string_equal(v[2]->source, "v0");
	assert_true(v[2]->populate);
	assert_string_equal(v[3]->target, "/w/deep/er");
	assert_string_equal(v[3]->subpath, "0");
	free(room);
	spec_mounts_fini(&m);
	assert_int_equal(boxmounts_setup(&m, &setup, &room, &e), 0);
	assert_null(room);
}

/* ---- the host's side ---- */

static void a_source_is_made_or_missed(void **state)
{
	char dir[] = "/tmp/vial-mounts-XXXXXX", text[128];
	struct boxmounts b;
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(text, sizeof(text), "type=bind,src=%s/x,dst=/w", dir);
	mount(text);
	assert_int_equal(boxmounts_open(&b, &m, "box", true, -1, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "mount source /tmp/vial-mounts-"));
	spec_mounts_fini(&m);
	snprintf(text, sizeof(text), "%s/x/y:/w", dir);
	volume(text);
	assert_int_equal(boxmounts_open(&b, &m, "box", true, -1, &e), 0);
	assert_true(b.share.pid > 0 && b.share.fd >= 0);
	boxmounts_hand_on(&b);
	assert_int_equal(b.share.fd, -1);
	boxmounts_close(&b);
	assert_int_equal(b.share.pid, 0);
	snprintf(text, sizeof(text), "%s/x/y", dir);
	assert_int_equal(stat(text, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(rmdir(text), 0);
	*strrchr(text, '/') = '\0';
	assert_int_equal(rmdir(text) | rmdir(dir), 0);
}

static void nothing_to_mount_starts_nothing(void **state)
{
	struct boxmounts b;

	(void)state;
	assert_int_equal(spec_mounts_tmpfs(&m, "/t", &e), 0);
	assert_int_equal(boxmounts_open(&b, &m, "box", true, -1, &e), 0);
	assert_int_equal(b.share.pid, 0);
	assert_int_equal(b.share.fd, -1);
	boxmounts_close(&b);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(volumes_that_are_folders),
		T(volumes_that_are_volumes),
		T(wrong_volumes_are_refused),
		T(a_target_has_one_mount),
		T(mounts_in_words),
		T(wrong_mounts_are_refused),
		T(tmpfs_begins_with_dockers_flags),
		T(mounts_of_another_box),
		T(a_file_keeps_all_of_it),
		T(the_guest_mounts_from_above),
		T(a_source_is_made_or_missed),
		T(nothing_to_mount_starts_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
