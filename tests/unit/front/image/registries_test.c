/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registries.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char text[] =
	"unqualified-search-registries = ['one.example', \"docker.io\"]\n"
	"[[registry]]\n"
	"location = \"plain.example:5000\"\n"
	"insecure = true # so be it\n"
	"[[registry]]\n"
	"prefix = '*.evil.example'\n"
	"blocked=true\n"
	"[[registry]]\n"
	"prefix = 'docker.io'\n"
	"location = 'docker.io'\n"
	"[[registry.mirror]]\n"
	"location = 'mirror.example/hub/'\n"
	"[[registry.mirror]]\n"
	"location = 'localhost:1'\n"
	"insecure = true\n"
	"pull-from-mirror = 'digest-only'\n"
	"[[registry]]\n"
	"prefix = 'docker.io/team'\n"
	"location = 'inside.example/moved'\n"
	"[[registry]]\n"
	"prefix = '*.any.example'\n"
	"location = 'all.example/x'\n"
	"mirror = [ { location = 'm.example', pull-from-mirror = 'tag-only' } ]\n"
	"[[registry]]\n"
	"location = 'digests.example'\n"
	"mirror-by-digest-only = true\n"
	"mirror = [ { location = 'm.example' } ]\n"
	"[aliases]\n"
	"fedora = 'registry.fedora.example/fedora'\n"
	"'team/x' = 'other.example/y'\n";

#define D                                                                      \
	"sha256:00000000000000000000000000000000"                              \
	"00000000000000000000000000000000"

static struct registries all;

static int set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	return registries_add(&all, text, strlen(text), &e);
}

static int tear_down(void **state)
{
	(void)state;
	registries_fini(&all);
	return 0;
}

/* The places of name, a blank between them; "!" behind one that is insecure. */
static void places(const char *name, const char *want)
{
	struct registries_place out[REGISTRIES_PLACES_MAX];
	char got[4000] = "", one[REF_TEXT_MAX];
	struct err e = { 0 };
	struct ref r;
	int n;

	assert_int_equal(ref_parse(name, &r, &e), 0);
	n = registries_find(&all, &r, out, &e);
	if (n < 0)
		snprintf(got, sizeof(got), "%s", e.msg);
	for (int i = 0; i < n; i++) {
		ref_print(&out[i].ref, one);
		assert_int_equal(out[i].mirror, i + 1 < n);
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s%s",
			 i ? " " : "", one, out[i].insecure ? "!" : "");
	}
	assert_string_equal(got, want);
}

static void test_places(void **state)
{
	(void)state;
	places("nobody.example/x", "nobody.example/x:latest");
	places("plain.example:5000/x", "plain.example:5000/x:latest!");
	places("plain.example/x", "plain.example/x:latest");
	places("a.b.evil.example/x", "a.b.evil.example is blocked by "
				     "registries.conf");
	places("evil.example/x", "evil.example/x:latest");
	places("debian:12", "mirror.example/hub/library/debian:12 "
			    "docker.io/library/debian:12");
	places("debian@" D, "mirror.example/hub/library/debian@" D
			    " localhost:1/library/debian@" D "! "
			    "docker.io/library/debian@" D);
	/* The longest prefix, and no part of a word. */
	places("team/a/b", "inside.example/moved/a/b:latest");
	places("teams/a", "mirror.example/hub/teams/a:latest "
			  "docker.io/teams/a:latest");
	places("deep.any.example/p:1", "m.example/p:1 all.example/x/p:1");
	places("deep.any.example/p@" D, "all.example/x/p@" D);
	places("digests.example/p:1", "digests.example/p:1");
	places("digests.example/p@" D, "m.example/p@" D " "
				       "digests.example/p@" D);
}

static void test_hosts(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(registries_host(&all, "plain.example:5000", &e), 1);
	assert_int_equal(registries_host(&all, "plain.example", &e), 0);
	assert_int_equal(registries_host(&all, "x.evil.example", &e), -EPERM);
	assert_int_equal(registries_host(&all, "docker.io", &e), 0);
}

static void names(const struct registries *r, const char *name,
		  const char *want)
{
	char got[4000] = "", one[REF_TEXT_MAX];
	struct ref out[REGISTRIES_NAMES_MAX];
	struct err e = { 0 };
	int n = registries_names(r, name, out, &e);

	if (n < 0)
		snprintf(got, sizeof(got), "%s", e.msg);
	for (int i = 0; i < n; i++) {
		ref_print(&out[i], one);
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s",
			 i ? " " : "", one);
	}
	assert_string_equal(got, want);
}

static void test_names(void **state)
{
	const struct registries none = { 0 };

	(void)state;
	names(&none, "debian", "docker.io/library/debian:latest");
	names(&none, "you/x:1", "docker.io/you/x:1");
	names(&all, "fedora:38", "registry.fedora.example/fedora:38");
	names(&all, "fedora@" D, "registry.fedora.example/fedora@" D);
	names(&all, "team/x", "other.example/y:latest");
	names(&all, "debian:12",
	      "one.example/debian:12 docker.io/library/debian:12");
	names(&all, "docker.io/fedora", "docker.io/library/fedora:latest");
	names(&all, "localhost/fedora", "localhost/fedora:latest");
	names(&all, "Fedora",
	      "invalid reference format: 'Fedora': it must be "
	      "lowercase");
}

static void refused(const char *toml, const char *word)
{
	struct registries r = { 0 };
	struct err e = { 0 };

	assert_true(registries_add(&r, toml, strlen(toml), &e) < 0);
	if (!strstr(e.msg, word))
		fail_msg("%s: %s", toml, e.msg);
	registries_fini(&r);
}

static void test_refused(void **state)
{
	(void)state;
	refused("[[registry]]\ninsecure = true", "neither");
	refused("[[registry]]\nlocation = 'https://x'", "https");
	refused("[[registry]]\nlocation = 'x'\ninsecure = 'yes'", "insecure");
	refused("[[registry]]\nlocation = 'x'\n[[registry.mirror]]\n",
		"registry x: a mirror has no location");
	refused("[[registry]]\nlocation = 'x'\nmirror = [{location = 'y', "
		"pull-from-mirror = 'never'}]",
		"pull-from-mirror");
	refused("registry = 1", "registry");
	refused("registry = [1]", "no table");
	refused("unqualified-search-registries = [1]", "no list");
	refused("[aliases]\nx = 'y'", "alias");
	refused("[aliases]\nx = 1", "alias");
	refused("[[registry]]\nlocation = \"x\nblocked = true", "line 2");
}

static void put_file(const char *dir, const char *name, const char *toml)
{
	char path[400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(toml, f) >= 0);
	fclose(f);
}

/* Drop-ins come behind the file, by name; what was said last holds. */
static void test_files(void **state)
{
	char home[] = "/tmp/registries-test.XXXXXX", dir[200], cmd[260];
	struct ref out[REGISTRIES_NAMES_MAX];
	struct registries r;
	struct err e = { 0 };

	(void)state;
	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	unsetenv("CONTAINERS_REGISTRIES_CONF");
	snprintf(dir, sizeof(dir), "%s/.config/containers", home);
	snprintf(cmd, sizeof(cmd), "mkdir -p '%s/registries.conf.d'", dir);
	assert_int_equal(system(cmd), 0);
	put_file(dir, "registries.conf",
		 "[[registry]]\nlocation='a.example'\ninsecure=true\n"
		 "[aliases]\nx='a.example/x'\ny='a.example/y'\n");
	put_file(dir, "registries.conf.d/2.conf", "[aliases]\nx='c.example/x'");
	put_file(dir, "registries.conf.d/1.conf",
		 "[[registry]]\nlocation='a.example'\n"
		 "[aliases]\nx='b.example/x'\n");
	put_file(dir, "registries.conf.d/3.txt", "nonsense");
	assert_int_equal(registries_load(&r, &e), 0);
	assert_int_equal(registries_host(&r, "a.example", &e), 0);
	names(&r, "x", "c.example/x:latest");
	names(&r, "y", "a.example/y:latest");
	registries_fini(&r);
	/* What is here may also have been named as docker does. */
	assert_int_equal(registries_local("x", out, &e), 2);
	assert_string_equal(out[0].domain, "c.example");
	assert_string_equal(out[1].domain, "docker.io");
	assert_int_equal(registries_local("c.example/x", out, &e), 1);
	put_file(dir, "registries.conf.d/4.conf", "nonsense");
	assert_true(registries_load(&r, &e) < 0);
	assert_non_null(strstr(e.msg, "4.conf: line 1"));
	setenv("CONTAINERS_REGISTRIES_CONF", "/nonexistent", 1);
	assert_true(registries_load(&r, &e) < 0);
	assert_non_null(strstr(e.msg, "/nonexistent"));
	unsetenv("CONTAINERS_REGISTRIES_CONF");
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", home);
	assert_int_equal(system(cmd), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places), cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
