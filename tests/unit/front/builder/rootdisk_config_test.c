/* SPDX-License-Identifier: Apache-2.0 */
/* What an image says of how it is run, behind what the user says. */
#include "builder/rootdisk.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define IMAGE                                                                  \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":"             \
	"{\"type\":\"layers\",\"diff_ids\":[]},\"config\":%s}"

static struct spec spec;
static struct config config;

static int start(void **state)
{
	(void)state;
	spec_init(&spec);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	spec_fini(&spec);
	config_fini(&config);
	return 0;
}

static void parse(const char *text)
{
	char whole[2048];
	struct err e = { 0 };

	config_fini(&config);
	snprintf(whole, sizeof(whole), IMAGE, text);
	if (config_parse(whole, strlen(whole), &config, &e) < 0)
		fail_msg("%s", e.msg);
}

static void merge(const char *text)
{
	struct err e = { 0 };

	parse(text);
	if (rootdisk_config(&spec, &config, &e) < 0)
		fail_msg("%s", e.msg);
	/* The spec holds what it points to. */
	config_fini(&config);
}

/* Words with a slash between them. */
static void assert_words(const struct strv *v, const char *want)
{
	char got[512] = "";

	for (size_t i = 0; i < v->n; i++) {
		strcat(got, i ? "/" : "");
		strcat(got, v->v[i]);
	}
	assert_string_equal(got, want);
}

#define BOTH "{\"Entrypoint\":[\"e\",\"1\"],\"Cmd\":[\"c\",\"2\"]}"

static void test_command(void **state)
{
	(void)state;
	merge(BOTH);
	assert_words(&spec.argv, "e/1/c/2");
	assert_int_equal(spec.nentrypoint, 2);
}

static void test_command_of_user(void **state)
{
	(void)state;
	strv_add(&spec.argv, "mine");
	merge(BOTH);
	assert_words(&spec.argv, "e/1/mine");
}

static void test_entrypoint_of_user(void **state)
{
	(void)state;
	spec.entrypoint = "sh";
	strv_add(&spec.argv, "sh");
	strv_add(&spec.argv, "-c");
	merge(BOTH);
	assert_words(&spec.argv, "sh/-c");
	assert_int_equal(spec.nentrypoint, 0);
}

/* Takes the image's away, and leaves nothing. */
static void test_no_entrypoint(void **state)
{
	(void)state;
	spec.entrypoint = "";
	merge(BOTH);
	assert_int_equal(spec.argv.n, 0);
}

static void test_nothing_said(void **state)
{
	(void)state;
	merge("{}");
	assert_int_equal(spec.argv.n, 0);
	assert_int_equal(spec.env.n, 0);
	assert_null(spec.user);
	assert_null(spec.cwd);
	assert_null(spec.stop_signal);
	assert_null(spec.health.cmd);
}

static void test_env_and_labels(void **state)
{
	(void)state;
	strv_add(&spec.env, "B=user");
	strv_add(&spec.env, "C=user");
	strv_add(&spec.labels, "l=user");
	merge("{\"Env\":[\"A=1\",\"B=2\",\"=x\"],"
	      "\"Labels\":{\"l\":\"image\",\"m\":\"image\"}}");
	assert_words(&spec.env, "A=1/B=user/C=user");
	assert_words(&spec.labels, "l=user/m=image");
}

static void test_user_and_place(void **state)
{
	(void)state;
	merge("{\"User\":\"1000:100\",\"WorkingDir\":\"/src\","
	      "\"StopSignal\":\"SIGINT\"}");
	assert_string_equal(spec.user, "1000:100");
	assert_string_equal(spec.cwd, "/src");
	assert_string_equal(spec.stop_signal, "SIGINT");
	spec.user = "0";
	spec.cwd = "/mine";
	spec.stop_signal = "TERM";
	merge("{\"User\":\"1000:100\",\"WorkingDir\":\"/src\","
	      "\"StopSignal\":\"SIGINT\"}");
	assert_string_equal(spec.user, "0");
	assert_string_equal(spec.cwd, "/mine");
	assert_string_equal(spec.stop_signal, "TERM");
}

static void test_volumes(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(spec_tmpfs(&spec, "/cache", &e), 0);
	merge("{\"Volumes\":{\"/data\":{},\"/cache/\":{}}}");
	assert_int_equal(spec.mounts.n, 2);
	assert_int_equal(spec.mounts.v[0].kind, MOUNT_TMPFS);
	assert_int_equal(spec.mounts.v[1].kind, MOUNT_VOLUME);
	assert_true(spec.mounts.v[1].anonymous);
	assert_string_equal(spec.mounts.v[1].target, "/data");
}

static void test_health(void **state)
{
	(void)state;
	merge("{\"Healthcheck\":{\"Test\":[\"CMD\",\"a b\",\"it's\"],"
	      "\"Interval\":5000000000,\"Retries\":7}}");
	assert_string_equal(spec.health.cmd, "'a b' 'it'\\''s'");
	assert_int_equal(spec.health.interval_ms, 5000);
	assert_int_equal(spec.health.timeout_ms, SPEC_HEALTH_MS);
	assert_int_equal(spec.health.retries, 7);
	spec.health.cmd = "mine";
	merge("{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"x\"]}}");
	assert_string_equal(spec.health.cmd, "mine");
	spec.health.cmd = NULL;
	merge("{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
	assert_null(spec.health.cmd);
	spec.health.none = true;
	merge("{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"x\"]}}");
	assert_null(spec.health.cmd);
}

/* Refused, with what it is about. */
static void test_nonsense(void **state)
{
	static const char *const bad[][2] = {
		{ "{\"StopSignal\":\"SIGNOTHING\"}", "StopSignal" },
		{ "{\"Volumes\":{\"not/absolute\":{}}}", "not/absolute" },
		{ "{\"Volumes\":{\"/a:/b\":{}}}", "/a:/b" },
		{ "{\"Volumes\":{\"/\":{}}}", "'/'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };

		parse(bad[i][0]);
		assert_true(rootdisk_config(&spec, &config, &e) < 0);
		if (!strstr(e.msg, bad[i][1]))
			fail_msg("'%s' is not in: %s", bad[i][1], e.msg);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		T(test_command),	T(test_command_of_user),
		T(test_no_entrypoint),	T(test_entrypoint_of_user),
		T(test_nothing_said),	T(test_env_and_labels),
		T(test_user_and_place), T(test_volumes),
		T(test_health),		T(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
