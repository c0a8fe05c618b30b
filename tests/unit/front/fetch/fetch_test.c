/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/auth.h"

#include "base/auto.h"
#include "fetch/bars.h"
#include "fetch/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_challenge(void **state)
{
	struct auth_want w;

	(void)state;
	auth_parse("Bearer realm=\"https://a/b\",service=\"s v\",scope=\"x\"",
		   &w);
	assert_true(w.bearer && !w.basic);
	assert_string_equal(w.realm, "https://a/b");
	assert_string_equal(w.service, "s v");
	assert_string_equal(w.scope, "x");
	auth_parse("bearer service=s , error=\"a \\\" , b\" realm=https://a",
		   &w);
	assert_true(w.bearer);
	assert_string_equal(w.realm, "https://a");
	assert_string_equal(w.service, "s");
	auth_parse("Basic realm=\"x\"", &w);
	assert_true(w.basic && !w.bearer);
	auth_parse("Bearer service=\"s\"", &w);
	assert_false(w.bearer || w.basic);
	auth_parse("Negotiate", &w);
	assert_false(w.bearer || w.basic);
	auth_parse("", &w);
	assert_false(w.bearer || w.basic);
	auth_parse("Bearer realm=\"https://never closed", &w);
	assert_string_equal(w.realm, "https://never closed");
}

/* A realm that does not fit is none: half an address is another's. */
static void test_challenge_long(void **state)
{
	char text[4000] = "Bearer realm=\"https://";
	struct auth_want w;

	(void)state;
	memset(text + strlen(text), 'x', 3000);
	auth_parse(text, &w);
	assert_false(w.bearer);
}

/* No credentials over http, where that was not allowed. */
static void test_plain_realm(void **state)
{
	struct creds c = { .user = (char[]){ "u" },
			   .password = (char[]){ "p" } };
	struct http_conf conf = { 0 };
	struct err e = { 0 };
	char *out = NULL;

	(void)state;
	assert_true(auth_answer(&conf, "Bearer realm=\"http://127.0.0.1:1/\"",
				"s", &c, &out, &e) < 0);
	assert_non_null(strstr(e.msg, "https"));
	assert_true(auth_answer(&conf, "Bearer realm=\"file:///etc/passwd\"",
				"s", &c, &out, &e) < 0);
	assert_non_null(strstr(e.msg, "https"));
	assert_int_equal(auth_answer(&conf, "Basic realm=x", "s", &c, &out, &e),
			 0);
	assert_string_equal(out, "Authorization: Basic dTpw");
	free(out);
}

static void test_conf_local(void **state)
{
	static const struct {
		const char *host;
		bool plain;
	} all[] = {
		{ "localhost", true },
		{ "localhost:5000", true },
		{ "127.0.0.1:5000", true },
		{ "127.9.9.9", true },
		{ "[::1]:5000", true },
		{ "localhost.example", false },
		{ "127.0.0.1.example", false },
		{ "registry.example", false },
		{ "[::2]", false },
	};

	(void)state;
	setenv("HOME", "/nonexistent", 1);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct http_conf c = { 0 };
		struct err e = { 0 };

		assert_int_equal(conf_find(all[i].host, false, &c, &e), 0);
		assert_int_equal(c.plain, all[i].plain);
		assert_false(c.unverified);
		http_conf_fini(&c);
	}
}

static void look(const char *text, const char *name, const char *user)
{
	char path[] = "/tmp/creds-test.XXXXXX";
	int fd = mkstemp(path);
	struct err e = { 0 };
	struct creds c;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	setenv("REGISTRY_AUTH_FILE", path, 1);
	if (creds_find(name, &c, &e) < 0)
		fail_msg("%s", e.msg);
	unlink(path);
	if (user)
		assert_string_equal(c.user, user);
	else
		assert_null(c.user);
	creds_fini(&c);
}

static void test_creds(void **state)
{
	/* hub:x, host:x, deep:x, and one that is no base64. */
	static const char text[] =
		"{\"auths\":{\"https://index.docker.io/v1/\":"
		"{\"auth\":\"aHViOng=\"},\"reg.example:5000\":"
		"{\"auth\":\"aG9zdDp4\"},\"reg.example:5000/a/b\":"
		"{\"auth\":\"ZGVlcDp4\"},\"odd\":{\"auth\":\"!!\"},"
		"\"plain\":{\"username\":\"u\",\"password\":\"p\"}}}";

	(void)state;
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_RUNTIME_DIR");
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("DOCKER_CONFIG");
	look(text, "docker.io/library/debian", "hub");
	look(text, "reg.example:5000/a", "host");
	look(text, "reg.example:5000/a/b", "deep");
	look(text, "reg.example:5000/a/b/c", "deep");
	look(text, "reg.example:5000/a/bc", "host");
	look(text, "reg.example/a", NULL);
	look(text, "odd/x", NULL);
	look(text, "plain/x", "u");
	look("{}", "plain/x", NULL);
	/* A name with a slash would be another program. */
	look("{\"credsStore\":\"../../bin/sh\"}", "plain/x", NULL);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	fclose(f);
}

/* Files below certs.d: all authorities, the first pair. */
static void test_conf_certs(void **state)
{
	static const char *const names[] = { "b.crt", "a.crt",	"x.cert",
					     "x.key", "y.cert", "notes" };
	char home[] = "/tmp/certs-test.XXXXXX", dir[200], cmd[260];
	struct http_conf c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	snprintf(dir, sizeof(dir), "%s/.config/containers/certs.d/r.example:5",
		 home);
	snprintf(cmd, sizeof(cmd), "mkdir -p '%s'", dir);
	assert_int_equal(system(cmd), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		write_file(dir, names[i], names[i]);
	assert_int_equal(conf_find("r.example:5", true, &c, &e), 0);
	assert_true(c.plain && c.unverified);
	assert_string_equal(c.ca, "a.crt\nb.crt\n");
	assert_string_equal(c.cert, "x.cert\n");
	assert_string_equal(c.key, "x.key\n");
	http_conf_fini(&c);
	assert_int_equal(conf_find("r.example", false, &c, &e), 0);
	assert_null(c.ca);
	http_conf_fini(&c);
	snprintf(cmd, sizeof(cmd), "rm '%s/x.key'", dir);
	assert_int_equal(system(cmd), 0);
	assert_true(conf_find("r.example:5", false, &c, &e) < 0);
	assert_non_null(strstr(e.msg, "x.cert"));
	http_conf_fini(&c);
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", home);
	assert_int_equal(system(cmd), 0);
}

static void test_origin(void **state)
{
	(void)state;
	assert_true(http_same_origin("https://a/x", "https://A:443/y?z"));
	assert_true(http_same_origin("http://a:80/", "http://a"));
	assert_false(http_same_origin("https://a/", "http://a/"));
	assert_false(http_same_origin("https://a/", "https://a:444/"));
	assert_false(http_same_origin("https://a/", "https://a.b/"));
	assert_false(http_same_origin("https://a/", "https://a@b/"));
	assert_false(http_same_origin("", ""));
}

static void line(enum bar_state s, uint64_t done, uint64_t total,
		 unsigned width, const char *want)
{
	char out[200];

	bar_line("5e6ec7f28fb77f84", s, done, total, width, out, sizeof(out));
	assert_string_equal(out, want);
}

static void test_bars(void **state)
{
	(void)state;
	line(BAR_WAITING, 0, 100, 80, "5e6ec7f28fb7: Waiting");
	line(BAR_DONE, 9, 100, 80, "5e6ec7f28fb7: Pull complete");
	line(BAR_THERE, 9, 100, 0, "5e6ec7f28fb7: Already exists");
	line(BAR_DOWNLOADING, 12600000, 34100000, 60,
	     "5e6ec7f28fb7: Downloading [=====>           ]  12.6MB/34.1MB");
	line(BAR_DOWNLOADING, 0, 1000, 48,
	     "5e6ec7f28fb7: Downloading [>           ]  0B/1kB");
	line(BAR_DOWNLOADING, 1000, 1000, 200,
	     "5e6ec7f28fb7: Downloading [=========================="
	     "========================]  1kB/1kB");
	/* No room for one; and hardly any at all. */
	line(BAR_DOWNLOADING, 1, 1000, 36, "5e6ec7f28fb7: Downloading");
	line(BAR_DOWNLOADING, 1, 1000, 10, "5e6ec7f28f");
	line(BAR_DOWNLOADING, 5, 0, 48,
	     "5e6ec7f28fb7: Downloading [>            ]  5B/0B");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_challenge_long),
		cmocka_unit_test(test_plain_realm),
		cmocka_unit_test(test_conf_local),
		cmocka_unit_test(test_conf_certs),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_bars),
		cmocka_unit_test(test_creds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
