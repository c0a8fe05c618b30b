/* SPDX-License-Identifier: Apache-2.0 */
/* Which names a copy begins and ends at. */
#include "guest/cp.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct err e;

static void words(void **state)
{
	static const struct {
		const char *word, *box, *path;
	} t[] = {
		{ "job:/etc/hosts", "job", "/etc/hosts" },
		{ "job:rel", "job", "rel" },
		{ "job:", "job", "" },
		{ "job:/a:b", "job", "/a:b" },
		{ "/a:b", "", "/a:b" },
		{ "./a:b", "", "./a:b" },
		{ "../a:b", "", "../a:b" },
		{ ":x", "", ":x" },
		{ "plain", "", "plain" },
		{ "-", "", "-" },
	};
	char box[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *path = cp_split(t[i].word, box, sizeof(box));

		assert_string_equal(path, t[i].path);
		assert_string_equal(box, t[i].box);
	}
	assert_null(cp_split("longername:/x", box, sizeof(box)));
}

static void clean(void **state)
{
	static const struct {
		const char *path, *out;
	} t[] = {
		{ "/a/b", "/a/b" },
		{ "b", "/w/d/b" },
		{ "../b", "/w/b" },
		{ "../../../../b", "/b" },
		{ "/a//b///c", "/a/b/c" },
		{ "/a/./b/../c", "/a/c" },
		{ "/a/", "/a/" },
		{ "/a//", "/a/" },
		{ "/a/.", "/a/." },
		{ ".", "/w/d/." },
		{ "./", "/w/d/" },
		{ "..", "/w" },
		{ "../", "/w/" },
		{ "/", "/" },
		{ "/.", "/." },
		{ "/..", "/" },
		{ "", "/w/d" },
		{ "/a/..", "/" },
		{ "a/../.", "/w/d/." },
		{ "/...", "/..." },
	};
	char out[PATH_MAX], big[PATH_MAX + 8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(cp_clean("/w/d", t[i].path, out, &e), 0);
		assert_string_equal(out, t[i].out);
	}
	memset(big, 'n', NAME_MAX + 1);
	big[NAME_MAX + 1] = '\0';
	assert_int_equal(cp_clean("/", big, out, &e), -ENAMETOOLONG);
	/* As long as it gets, with an end that says something. */
	for (size_t len = PATH_MAX - 8; len < PATH_MAX + 4; len++) {
		int r;

		for (size_t i = 0; i < len; i++)
			big[i] = i % 100 ? 'n' : '/';
		strcpy(big + len, "/.");
		r = cp_clean("/", big, out, &e);
		assert_true(r == -ENAMETOOLONG || strcmp(out, big) == 0);
		assert_true(r == 0 || len > PATH_MAX - 4);
	}
}

static void parts(void **state)
{
	static const struct {
		const char *path, *parent, *base;
	} t[] = {
		{ "/a/b", "/a", "b" },	 { "/a/b/", "/a", "b" },
		{ "/a/b/.", "/a", "." }, { "/b", "/", "b" },
		{ "/b/.", "/", "." },	 { "/", "/", "." },
		{ "/.", "/", "." },
	};
	char parent[PATH_MAX], base[NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cp_parent(t[i].path, parent);
		cp_base(t[i].path, base);
		assert_string_equal(parent, t[i].parent);
		assert_string_equal(base, t[i].base);
	}
	assert_int_equal(cp_follow("/a/l", "../x", parent, &e), 0);
	assert_string_equal(parent, "/x");
	assert_int_equal(cp_follow("/a/l", "/y/z", parent, &e), 0);
	assert_string_equal(parent, "/y/z");
	assert_int_equal(cp_follow("/a/l/", "sub", parent, &e), 0);
	assert_string_equal(parent, "/a/sub");
}

#define FILE_AT(p)                                                             \
	{                                                                      \
		.path = (p), .exists = true                                    \
	}
#define DIR_AT(p)                                                              \
	{                                                                      \
		.path = (p), .exists = true, .is_dir = true                    \
	}
#define NONE_AT(p)                                                             \
	{                                                                      \
		.path = (p)                                                    \
	}

static void aims(void **state)
{
	static const struct {
		struct cp_end src, dst;
		const char *dir, *name;
		bool parent;
	} t[] = {
		/* a file */
		{ FILE_AT("/s/f"), DIR_AT("/d"), "/d", "f", false },
		{ FILE_AT("/s/f"), DIR_AT("/d/"), "/d/", "f", false },
		{ FILE_AT("/s/f"), DIR_AT("/"), "/", "f", false },
		{ FILE_AT("/s/f"), FILE_AT("/d/g"), "/d", "g", true },
		{ FILE_AT("/s/f"), NONE_AT("/d/g"), "/d", "g", true },
		{ FILE_AT("/s/f"), NONE_AT("/gcl-cmd"), "/", "gcl-cmd", true },
		/* a folder */
		{ DIR_AT("/s/x"), DIR_AT("/d"), "/d", "x", false },
		{ DIR_AT("/s/x/"), DIR_AT("/d"), "/d", "x", false },
		{ DIR_AT("/s/x"), NONE_AT("/d/y"), "/d", "y", true },
		{ DIR_AT("/s/x"), NONE_AT("/d/y/"), "/d", "y", true },
		/* what is in a folder */
		{ DIR_AT("/s/x/."), DIR_AT("/d"), "/d", ".", false },
		{ DIR_AT("/s/x/."), NONE_AT("/d/y"), "/d", "y", true },
		{ DIR_AT("/s/x/."), NONE_AT("/d/y/."), "/d", "y", true },
		{ DIR_AT("/"), DIR_AT("/d"), "/d", ".", false },
	};
	struct cp_target out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(cp_aim(&t[i].src, &t[i].dst, &out, &e), 0);
		assert_string_equal(out.dir, t[i].dir);
		assert_string_equal(out.name, t[i].name);
		assert_int_equal(out.parent, t[i].parent);
	}
}

static void refusals(void **state)
{
	static const struct {
		struct cp_end src, dst;
		const char *words;
	} t[] = {
		{ DIR_AT("/s"), FILE_AT("/d/f"), "cannot copy directory" },
		{ DIR_AT("/s/."), FILE_AT("/d/f"), "cannot copy directory" },
		{ FILE_AT("/f"), NONE_AT("/d/"), "no such directory" },
		{ FILE_AT("/f"), NONE_AT("/d/."), "no such directory" },
		/* /d/f is a file: with a slash it is not found */
		{ FILE_AT("/f"), FILE_AT("/d/f/"), "no such directory" },
	};
	struct cp_target out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_true(cp_aim(&t[i].src, &t[i].dst, &out, &e) < 0);
		assert_non_null(strstr(e.msg, t[i].words));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),    cmocka_unit_test(clean),
		cmocka_unit_test(parts),    cmocka_unit_test(aims),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
