/* SPDX-License-Identifier: Apache-2.0 */
/* What users ask for, and what they are refused. */
#include "spec/spec.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct spec s;
static struct err e;

static int start(void **state)
{
	(void)state;
	spec_init(&s);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	spec_fini(&s);
	return 0;
}

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "65536", 65536 },
		{ "1b", 1 },
		{ "4k", 4096 },
		{ "512m", 512ull << 20 },
		{ "512M", 512ull << 20 },
		{ "1.5g", 3ull << 29 },
		{ "2GiB", 2ull << 30 },
		{ "2gb", 2ull << 30 },
		{ "1t", 1ull << 40 },
	};
	static const char *const bad[] = { "",	  "m",	    "-1m",
					   "1x",  "1mm",    "0x10",
					   "1e3", "inf",    "nan",
					   "1 m", "1.2.3m", "9999999999999t" };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(parse_size(good[i].text, &n, &e), 0);
		assert_int_equal(n, good[i].bytes);
	}
	n = 77;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(parse_size(bad[i], &n, &e) < 0);
	assert_int_equal(n, 77);
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{ "10", 10000 },     { "0.5", 500 },	   { "500ms", 500 },
		{ "10s", 10000 },    { "5m", 300000 },	   { "1h30m", 5400000 },
		{ "2d", 172800000 }, { "1m1s1ms", 61001 }, { "0", 0 },
	};
	static const char *const bad[] = { "",	   "s",	  "10x",
					   "1h30", "-5",  "5m ",
					   "1e9",  "1hh", "99999999999999d" };
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(parse_duration(good[i].text, &ms, &e), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(parse_duration(bad[i], &ms, &e) < 0);
}

static void cpus(void **state)
{
	unsigned n;

	(void)state;
	assert_int_equal(parse_cpus("0.5", &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(parse_cpus("1.25", &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(parse_cpus("32", &n, &e), 0);
	assert_int_equal(n, 32);
	assert_true(parse_cpus("0", &n, &e) < 0);
	assert_true(parse_cpus("33", &n, &e) < 0);
	assert_true(parse_cpus("-1", &n, &e) < 0);
	assert_true(parse_cpus("two", &n, &e) < 0);
	assert_true(parse_cpus("", &n, &e) < 0);
}

static void ulimits(void **state)
{
	struct rlimit_arg r;

	(void)state;
	assert_int_equal(parse_ulimit("nofile=1024:2048", &r, &e), 0);
	assert_int_equal(r.resource, 7);
	assert_int_equal(r.soft, 1024);
	assert_int_equal(r.hard, 2048);
	assert_int_equal(parse_ulimit("core=0", &r, &e), 0);
	assert_true(r.soft == 0 && r.hard == 0);
	assert_int_equal(parse_ulimit("stack=-1", &r, &e), 0);
	assert_true(r.soft == UINT64_MAX && r.hard == UINT64_MAX);
	assert_int_equal(parse_ulimit("cpu=5:unlimited", &r, &e), 0);
	assert_true(r.soft == 5 && r.hard == UINT64_MAX);
	assert_true(parse_ulimit("nofile", &r, &e) < 0);
	assert_true(parse_ulimit("nofile=", &r, &e) < 0);
	assert_true(parse_ulimit("nofiles=1", &r, &e) < 0);
	assert_true(parse_ulimit("nofile=5:4", &r, &e) < 0);
	assert_true(parse_ulimit("nofile=5:6:7", &r, &e) < 0);
	assert_true(parse_ulimit("nofile=x", &r, &e) < 0);
	assert_true(parse_ulimit("nofile=99999999999999999999", &r, &e) < 0);
}

static void environment(void **state)
{
	(void)state;
	setenv("VIAL_TEST_SET", "here", 1);
	unsetenv("VIAL_TEST_UNSET");
	assert_int_equal(spec_env(&s, "A=1", &e), 0);
	assert_int_equal(spec_env(&s, "VIAL_TEST_SET", &e), 0);
	assert_int_equal(spec_env(&s, "VIAL_TEST_UNSET", &e), 0);
	assert_int_equal(spec_env(&s, "EMPTY=", &e), 0);
	/* The last one counts. */
	assert_int_equal(spec_env(&s, "A=2=3", &e), 0);
	assert_int_equal(s.env.n, 3);
	assert_string_equal(s.env.v[0], "A=2=3");
	assert_string_equal(s.env.v[1], "VIAL_TEST_SET=here");
	assert_string_equal(s.env.v[2], "EMPTY=");
	assert_null(s.env.v[3]);
	assert_true(spec_env(&s, "=x", &e) < 0);
	assert_true(spec_env(&s, "", &e) < 0);
}

static void env_file(void **state)
{
	char path[] = "/tmp/vial-env-XXXXXX";
	autoclose int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	dprintf(fd, "# comment\n\n  A=1 2\r\nB=\"q\"\nVIAL_TEST_SET\nC=x");
	setenv("VIAL_TEST_SET", "here", 1);
	assert_int_equal(spec_env_file(&s, path, &e), 0);
	assert_int_equal(s.env.n, 4);
	assert_string_equal(s.env.v[0], "A=1 2");
	assert_string_equal(s.env.v[1], "B=\"q\"");
	assert_string_equal(s.env.v[2], "VIAL_TEST_SET=here");
	assert_string_equal(s.env.v[3], "C=x");
	dprintf(fd, "\nbad name=1\n");
	assert_true(spec_env_file(&s, path, &e) < 0);
	assert_non_null(strstr(e.msg, ":7:"));
	unlink(path);
	assert_true(spec_env_file(&s, path, &e) < 0);
}

static void copies_in(void **state)
{
	static const char *const bad[] = { "x", ":/g", "./x:g", "/x:" };

	(void)state;
	assert_int_equal(spec_copy_in(&s, "./x:/g/", &e), 0);
	assert_int_equal(spec_copy_in(&s, ".:/", &e), 0);
	assert_int_equal(spec_copy_in(&s, "/a b:/c", &e), 0);
	assert_int_equal(s.in.n, 3);
	assert_string_equal(s.in.v[0].host, "./x");
	assert_string_equal(s.in.v[0].guest, "/g");
	assert_string_equal(s.in.v[1].guest, "/");
	assert_string_equal(s.in.v[2].guest, "/c");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(spec_copy_in(&s, bad[i], &e) < 0);
	assert_int_equal(s.in.n, 3);
}

static void mounts(void **state)
{
	(void)state;
	assert_int_equal(spec_volume(&s, "/a:/w:ro", &e), 0);
	assert_int_equal(spec_mount(&s, "type=tmpfs,dst=/t", &e), 0);
	assert_int_equal(spec_tmpfs(&s, "/u", &e), 0);
	assert_int_equal(spec_volumes_from(&s, "box:ro", &e), 0);
	assert_int_equal(s.mounts.n, 3);
	assert_int_equal(s.volumes_from.n, 1);
	assert_int_equal(s.in.n, 0);
}

static void artifacts(void **state)
{
	struct spec_copies there;

	(void)state;
	assert_int_equal(spec_artifact(&s, "/out//", &e), 0);
	assert_int_equal(spec_artifact(&s, "/a/b:dir", &e), 0);
	assert_string_equal(s.out.v[0].guest, "/out");
	assert_string_equal(s.out.v[0].host, ".");
	assert_string_equal(s.out.v[1].host, "dir");
	assert_int_equal(chdir("/tmp"), 0);
	assert_int_equal(spec_copies_absolute(&there, &s.out, &e), 0);
	assert_int_equal(there.n, s.out.n);
	assert_string_equal(there.v[1].host, "/tmp/dir");
	assert_string_equal(there.v[1].guest, s.out.v[1].guest);
	spec_copies_fini(&there);
	assert_true(spec_artifact(&s, "/", &e) < 0);
	assert_true(spec_artifact(&s, "//:x", &e) < 0);
	assert_true(spec_artifact(&s, "out", &e) < 0);
	assert_true(spec_artifact(&s, "/out:", &e) < 0);
}

static void names(void **state)
{
	char longest[SPEC_NAME_MAX + 2];

	(void)state;
	assert_true(spec_name_valid("ab"));
	assert_true(spec_name_valid("job_1.x-2"));
	assert_false(spec_name_valid("a"));
	assert_false(spec_name_valid("-a"));
	assert_false(spec_name_valid("a/b"));
	assert_false(spec_name_valid("a b"));
	assert_false(spec_name_valid(".."));
	memset(longest, 'x', sizeof(longest));
	longest[SPEC_NAME_MAX + 1] = '\0';
	assert_false(spec_name_valid(longest));
	longest[SPEC_NAME_MAX] = '\0';
	assert_true(spec_name_valid(longest));
	assert_true(spec_name(&s, "../x", &e) < 0);
	assert_true(spec_hostname(&s, "a b", &e) < 0);
	assert_int_equal(spec_hostname(&s, "build-1", &e), 0);
}

static void ranges(void **state)
{
	(void)state;
	assert_true(spec_memory(&s, "63m", &e) < 0);
	assert_true(spec_memory(&s, "2t", &e) < 0);
	assert_int_equal(spec_memory(&s, "64m", &e), 0);
	/* Whole MiB, and never less than asked for. */
	assert_int_equal(spec_memory(&s, "67108865", &e), 0);
	assert_int_equal(s.ram_bytes, 65ull << 20);
	assert_true(spec_shm(&s, "1k", &e) < 0);
	assert_true(spec_cwd(&s, "relative", &e) < 0);
	assert_true(spec_user(&s, "", &e) < 0);
	assert_true(spec_user(&s, ":x", &e) < 0);
	assert_true(spec_log_level(&s, "loud", &e) < 0);
}

static int command(int argc, const char *a, const char *b)
{
	static char one[16], two[16];
	char *argv[] = { one, two };

	snprintf(one, sizeof(one), "%s", a);
	snprintf(two, sizeof(two), "%s", b);
	return spec_command(&s, argc, argv, &e) < 0 ? -1 : spec_check(&s, &e);
}

static void commands(void **state)
{
	(void)state;
	assert_true(command(0, "", "") < 0);
	assert_true(command(1, "image", "") < 0);
	assert_string_equal(e.msg, "no command specified");
	s.entrypoint = "make";
	assert_int_equal(command(2, "image", "test"), 0);
	assert_string_equal(s.argv.v[0], "make");
	assert_string_equal(s.argv.v[1], "test");
}

/* docker's older way to say --cpus. */
static void cpu_quota(void **state)
{
	(void)state;
	s.entrypoint = "";
	assert_int_equal(spec_cpu_quota(&s, "150000", &e), 0);
	assert_int_equal(command(2, "image", "x"), 0);
	assert_int_equal(s.cpus, 2);
	assert_int_equal(s.limits.cpu_milli, 1500);
	/* Now both are there. */
	assert_true(spec_cpu_share(&s, &e) < 0);
	s.cpus = 0;
	assert_int_equal(spec_cpu_period(&s, "50000", &e), 0);
	assert_int_equal(spec_cpu_share(&s, &e), 0);
	assert_int_equal(s.cpus, 3);
	s.cpus = 0;
	assert_int_equal(spec_cpu_quota(&s, "-1", &e), 0);
	assert_int_equal(spec_cpu_share(&s, &e), 0);
	assert_int_equal(s.cpus, 0);
	assert_true(spec_cpu_quota(&s, "999", &e) < 0);
	assert_true(spec_cpu_quota(&s, "x", &e) < 0);
	assert_true(spec_cpu_period(&s, "1000001", &e) < 0);
	assert_true(spec_cpu_period(&s, "", &e) < 0);
}

static void contradictions(void **state)
{
	(void)state;
	s.entrypoint = "";
	s.quiet = s.debug = true;
	assert_true(command(2, "image", "x") < 0);
	s.debug = false;
	assert_int_equal(spec_check(&s, &e), 0);
	s.json = "";
	assert_true(spec_check(&s, &e) < 0);
	s.json = "file";
	assert_int_equal(spec_check(&s, &e), 0);
	s.detach = true;
	assert_true(spec_check(&s, &e) < 0);
	s.json = NULL;
	assert_int_equal(spec_check(&s, &e), 0);
	assert_int_equal(spec_attach(&s, "stdout", &e), 0);
	assert_true(spec_check(&s, &e) < 0);
	s.detach = false;
	s.health.cmd = "true";
	assert_int_equal(spec_check(&s, &e), 0);
	s.health.none = true;
	assert_true(spec_check(&s, &e) < 0);
	s.health.none = false;
	s.rm = true;
	assert_int_equal(spec_restart(&s, "no", &e), 0);
	assert_int_equal(spec_check(&s, &e), 0);
	assert_int_equal(spec_restart(&s, "on-failure:3", &e), 0);
	assert_true(spec_check(&s, &e) < 0);
	s.rm = false;
	assert_int_equal(spec_check(&s, &e), 0);
	s.detach_keys = "ctrl-1";
	assert_true(spec_check(&s, &e) < 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(sizes),	   T(durations), T(cpus),      T(ulimits),
		T(environment),	   T(env_file),	 T(copies_in), T(mounts),
		T(artifacts),	   T(names),	 T(ranges),    T(commands),
		T(contradictions), T(cpu_quota),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
