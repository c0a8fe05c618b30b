/* SPDX-License-Identifier: Apache-2.0 */
/* Layers nobody should have made: each ends in one line that says why, and
 * the folder beside the image stays as it was (target_close()). */
#include "tests/guest/layer.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct tape_target target;
static struct tape tape;

static int start(void **state)
{
	(void)state;
	target_start(&target);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	tape_free(&tape);
	target_close(&target);
	return 0;
}

static void apply(void)
{
	target_layer(&target, &tape);
}

/* The tape is refused in words that hold this. */
static void refused(const char *words)
{
	struct err e = { 0 };

	tape_end(&tape);
	assert_true(target_apply(&target, &tape, NULL, NULL, &e) < 0);
	tape_free(&tape);
	if (!strstr(e.msg, words))
		fail_msg("'%s' is not in: %s", words, e.msg);
	assert_int_not_equal(e.code, 0);
}

static bool there(const char *name)
{
	struct stat st;

	return fstatat(target.root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_traversal(void **state)
{
	static const char *const names[] = {
		"../beside/guard", "a/../../x", "./..",
		"/../x",	   "..",	"a/b/../../../beside/new"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		TAPE_PUT(&tape, .name = names[i], .data = "x");
		refused("leads out of the image");
	}
	TAPE_PUT(&tape, .name = "a/../b/./c", .data = "x");
	apply();
	assert_true(there("b/c"));
	assert_false(there("a"));
}

/* Links lead where they say from the image's own root, so nothing is outside,
 * and what is not there is not made. */
static void test_links_out(void **state)
{
	char beside[96];

	(void)state;
	snprintf(beside, sizeof(beside), "%s/beside", target.dir);
	TAPE_PUT(&tape, .name = "up", .type = '2', .link = "../beside");
	TAPE_PUT(&tape, .name = "up/new", .data = "x");
	refused("folder 'up'");
	TAPE_PUT(&tape, .name = "abs", .type = '2', .link = beside);
	TAPE_PUT(&tape, .name = "abs/new", .data = "x");
	refused("folder 'abs'");
	TAPE_PUT(&tape, .name = "far", .type = '2',
		 .link = "../../../../../../../../tmp");
	TAPE_PUT(&tape, .name = "far/.wh..wh..opq");
	TAPE_PUT(&tape, .name = "far/sub/.wh.x");
	apply();
	TAPE_PUT(&tape, .name = "loop", .type = '2', .link = "loop");
	TAPE_PUT(&tape, .name = "loop/x");
	refused("folder 'loop'");
	TAPE_PUT(&tape, .name = "magic", .type = '2',
		 .link = "/proc/self/root");
	TAPE_PUT(&tape, .name = "magic/tmp/x");
	refused("folder 'magic'");
	/* A link where a file comes is replaced, not followed. */
	TAPE_PUT(&tape, .name = "f", .type = '2', .link = "../beside/guard");
	TAPE_PUT(&tape, .name = "f", .data = "mine", .mode = 0777);
	apply();
}

static void test_hard_links(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "h", .type = '1', .link = "../beside/guard");
	refused("leads out of the image");
	TAPE_PUT(&tape, .name = "s", .type = '2', .link = "../beside");
	TAPE_PUT(&tape, .name = "h", .type = '1', .link = "s/guard");
	refused("which is not in the image");
	TAPE_PUT(&tape, .name = "h", .type = '1', .link = "/etc/passwd");
	refused("which is not in the image");
	TAPE_PUT(&tape, .name = "d/", .type = '5');
	TAPE_PUT(&tape, .name = "h", .type = '1', .link = "d");
	refused("a link to the folder");
	TAPE_PUT(&tape, .name = "h", .type = '1', .link = ".");
	refused("a link to the folder");
	/* To a link itself: that is one more name of it. */
	TAPE_PUT(&tape, .name = "s2", .type = '2', .link = "../beside/guard");
	TAPE_PUT(&tape, .name = "h", .type = '1', .link = "s2");
	TAPE_PUT(&tape, .name = "h", .data = "not through it");
	apply();
	/* Into the folder it replaces. */
	TAPE_PUT(&tape, .name = "d/f", .data = "x");
	TAPE_PUT(&tape, .name = "d", .type = '1', .link = "d/f");
	refused("'d', a link to 'd/f'");
}

static void test_whiteouts(void **state)
{
	static const char *const names[] = { ".wh.", ".wh..", ".wh...",
					     "a/.wh..." };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		TAPE_PUT(&tape, .name = names[i]);
		refused("removes nothing");
	}
}

static void test_root(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "./", .type = '2', .link = "beside");
	refused("the root is not a folder");
	TAPE_PUT(&tape, .name = "a/..", .data = "x");
	refused("the root is not a folder");
	TAPE_PUT(&tape, .name = "/", .type = '1', .link = "x");
	refused("the root is not a folder");
}

static void test_file_in_the_way(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "f", .data = "x");
	TAPE_PUT(&tape, .name = "f/below", .data = "x");
	refused("folder 'f'");
	TAPE_PUT(&tape, .name = "f/.wh.below");
	apply();
	assert_true(there("f"));
}

static void test_names(void **state)
{
	char part[400];
	autofree char *deep = malloc(8193);

	(void)state;
	memset(part, 'p', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	tape_pax(&tape, "path", part, sizeof(part) - 1);
	TAPE_PUT(&tape, .name = "x");
	refused("File name too long");
	for (int i = 0; i < 4096; i++)
		memcpy(deep + 2 * i, "d/", 2);
	tape_pax(&tape, "path", deep, 8192);
	TAPE_PUT(&tape, .name = "x");
	refused("the name is longer than");
}

static void test_owner(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	tape_pax(&tape, "uid", "99999999999", 11);
	TAPE_PUT(&tape, .name = "x");
	refused("no such owner");
}

static void test_entry_limit(void **state)
{
	const struct layer_conf lc = { .max_entries = 10 };
	struct err e = { 0 };
	char name[16];

	(void)state;
	for (int i = 0; i < 11; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		TAPE_PUT(&tape, .name = name, .type = '6');
	}
	tape_end(&tape);
	assert_int_equal(target_apply(&target, &tape, NULL, &lc, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "more than 10 entries"));
}

/* As a file, and as nothing but padding. */
static void test_bombs(void **state)
{
	const struct decode_conf dc = { .limit = 1u << 20 };
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		if (i & 1)
			TAPE_PUT(&tape, .name = "zeros", .size = 8u << 20);
		tape.room = tape.len + (8u << 20);
		tape.data = realloc(tape.data, tape.room);
		assert_non_null(tape.data);
		memset(tape.data + tape.len, 0, tape.room - tape.len);
		tape.len = tape.room;
		if (i & 2)
			tape_gzip(&tape);
		else
			tape_zstd(&tape);
		assert_true(tape.len < 65536);
		assert_int_equal(target_apply(&target, &tape, &dc, NULL, &e),
				 -EFBIG);
		assert_string_equal(e.msg,
				    "unpacks to more than 1048576 bytes");
		tape_free(&tape);
	}
}

static void test_cut_off(void **state)
{
	struct err e = { 0 };

	(void)state;
	TAPE_PUT(&tape, .name = "f", .size = 100000);
	tape_bytes(&tape, "short", 5);
	assert_true(target_apply(&target, &tape, NULL, NULL, &e) < 0);
	assert_non_null(strstr(e.msg, "runcated"));
	tape_free(&tape);
	TAPE_PUT(&tape, .name = "f", .data = "x");
	tape.len = 700;
	assert_true(target_apply(&target, &tape, NULL, NULL, &e) >= 0 ||
		    strstr(e.msg, "runcated"));
}

static void test_nonsense(void **state)
{
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 4096; i++)
		tape_bytes(&tape, "<html>nonsense</html>", 21);
	assert_true(target_apply(&target, &tape, NULL, NULL, &e) < 0);
	assert_int_not_equal(e.code, 0);
	assert_string_not_equal(e.msg, "");
}

/* More folders inside each other than a path can name, made through links,
 * and then taken away again. */
static void test_deep(void **state)
{
	char name[64], link[64];
	autofree char *part = malloc(2 * 600 + 8);
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 600; i++)
		n += (size_t)sprintf(part + n, "d/");
	tape_pax(&tape, "path", part, n);
	TAPE_PUT(&tape, .name = "x", .type = '5');
	part[n - 1] = '\0';
	tape_pax(&tape, "linkpath", part, n - 1);
	TAPE_PUT(&tape, .name = "s0", .type = '2', .link = "x");
	for (int i = 1; i < 3; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(link, sizeof(link), "s%d/", i - 1);
		memmove(part + 3, part, n);
		memcpy(part, link, 3);
		tape_pax(&tape, "path", part, n + 2);
		TAPE_PUT(&tape, .name = "x", .type = '5');
		tape_pax(&tape, "linkpath", part, n + 2);
		TAPE_PUT(&tape, .name = name, .type = '2', .link = "x");
		memmove(part, part + 3, n);
	}
	apply();
	TAPE_PUT(&tape, .name = ".wh.d");
	refused("more than 1000 folders inside each other");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		T(test_traversal), T(test_links_out), T(test_hard_links),
		T(test_whiteouts), T(test_root),      T(test_file_in_the_way),
		T(test_names),	   T(test_owner),     T(test_entry_limit),
		T(test_bombs),	   T(test_cut_off),   T(test_nonsense),
		T(test_deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
