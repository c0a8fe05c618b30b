/* SPDX-License-Identifier: Apache-2.0 */
/* Which volume a build has, and which go. */
#include "cli/build.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/volume.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char top[64];
static struct err e;

static int start(void **state)
{
	(void)state;
	e = (struct err){ 0 };
	snprintf(top, sizeof(top), "/tmp/vial-cache-XXXXXX");
	if (!mkdtemp(top) || chdir(top) < 0)
		return -1;
	setenv("VIAL_DATADIR", top, 1);
	setenv("VIAL_CONF", "conf", 1);
	return mkdir("a", 0700) < 0 || mkdir("b", 0700) < 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "cd /; rm -rf '%s'", top);
	return system(cmd);
}

static void conf(const char *text)
{
	autoclose int fd =
		open("conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static struct build_args opened(const char *context)
{
	struct build_args a = { .desk = DESK_INIT,
				.cache_lock = -1,
				.context = context,
				.text = (char[]){ "FROM x" },
				.len = 6,
				.quiet = true };

	assert_int_equal(build_cache_open(&a, &e), 0);
	return a;
}

static size_t count(void)
{
	struct strv names = { 0 };
	size_t n;

	assert_int_equal(volume_names(&names, &e), 0);
	n = names.n;
	strv_fini(&names);
	return n;
}

static void one_each(void **state)
{
	struct build_args a, b, c, again;

	(void)state;
	conf("");
	a = opened("a");
	b = opened("b");
	c = opened(NULL);
	assert_int_equal(strncmp(a.cache, "vial-build-", 11), 0);
	assert_string_not_equal(a.cache, b.cache);
	assert_string_not_equal(a.cache, c.cache);
	/* Who comes second has none. */
	again = opened("./a/.");
	assert_string_equal(again.cache, "");
	build_cache_close(&again);
	build_cache_close(&a);
	again = opened("./a/.");
	assert_string_equal(again.cache, a.cache);
	build_cache_close(&again);
	build_cache_close(&b);
	build_cache_close(&c);
	assert_int_equal(count(), 3);
}

static void none(void **state)
{
	struct build_args a = { .cache_lock = -1,
				.context = "a",
				.no_cache = true };

	(void)state;
	conf("");
	assert_int_equal(build_cache_open(&a, &e), 0);
	assert_string_equal(a.cache, "");
	conf("[build]\ncache-size = \"0\"\n");
	a.no_cache = false;
	assert_int_equal(build_cache_open(&a, &e), 0);
	assert_string_equal(a.cache, "");
	conf("[build]\ncache-size = 5\n");
	assert_true(build_cache_open(&a, &e) < 0);
	assert_non_null(strstr(e.msg, "cache-size"));
	conf("[build]\ncache-size = \"many\"\n");
	assert_true(build_cache_open(&a, &e) < 0);
}

/* What is not a build's stays, whatever it takes. */
static void trimmed(void **state)
{
	const struct volume_conf mine = { .name = "mine", .size = 64 << 20 };
	char name[VOLUME_NAME_MAX + 1];
	struct build_args a, b;

	(void)state;
	assert_int_equal(volume_create(&mine, name, &e), 0);
	conf("[build]\ncache-size = \"4k\"\n");
	a = opened("a");
	b = opened("b");
	assert_int_equal(count(), 3);
	/* The other's is in use. */
	build_cache_close(&b);
	assert_true(volume_exists(a.cache));
	assert_false(volume_exists(b.cache));
	build_cache_close(&a);
	assert_int_equal(count(), 1);
	assert_true(volume_exists("mine"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_each, start, stop),
		cmocka_unit_test_setup_teardown(none, start, stop),
		cmocka_unit_test_setup_teardown(trimmed, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
