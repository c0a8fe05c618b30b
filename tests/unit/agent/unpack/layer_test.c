/* SPDX-License-Identifier: Apache-2.0 */
/* What good layers leave in a folder, one on top of the other. */
#include "tests/guest/layer.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
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

/* The tape becomes the next layer, and is empty again. */
static void apply(void)
{
	target_layer(&target, &tape);
}

static struct stat at(const char *name)
{
	struct stat st;

	if (fstatat(target.root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", name, strerror(errno));
	return st;
}

static bool there(const char *name)
{
	struct stat st;

	return fstatat(target.root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_content(const char *name, const char *text)
{
	autoclose int fd = openat(target.root, name, O_RDONLY | O_NOFOLLOW);
	autofree char *got = NULL;

	if (fd < 0)
		fail_msg("%s: %s", name, strerror(errno));
	assert_true(fd_slurp(fd, &got, 1 << 20) >= 0);
	assert_string_equal(got, text);
}

static void assert_link(const char *name, const char *to)
{
	char got[256];
	ssize_t n = readlinkat(target.root, name, got, sizeof(got) - 1);

	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, to);
}

static void test_plain(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "./", .type = '5', .mode = 0751);
	TAPE_PUT(&tape, .name = "etc/", .type = '5', .mode = 01770);
	TAPE_PUT(&tape, .name = "etc/motd", .data = "hello\n", .mode = 0640);
	TAPE_PUT(&tape, .name = "/abs//./name", .data = "x");
	TAPE_PUT(&tape, .name = "empty", .mode = 04755);
	TAPE_PUT(&tape, .name = "sym", .type = '2', .link = "/etc/../nowhere");
	TAPE_PUT(&tape, .name = "pipe", .type = '6', .mode = 0600);
	TAPE_PUT(&tape, .name = "hard", .type = '1', .link = "./etc/motd");
	apply();
	assert_int_equal(at(".").st_mode, S_IFDIR | 0751);
	assert_int_equal(at("etc").st_mode, S_IFDIR | 01770);
	assert_int_equal(at("etc").st_mtime, 1000000000);
	assert_int_equal(at("etc/motd").st_mode, S_IFREG | 0640);
	assert_int_equal(at("etc/motd").st_mtime, 1000000000);
	assert_content("etc/motd", "hello\n");
	assert_content("abs/name", "x");
	assert_int_equal(at("abs").st_mode, S_IFDIR | 0755);
	assert_int_equal(at("empty").st_mode, S_IFREG | 04755);
	assert_int_equal(at("empty").st_size, 0);
	assert_link("sym", "/etc/../nowhere");
	assert_int_equal(at("sym").st_mtime, 1000000000);
	assert_int_equal(at("pipe").st_mode, S_IFIFO | 0600);
	assert_int_equal(at("hard").st_ino, at("etc/motd").st_ino);
	assert_int_equal(target.stats.entries, 8);
}

static void test_owners(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	TAPE_PUT(&tape, .name = "d/", .type = '5', .mode = 0700, .uid = 7,
		 .gid = 8);
	TAPE_PUT(&tape, .name = "d/f", .mode = 06711, .uid = 1000, .gid = 1001);
	TAPE_PUT(&tape, .name = "s", .type = '2', .link = "d", .uid = 5,
		 .gid = 6);
	apply();
	assert_int_equal(at("d").st_uid, 7);
	assert_int_equal(at("d").st_gid, 8);
	assert_int_equal(at("d/f").st_uid, 1000);
	assert_int_equal(at("d/f").st_gid, 1001);
	assert_int_equal(at("d/f").st_mode & 07777, 06711);
	assert_int_equal(at("s").st_uid, 5);
	assert_int_equal(at("d").st_mode & 07777, 0700);
}

static void test_devices(void **state)
{
	(void)state;
	if (mknodat(target.root, "can", S_IFCHR | 0600, makedev(1, 3)) < 0)
		skip();
	TAPE_PUT(&tape, .name = "null", .type = '3', .major = 1, .minor = 3,
		 .mode = 0666);
	TAPE_PUT(&tape, .name = "disk", .type = '4', .major = 254,
		 .minor = 1000);
	apply();
	assert_int_equal(at("null").st_mode, S_IFCHR | 0666);
	assert_int_equal(at("null").st_rdev, makedev(1, 3));
	assert_int_equal(at("disk").st_mode, S_IFBLK | 0644);
	assert_int_equal(at("disk").st_rdev, makedev(254, 1000));
}

static void test_replaced(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "a/b/c", .data = "1");
	TAPE_PUT(&tape, .name = "f", .data = "1");
	TAPE_PUT(&tape, .name = "link", .type = '2', .link = "a");
	TAPE_PUT(&tape, .name = "keep/one", .data = "1");
	apply();
	TAPE_PUT(&tape, .name = "a", .data = "a file now");
	TAPE_PUT(&tape, .name = "f/", .type = '5');
	TAPE_PUT(&tape, .name = "f/in", .data = "2");
	TAPE_PUT(&tape, .name = "link/", .type = '5');
	TAPE_PUT(&tape, .name = "keep/", .type = '5', .mode = 0700);
	apply();
	assert_content("a", "a file now");
	assert_content("f/in", "2");
	assert_int_equal(at("link").st_mode & S_IFMT, S_IFDIR);
	assert_content("keep/one", "1");
	assert_int_equal(at("keep").st_mode & 07777, 0700);
	TAPE_PUT(&tape, .name = "a/", .type = '5');
	TAPE_PUT(&tape, .name = "a/again", .data = "3");
	TAPE_PUT(&tape, .name = "f", .type = '2', .link = "a");
	TAPE_PUT(&tape, .name = "f", .data = "the last one stays");
	apply();
	assert_content("a/again", "3");
	assert_content("f", "the last one stays");
}

/* A shared file keeps what it was under its other name. */
static void test_hard_link_broken(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "one", .data = "old");
	TAPE_PUT(&tape, .name = "two", .type = '1', .link = "one");
	TAPE_PUT(&tape, .name = "two", .type = '1', .link = "/two");
	apply();
	assert_int_equal(at("one").st_nlink, 2);
	TAPE_PUT(&tape, .name = "one", .data = "new");
	TAPE_PUT(&tape, .name = "three", .type = '1', .link = "two");
	TAPE_PUT(&tape, .name = "dir/", .type = '5');
	TAPE_PUT(&tape, .name = "dir/four", .data = "x");
	TAPE_PUT(&tape, .name = "dir", .type = '1', .link = "two");
	apply();
	assert_content("one", "new");
	assert_content("two", "old");
	assert_int_equal(at("dir").st_nlink, 3);
}

static void test_whiteouts(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "a/b/c", .data = "1");
	TAPE_PUT(&tape, .name = "a/d", .data = "1");
	TAPE_PUT(&tape, .name = "e", .data = "1");
	TAPE_PUT(&tape, .name = "sym", .type = '2', .link = "a");
	TAPE_PUT(&tape, .name = "stay", .data = "1");
	apply();
	TAPE_PUT(&tape, .name = "a/.wh.b");
	TAPE_PUT(&tape, .name = ".wh.e");
	TAPE_PUT(&tape, .name = ".wh.never");
	TAPE_PUT(&tape, .name = "no/folder/.wh.x");
	TAPE_PUT(&tape, .name = "e/.wh..wh..opq");
	TAPE_PUT(&tape, .name = ".wh..wh.aufs");
	TAPE_PUT(&tape, .name = ".wh..wh.plnk/", .type = '5');
	apply();
	assert_false(there("a/b"));
	assert_content("a/d", "1");
	assert_false(there("e"));
	assert_false(there("no"));
	assert_content("stay", "1");
	assert_false(there(".wh..wh.aufs"));
	/* A link goes, and not what it leads to. */
	TAPE_PUT(&tape, .name = ".wh.sym");
	apply();
	assert_false(there("sym"));
	assert_content("a/d", "1");
}

/* Only of lower layers, wherever in the layer the whiteout is. */
static void test_whiteout_order(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "a/old", .data = "1");
	TAPE_PUT(&tape, .name = "b/old", .data = "1");
	TAPE_PUT(&tape, .name = "b/sub/old", .data = "1");
	TAPE_PUT(&tape, .name = "c/old", .data = "1");
	apply();
	TAPE_PUT(&tape, .name = "a/new", .data = "2");
	TAPE_PUT(&tape, .name = ".wh.a");
	TAPE_PUT(&tape, .name = "b/sub/new", .data = "2");
	TAPE_PUT(&tape, .name = "b/new", .data = "2");
	TAPE_PUT(&tape, .name = "b/.wh..wh..opq");
	TAPE_PUT(&tape, .name = "c/.wh..wh..opq");
	TAPE_PUT(&tape, .name = "c/new", .data = "2");
	apply();
	assert_false(there("a/old"));
	assert_content("a/new", "2");
	assert_false(there("b/old"));
	assert_false(there("b/sub/old"));
	assert_content("b/new", "2");
	assert_content("b/sub/new", "2");
	assert_false(there("c/old"));
	assert_content("c/new", "2");
	/* And all of the next. */
	TAPE_PUT(&tape, .name = ".wh..wh..opq");
	apply();
	assert_false(there("a"));
	assert_false(there("b"));
	assert_false(there("c"));
}

/* Folders that are links in a lower layer are gone through. */
static void test_through_links(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "usr/lib/", .type = '5');
	TAPE_PUT(&tape, .name = "lib", .type = '2', .link = "usr/lib");
	TAPE_PUT(&tape, .name = "abs", .type = '2', .link = "/usr");
	TAPE_PUT(&tape, .name = "up", .type = '2', .link = "../../../../usr");
	apply();
	TAPE_PUT(&tape, .name = "lib/libc.so", .data = "c");
	TAPE_PUT(&tape, .name = "abs/one", .data = "1");
	TAPE_PUT(&tape, .name = "up/two/three", .data = "2");
	TAPE_PUT(&tape, .name = "h", .type = '1', .link = "lib/libc.so");
	apply();
	assert_content("usr/lib/libc.so", "c");
	assert_content("usr/one", "1");
	assert_content("usr/two/three", "2");
	assert_link("lib", "usr/lib");
	assert_int_equal(at("h").st_nlink, 2);
}

static void test_long_names(void **state)
{
	char part[201], deep[1024], name[NAME_MAX + 1];

	(void)state;
	memset(part, 'n', 200);
	part[200] = '\0';
	snprintf(deep, sizeof(deep), "%s/%s/%s/file", part, part, part);
	tape_pax(&tape, "path", deep, strlen(deep));
	TAPE_PUT(&tape, .name = "short", .data = "pax");
	memset(name, 'g', NAME_MAX);
	name[NAME_MAX] = '\0';
	TAPE_PUT(&tape, .name = "././@LongLink", .type = 'L', .data = name);
	TAPE_PUT(&tape, .name = "gggg", .data = "gnu");
	tape_pax(&tape, "linkpath", deep, strlen(deep));
	TAPE_PUT(&tape, .name = "sym", .type = '2', .link = "short");
	apply();
	assert_content(deep, "pax");
	assert_content(name, "gnu");
	assert_int_equal(at("sym").st_size, strlen(deep));
}

/* A name is bytes. */
static void test_odd_names(void **state)
{
	static const char *const names[] = {
		"caf\xe9", "gr\xc3\xbc\xc3\x9f", "new\nline\x1b[31m",
		" ",	   "back\\slash",	 "...",
		".wh"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		TAPE_PUT(&tape, .name = names[i], .data = names[i]);
	tape_pax(&tape, "path", "p\xc3\xa4x", 4);
	TAPE_PUT(&tape, .name = "x", .data = "utf8");
	tape_pax(&tape, "path", "p\xe4x", 3);
	TAPE_PUT(&tape, .name = "x", .data = "latin");
	apply();
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_content(names[i], names[i]);
	assert_content("p\xc3\xa4x", "utf8");
	assert_content("p\xe4x", "latin");
}

static void test_xattrs(void **state)
{
	static const uint8_t caps[20] = { 1, 0, 0, 2, 0, 4 };
	uint8_t got[64];
	char path[128];

	(void)state;
	if (fsetxattr(target.root, "user.probe", "x", 1, 0) < 0)
		skip();
	tape_pax(&tape, "SCHILY.xattr.user.one", "v\0lue", 5);
	TAPE_PUT(&tape, .name = "f");
	tape_pax(&tape, "SCHILY.xattr.user.two", "dir", 3);
	TAPE_PUT(&tape, .name = "d/", .type = '5');
	tape_pax(&tape, "SCHILY.xattr.no.such", "?", 1);
	TAPE_PUT(&tape, .name = "odd");
	if (geteuid() == 0) {
		tape_pax(&tape, "SCHILY.xattr.security.capability", caps,
			 sizeof(caps));
		TAPE_PUT(&tape, .name = "ping", .mode = 0755, .uid = 1000);
	}
	apply();
	snprintf(path, sizeof(path), "%s/root/f", target.dir);
	assert_int_equal(getxattr(path, "user.one", got, sizeof(got)), 5);
	assert_memory_equal(got, "v\0lue", 5);
	snprintf(path, sizeof(path), "%s/root/d", target.dir);
	assert_int_equal(getxattr(path, "user.two", got, sizeof(got)), 3);
	assert_true(there("odd"));
	assert_int_equal(target.stats.left_out, 1);
	snprintf(path, sizeof(path), "%s/root/ping", target.dir);
	if (geteuid() != 0)
		return;
	assert_int_equal(getxattr(path, "security.capability", got,
				  sizeof(got)),
			 sizeof(caps));
	assert_memory_equal(got, caps, sizeof(caps));
}

/* GNU's form 1.0: the map is in front of the data. */
static void test_sparse(void **state)
{
	static const char rec[] = "22 GNU.sparse.major=1\n"
				  "22 GNU.sparse.minor=0\n"
				  "25 GNU.sparse.name=holes\n"
				  "31 GNU.sparse.realsize=1048576\n";
	char data[1024] = "1\n524288\n4\n", got[4];
	autoclose int fd = -1;
	struct stat st;

	(void)state;
	TAPE_PUT(&tape, .name = "pax", .type = 'x', .data = rec);
	TAPE_PUT(&tape, .name = "GNUSparseFile.1/holes", .size = 516);
	memcpy(data + 512, "body", 4);
	tape_bytes(&tape, data, sizeof(data));
	TAPE_PUT(&tape, .name = "after", .data = "x");
	apply();
	st = at("holes");
	assert_int_equal(st.st_size, 1048576);
	assert_true(st.st_blocks * 512 < 262144);
	fd = openat(target.root, "holes", O_RDONLY);
	assert_int_equal(pread(fd, got, 4, 524288), 4);
	assert_memory_equal(got, "body", 4);
	assert_content("after", "x");
}

static void test_folder_times(void **state)
{
	(void)state;
	TAPE_PUT(&tape, .name = "d/", .type = '5');
	TAPE_PUT(&tape, .name = "d/e/", .type = '5');
	TAPE_PUT(&tape, .name = "d/e/f", .data = "x");
	TAPE_PUT(&tape, .name = "gone/", .type = '5');
	TAPE_PUT(&tape, .name = "gone", .data = "a file");
	TAPE_PUT(&tape, .name = "d/last", .data = "x");
	apply();
	assert_int_equal(at("d").st_mtime, 1000000000);
	assert_int_equal(at("d/e").st_mtime, 1000000000);
	assert_content("gone", "a file");
}

/* So many that the set of what was made has grown, and back again. */
static void test_many(void **state)
{
	char name[64];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "d%d/f%d", i % 50, i);
		TAPE_PUT(&tape, .name = name, .data = name);
	}
	TAPE_PUT(&tape, .name = ".wh..wh..opq");
	apply();
	assert_content("d49/f4999", "d49/f4999");
	assert_content("d0/f0", "d0/f0");
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), ".wh.d%d", i);
		TAPE_PUT(&tape, .name = name);
	}
	TAPE_PUT(&tape, .name = "only", .data = "x");
	apply();
	assert_false(there("d0"));
	assert_false(there("d49"));
	assert_content("only", "x");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
	const struct CMUnitTest tests[] = {
		T(test_plain),
		T(test_owners),
		T(test_devices),
		T(test_replaced),
		T(test_hard_link_broken),
		T(test_whiteouts),
		T(test_whiteout_order),
		T(test_through_links),
		T(test_long_names),
		T(test_odd_names),
		T(test_xattrs),
		T(test_sparse),
		T(test_folder_times),
		T(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
