/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include "base/auto.h"
#include "base/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void same(const char *toml, const char *json)
{
	struct err e = { 0 };
	json_t *got = toml_parse(toml, strlen(toml), &e);
	json_t *want = json_loads(json, 0, NULL);

	assert_non_null(want);
	if (!got)
		fail_msg("%s: %s", toml, e.msg);
	if (!json_equal(got, want))
		fail_msg("%s: %s", toml, json_dumps(got, JSON_COMPACT));
	json_decref(got);
	json_decref(want);
}

static void test_values(void **state)
{
	(void)state;
	same("", "{}");
	same("# nothing\n\n \t\r\n", "{}");
	same("a = 1\nb= -2 # two\n\"c d\" = +1_000", "{\"a\":1,\"b\":-2,"
						     "\"c d\":1000}");
	same("t = true\nf=false\r\n", "{\"t\":true,\"f\":false}");
	same("s = \"a\\tb\\\"\\\\ \\u00e9\\U0001F600\"\nl = 'C:\\x'\n"
	     "e=\"\"\nq=''",
	     "{\"s\":\"a\\tb\\\"\\\\ \xc3\xa9\xf0\x9f\x98\x80\","
	     "\"l\":\"C:\\\\x\",\"e\":\"\",\"q\":\"\"}");
	same("a = [ 1, \"x\", # one\n [true], ]\nb=[]",
	     "{\"a\":[1,\"x\",[true]],\"b\":[]}");
	same("a = { x = 1, y.z = \"w\" }\nb={}",
	     "{\"a\":{\"x\":1,\"y\":{\"z\":\"w\"}},\"b\":{}}");
}

static void test_tables(void **state)
{
	(void)state;
	same("[a]\nx=1\n[a.b]\ny=2\n[ 'c' . d ]\nz=3",
	     "{\"a\":{\"x\":1,\"b\":{\"y\":2}},\"c\":{\"d\":{\"z\":3}}}");
	same("a.b.c=1\na.d=2", "{\"a\":{\"b\":{\"c\":1},\"d\":2}}");
	same("[[r]]\nl='x'\n[[r.m]]\nl='y'\n[[r.m]]\n[[r]]\nl='z'\n",
	     "{\"r\":[{\"l\":\"x\",\"m\":[{\"l\":\"y\"},{}]},{\"l\":\"z\"}]}");
}

static void refused(const char *toml, unsigned line, const char *word)
{
	struct err e = { 0 };
	char where[24];

	snprintf(where, sizeof(where), "line %u: ", line);
	assert_null(toml_parse(toml, strlen(toml), &e));
	assert_true(e.code > 0);
	if (strncmp(e.msg, where, strlen(where)) != 0 || !strstr(e.msg, word))
		fail_msg("%s: %s", toml, e.msg);
}

static void test_refused(void **state)
{
	char deep[200];

	(void)state;
	refused("a", 1, "'='");
	refused("\n= 1", 2, "key");
	refused("a = ", 1, "no string");
	refused("a = 1 b = 2", 1, "follows");
	refused("a = 1\na = 2", 2, "already");
	refused("a = \"x", 1, "end");
	refused("a = \"x\ny\"", 1, "end");
	refused("a = \"\"\"x\"\"\"", 1, "several lines");
	refused("a = \"\\x\"", 1, "escape");
	refused("a = \"\\ud800\"", 1, "escape");
	refused("a = \"\\u0000\"", 1, "escape");
	refused("a = \"\x01\"", 1, "control");
	refused("a = \"\xff\"", 1, "UTF-8");
	refused("a = 1.5", 1, "no string");
	refused("a = 2026-11-21", 1, "no string");
	refused("a = 99999999999999999999", 1, "large");
	refused("a = nonsense", 1, "no string");
	refused("a = [1\n2]", 2, "','");
	refused("a = {x=1", 1, "'}'");
	refused("[a", 1, "']'");
	refused("[[a]\n", 1, "']]'");
	refused("a = 1\n[a]\n", 2, "table");
	refused("a = 1\n[[a]]\n", 2, "table");
	refused("a = []\n[a.b]\n", 2, "table");
	refused("[[\"\xff\"]]", 1, "UTF-8");
	refused("[\"\xff\"]", 1, "UTF-8");
	refused("\"\xff\" = 1", 1, "UTF-8");
	memset(deep, '[', sizeof(deep) - 1);
	memcpy(deep, "a = ", 4);
	deep[sizeof(deep) - 1] = '\0';
	refused(deep, 1, "deep");
	for (size_t i = 0; i + 2 < sizeof(deep); i += 2)
		memcpy(deep + i, "a.", 2);
	refused(deep, 1, "deep");
}

static void test_settings(void **state)
{
	char path[] = "/tmp/toml-test.XXXXXX";
	int fd = mkstemp(path);
	struct err e = { 0 };
	json_t *o;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[images]\nmax-size = '1g'\n", 25), 25);
	setenv("VIAL_CONF", path, 1);
	o = settings_load(&e);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(o, "images"), "max-size")),
			    "1g");
	json_decref(o);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
	assert_null(settings_load(&e));
	assert_non_null(strstr(e.msg, path));
	assert_non_null(strstr(e.msg, "line 3"));
	unlink(path);
	/* A file that was named must be there; others need not. */
	assert_null(settings_load(&e));
	assert_int_equal(e.code, ENOENT);
	unsetenv("VIAL_CONF");
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	o = settings_load(&e);
	assert_true(json_is_object(o));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
