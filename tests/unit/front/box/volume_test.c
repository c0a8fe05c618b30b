/* SPDX-License-Identifier: Apache-2.0 */
#include "box/volume.h"

#include "base/auto.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (1ull << 20)
#define SMALL (16 * MIB)

static char top[64];

static int begin(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/volume-test.XXXXXX");
	return mkdtemp(top) && setenv("VIAL_DATADIR", top, 1) == 0 ? 0 : -1;
}

static int end(void **state)
{
	char cmd[100];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf %s", top);
	return system(cmd);
}

static const char *path(const char *rel)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/volumes/%s", top, rel);
	return text;
}

static void make(const char *name)
{
	struct volume_conf c = { .name = name, .size = SMALL };
	char out[VOLUME_NAME_MAX + 1];
	struct err e = { 0 };

	if (volume_create(&c, out, &e) < 0)
		fail_msg("%s", e.msg);
	assert_string_equal(out, name);
}

/* Entries of the folder of volumes, hidden ones included. */
static unsigned entries(void)
{
	DIR *d = opendir(path(""));
	struct dirent *ent;
	unsigned n = 0;

	assert_non_null(d);
	while ((ent = readdir(d)))
		n += strcmp(ent->d_name, ".") && strcmp(ent->d_name, "..");
	closedir(d);
	return n;
}

static void names_have_dockers_rule(void **state)
{
	static const char *const good[] = { "ab", "a.b", "A-1_x.", "0a" };
	static const char *const bad[] = {
		"",	 "a",	 ".a",	"-ab", "_ab",
		"a/b",	 "../x", "a b", "a:b", "\xc3\xa4\xc3\xa4",
		".new-1"
	};
	char longest[VOLUME_NAME_MAX + 2];
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(volume_name_check(good[i], &e), 0);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(volume_name_check(bad[i], &e) < 0);
	memset(longest, 'x', sizeof(longest));
	longest[VOLUME_NAME_MAX + 1] = '\0';
	assert_true(volume_name_check(longest, &e) < 0);
	longest[VOLUME_NAME_MAX] = '\0';
	assert_int_equal(volume_name_check(longest, &e), 0);
}

static void a_volume_is_an_ext4_disk(void **state)
{
	char label[] = "a=b=c", bare[] = "bare", option[] = "size=16m";
	char *labels[] = { label, bare }, *options[] = { option };
	struct volume_conf c = { .name = "vol",
				 .size = SMALL,
				 .labels = { labels, 2 },
				 .options = { options, 1 } };
	char out[VOLUME_NAME_MAX + 1];
	struct volume_info v;
	uint8_t magic[2];
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(volume_create(&c, out, &e), 0);
	assert_int_equal(volume_get("vol", &v, &e), 0);
	assert_string_equal(v.name, "vol");
	assert_int_equal(v.size, SMALL);
	assert_in_range(v.used, 1, SMALL / 2);
	assert_in_range(time(NULL) - v.created, 0, 100);
	assert_false(v.busy);
	assert_false(v.anonymous);
	assert_int_equal(v.labels.n, 2);
	assert_string_equal(v.labels.v[0], "a=b=c");
	assert_string_equal(v.labels.v[1], "bare=");
	assert_string_equal(v.options.v[0], "size=16m");
	volume_info_fini(&v);
	fd = open(path("vol/disk.ext4"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, magic, 2, 1024 + 0x38), 2);
	assert_int_equal(magic[0] | magic[1] << 8, 0xef53);
	close(fd);
	assert_int_equal(entries(), 1);
}

static void names_are_made_up(void **state)
{
	struct volume_conf c = { .size = SMALL };
	char a[VOLUME_NAME_MAX + 1], b[VOLUME_NAME_MAX + 1];
	struct volume_info v;
	struct err e;

	(void)state;
	assert_int_equal(volume_create(&c, a, &e), 0);
	assert_int_equal(volume_create(&c, b, &e), 0);
	assert_int_equal(strlen(a), 64);
	assert_string_not_equal(a, b);
	assert_int_equal(volume_get(a, &v, &e), 0);
	assert_true(v.anonymous);
	volume_info_fini(&v);
}

static void one_that_exists_is_left_alone(void **state)
{
	struct volume_conf c = { .name = "vol", .size = 2 * SMALL };
	char out[VOLUME_NAME_MAX + 1];
	struct volume_info v;
	struct err e;

	(void)state;
	make("vol");
	assert_int_equal(volume_create(&c, out, &e), 0);
	assert_int_equal(volume_get("vol", &v, &e), 0);
	assert_int_equal(v.size, SMALL);
	volume_info_fini(&v);
}

static void sizes_that_cannot_be_are_refused(void **state)
{
	static const uint64_t bad[] = { 1, MIB, SMALL + 1,
					VOLUME_SIZE_MAX * 2 };
	char out[VOLUME_NAME_MAX + 1];
	struct err e;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct volume_conf c = { .name = "vol", .size = bad[i] };

		assert_int_equal(volume_create(&c, out, &e), -EINVAL);
		assert_int_equal(volume_get("vol", &(struct volume_info){ 0 },
					    &e),
				 -ENOENT);
	}
}

static void one_writer_or_many_readers(void **state)
{
	struct err e;
	int w, r1, r2;

	(void)state;
	make("vol");
	w = volume_open("vol", "box1", false, false, &e);
	assert_true(w >= 0);
	assert_int_equal(volume_open("vol", "box2", false, false, &e), -EBUSY);
	assert_string_equal(e.msg, "volume vol: volume is in use - [box1]");
	assert_int_equal(volume_open("vol", "box2", false, true, &e), -EBUSY);
	/* it is the open file's lock: a copy keeps it */
	r1 = dup(w);
	close(w);
	assert_int_equal(volume_open("vol", "box2", false, false, &e), -EBUSY);
	close(r1);
	r1 = volume_open("vol", "box2", false, true, &e);
	r2 = volume_open("vol", "box3", false, true, &e);
	assert_true(r1 >= 0 && r2 >= 0);
	assert_int_equal(fcntl(r1, F_GETFL) & O_ACCMODE, O_RDONLY);
	assert_int_equal(volume_open("vol", "box4", false, false, &e), -EBUSY);
	close(r1);
	close(r2);
}

static void opening_can_make_it(void **state)
{
	struct volume_info v;
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(volume_open("new", "box", false, false, &e), -ENOENT);
	assert_string_equal(e.msg, "volume new: no such volume");
	fd = volume_open("new", "box", true, false, &e);
	assert_true(fd >= 0);
	assert_int_equal(volume_get("new", &v, &e), 0);
	assert_true(v.busy);
	assert_int_equal(v.size, VOLUME_SIZE_DEFAULT);
	assert_in_range(v.used, 1, 64 * MIB);
	volume_info_fini(&v);
	close(fd);
	assert_true(volume_open("../new", "box", true, false, &e) < 0);
}

static void one_without_a_name_leaves_nothing(void **state)
{
	struct err e;
	struct stat st;
	int fd = volume_open_nameless(&e);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(entries(), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, VOLUME_SIZE_DEFAULT);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	close(fd);
}

static void a_volume_in_use_is_not_removed(void **state)
{
	uint64_t freed = 0;
	struct err e;
	int fd;

	(void)state;
	make("vol");
	fd = volume_open("vol", "box1", false, false, &e);
	assert_int_equal(volume_remove("vol", NULL, &e), -EBUSY);
	assert_string_equal(e.msg, "remove vol: volume is in use - [box1]");
	close(fd);
	assert_int_equal(volume_remove("vol", &freed, &e), 0);
	assert_true(freed > 0);
	assert_int_equal(entries(), 0);
	assert_int_equal(volume_remove("vol", NULL, &e), -ENOENT);
	assert_string_equal(e.msg, "No such volume: vol");
	assert_int_equal(volume_remove("..", NULL, &e), -ENOENT);
}

static void a_volume_grows_and_never_shrinks(void **state)
{
	struct volume_info v;
	struct err e;
	int fd;

	(void)state;
	make("vol");
	assert_int_equal(volume_grow("vol", 4 * SMALL, &e), 0);
	assert_int_equal(volume_get("vol", &v, &e), 0);
	assert_int_equal(v.size, 4 * SMALL);
	volume_info_fini(&v);
	assert_int_equal(volume_grow("vol", 4 * SMALL, &e), 0);
	assert_int_equal(volume_grow("vol", 2 * SMALL, &e), -EINVAL);
	assert_string_equal(e.msg, "grow vol: it has 67108864 bytes, and "
				   "volumes do not shrink");
	assert_int_equal(volume_grow("vol", 4 * SMALL + 1, &e), -EINVAL);
	assert_int_equal(volume_grow("nope", SMALL, &e), -ENOENT);
	assert_int_equal(volume_grow("../vol", SMALL, &e), -ENOENT);
	fd = volume_open("vol", "box1", false, true, &e);
	assert_int_equal(volume_grow("vol", 8 * SMALL, &e), -EBUSY);
	assert_string_equal(e.msg, "grow vol: volume is in use - [box1]");
	close(fd);
}

static void what_a_crash_left_is_swept(void **state)
{
	struct strv names;
	struct err e;
	int fd;

	(void)state;
	make("vol");
	assert_int_equal(mkdir(path(".new-dead"), 0700), 0);
	fd = open(path(".new-dead/disk.ext4"), O_CREAT | O_WRONLY | O_CLOEXEC,
		  0600);
	close(fd);
	assert_int_equal(mkdir(path(".new-alive"), 0700), 0);
	fd = open(path(".new-alive"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(volume_names(&names, &e), 0);
	assert_int_equal(names.n, 1);
	assert_string_equal(names.v[0], "vol");
	strv_fini(&names);
	assert_int_equal(access(path(".new-dead"), F_OK), -1);
	assert_int_equal(access(path(".new-alive"), F_OK), 0);
	close(fd);
}

static void names_are_sorted(void **state)
{
	struct strv names;
	struct err e;

	(void)state;
	assert_int_equal(volume_names(&names, &e), 0);
	assert_int_equal(names.n, 0);
	make("zz");
	make("aa");
	make("mm");
	assert_int_equal(volume_names(&names, &e), 0);
	assert_int_equal(names.n, 3);
	assert_string_equal(names.v[0], "aa");
	assert_string_equal(names.v[2], "zz");
	strv_fini(&names);
}

/* Many that make the same volume at once: all succeed, there is one. */
static void making_at_once_makes_one(void **state)
{
	pid_t pid[6];
	int status;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(pid); i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			struct volume_conf c = { .name = "vol", .size = SMALL };
			char out[VOLUME_NAME_MAX + 1];
			struct strv names;
			struct err e;

			if (volume_create(&c, out, &e) < 0 ||
			    volume_names(&names, &e) < 0)
				_exit(1);
			_exit(names.n == 1 ? 0 : 2);
		}
	}
	for (unsigned i = 0; i < ARRAY_LEN(pid); i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(entries(), 1);
	assert_int_equal(access(path("vol/disk.ext4"), F_OK), 0);
	assert_int_equal(access(path("vol/volume.json"), F_OK), 0);
}

static void damage_is_told(void **state)
{
	struct volume_info v;
	struct err e;

	(void)state;
	make("vol");
	assert_int_equal(truncate(path("vol/volume.json"), 3), 0);
	assert_int_equal(volume_get("vol", &v, &e), -EINVAL);
	assert_string_equal(e.msg, "volume vol: volume.json is damaged");
	assert_int_equal(unlink(path("vol/disk.ext4")), 0);
	assert_true(volume_get("vol", &v, &e) < 0);
	assert_int_equal(volume_remove("vol", NULL, &e), 0);
	assert_int_equal(entries(), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_dockers_rule),
		T(a_volume_is_an_ext4_disk),
		T(names_are_made_up),
		T(one_that_exists_is_left_alone),
		T(sizes_that_cannot_be_are_refused),
		T(one_writer_or_many_readers),
		T(opening_can_make_it),
		T(one_without_a_name_leaves_nothing),
		T(a_volume_in_use_is_not_removed),
		T(a_volume_grows_and_never_shrinks),
		T(what_a_crash_left_is_swept),
		T(names_are_sorted),
		T(making_at_once_makes_one),
		T(damage_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
