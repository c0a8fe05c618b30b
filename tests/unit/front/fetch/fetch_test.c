/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/auth.h"

#include "base/auto.h"
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

static void test_conf(void **state)
{
	static const char text[] = "unqualified-search-registries = [\"a\"]\n"
				   "# [[registry]]\n"
				   "[[registry]]\n"
				   "location = \"plain.example:5000\"\n"
				   "insecure = true # so be it\n"
				   "[[registry]]\n"
				   "  prefix = '*.evil.example'\n"
				   "  blocked=true\n"
				   "[[registry]]\n"
				   "location = \"good.example/team\"\n"
				   "insecure = false\n"
				   "[aliases]\n"
				   "insecure = true\n";
	struct conf_says says;

	(void)state;
	conf_read(text, "plain.example:5000", &says);
	assert_true(says.insecure && !says.blocked);
	conf_read(text, "plain.example", &says);
	assert_false(says.insecure || says.blocked);
	conf_read(text, "a.evil.example", &says);
	assert_true(says.blocked && !says.insecure);
	conf_read(text, "evil.example", &says);
	assert_false(says.blocked);
	conf_read(text, "good.example", &says);
	assert_false(says.insecure || says.blocked);
	conf_read("", "x", &says);
	assert_false(says.insecure || says.blocked);
	conf_read("[[registry]]\nlocation = \"x\nblocked = true", "x", &says);
	assert_false(says.blocked);
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
		char *paths[3] = { NULL };
		struct http_conf c = { 0 };
		struct err e = { 0 };

		assert_int_equal(conf_find(all[i].host, &c, paths, &e), 0);
		assert_int_equal(c.plain, all[i].plain);
		assert_false(c.unverified);
		for (size_t k = 0; k < 3; k++)
			free(paths[k]);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_challenge_long),
		cmocka_unit_test(test_plain_realm),
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_conf_local),
		cmocka_unit_test(test_creds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
