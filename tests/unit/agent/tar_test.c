/* SPDX-License-Identifier: Apache-2.0 */
/* Folders in and out, good and hostile archives. */
#include "tests/guest/peer.h"

#include "base/auto.h"
#include "base/fd.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
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

static int start(void **state)
{
	static struct peer p;

	peer_start(&p);
	*state = &p;
	return 0;
}

static int stop(void **state)
{
	peer_stop(*state);
	return 0;
}

static const char *at(const struct peer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static const char *at(const struct peer *p, const char *fmt, ...)
{
	static char ring[4][256];
	static unsigned next;
	char *out = ring[next++ % 4];
	int n = snprintf(out, sizeof(ring[0]), "%s/", p->dir);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out + n, sizeof(ring[0]) - (size_t)n, fmt, ap);
	va_end(ap);
	return out;
}

static void write_file(const char *path, const void *data, size_t len,
		       off_t where)
{
	autoclose int fd = open(path, O_WRONLY | O_CREAT, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, where), (ssize_t)len);
}

static void assert_content(const char *path, const char *text)
{
	autoclose int fd = open(path, O_RDONLY);
	autofree char *got = NULL;

	assert_true(fd >= 0);
	assert_true(fd_slurp(fd, &got, 1 << 20) >= 0);
	assert_string_equal(got, text);
}

#define LATIN "caf\xe9"
#define UTF8 "gr\xc3\xbc\xc3\x9f"

static void make_tree(const struct peer *p)
{
	const struct timespec old[2] = { { 1000000000, 5 },
					 { 1234567890, 987654321 } };

	assert_int_equal(mkdir(at(p, "src"), 0755), 0);
	assert_int_equal(mkdir(at(p, "src/sub"), 0700), 0);
	write_file(at(p, "src/a"), "hello", 5, 0);
	assert_int_equal(chmod(at(p, "src/a"), 04751), 0);
	assert_int_equal(link(at(p, "src/a"), at(p, "src/sub/same")), 0);
	assert_int_equal(symlink("../a", at(p, "src/sub/link")), 0);
	assert_int_equal(symlink("/nowhere", at(p, "src/dangling")), 0);
	write_file(at(p, "src/" LATIN), "l", 1, 0);
	write_file(at(p, "src/" UTF8), "u", 1, 0);
	write_file(at(p, "src/empty"), "", 0, 0);
	write_file(at(p, "src/holes"), "x", 1, 8 << 20);
	assert_int_equal(mkfifo(at(p, "src/fifo"), 0600), 0);
	assert_int_equal(utimensat(AT_FDCWD, at(p, "src/a"), old, 0), 0);
	assert_int_equal(utimensat(AT_FDCWD, at(p, "src/sub"), old, 0), 0);
}

static void same_stat(const struct peer *p, const char *name)
{
	struct stat x, y;

	assert_int_equal(lstat(at(p, "src/%s", name), &x), 0);
	assert_int_equal(lstat(at(p, "dst/deep/src/%s", name), &y), 0);
	assert_int_equal(x.st_mode, y.st_mode);
	assert_int_equal(x.st_uid, y.st_uid);
	assert_int_equal(x.st_gid, y.st_gid);
	assert_int_equal(x.st_nlink, y.st_nlink);
	if (S_ISREG(x.st_mode))
		assert_int_equal(x.st_size, y.st_size);
	assert_int_equal(x.st_mtim.tv_sec, y.st_mtim.tv_sec);
	assert_int_equal(x.st_mtim.tv_nsec, y.st_mtim.tv_nsec);
}

static void there_and_back(void **state)
{
	static const char *const names[] = { "",	"a",	"sub",
					     LATIN,	UTF8,	"empty",
					     "holes",	"fifo", "sub/link",
					     "dangling" };
	struct peer *p = *state;
	struct peer_result get, put;
	struct stat x, y;
	char text[64] = "";

	make_tree(p);
	peer_get(p, at(p, "src/"), &get);
	assert_false(get.failed);
	assert_int_equal(get.bytes, get.out_len);
	/* The hole is not sent. */
	assert_true(get.out_len < (1 << 20));
	peer_put(p, at(p, "dst/deep"), get.out, get.out_len, &put);
	if (put.failed)
		fail_msg("%s", put.message);
	assert_int_equal(put.entries, get.entries);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		same_stat(p, names[i]);
	assert_content(at(p, "dst/deep/src/a"), "hello");
	stat(at(p, "dst/deep/src/a"), &x);
	stat(at(p, "dst/deep/src/sub/same"), &y);
	assert_int_equal(x.st_ino, y.st_ino);
	stat(at(p, "dst/deep/src/holes"), &x);
	assert_true(x.st_blocks * 512 < (1 << 20));
	assert_true(readlink(at(p, "dst/deep/src/sub/link"), text,
			     sizeof(text) - 1) > 0);
	assert_string_equal(text, "../a");
	peer_result_fini(&get);
	peer_result_fini(&put);
}

static void attributes_and_devices(void **state)
{
	struct peer *p = *state;
	struct peer_result get, put;
	char value[16] = "";
	struct stat st;
	bool device, xattr;

	assert_int_equal(mkdir(at(p, "attr"), 0755), 0);
	write_file(at(p, "attr/f"), "x", 1, 0);
	/* Where the machine allows these; the tree is right without, too. */
	xattr = setxattr(at(p, "attr/f"), "user.vial", "yes", 3, 0) == 0;
	device = mknod(at(p, "attr/null"), S_IFCHR | 0666, makedev(1, 3)) == 0;
	if (geteuid() == 0)
		assert_int_equal(lchown(at(p, "attr/f"), 12345, 54321), 0);
	peer_get(p, at(p, "attr"), &get);
	assert_false(get.failed);
	peer_put(p, at(p, "attr2"), get.out, get.out_len, &put);
	assert_false(put.failed);
	if (xattr) {
		assert_int_equal(getxattr(at(p, "attr2/attr/f"), "user.vial",
					  value, sizeof(value)),
				 3);
		assert_string_equal(value, "yes");
	}
	assert_int_equal(stat(at(p, "attr2/attr/f"), &st), 0);
	if (geteuid() == 0) {
		assert_int_equal(st.st_uid, 12345);
		assert_int_equal(st.st_gid, 54321);
	}
	if (device) {
		assert_int_equal(stat(at(p, "attr2/attr/null"), &st), 0);
		assert_true(S_ISCHR(st.st_mode));
		assert_int_equal(st.st_rdev, makedev(1, 3));
	}
	peer_result_fini(&get);
	peer_result_fini(&put);
}

struct made {
	struct archive *a;
	char data[65536];
	size_t used;
};

static void made_open(struct made *m)
{
	m->a = archive_write_new();
	archive_write_set_format_pax(m->a);
	archive_write_open_memory(m->a, m->data, sizeof(m->data), &m->used);
}

static void made_add(struct made *m, int type, const char *name,
		     const char *target, const char *content)
{
	struct archive_entry *e = archive_entry_new();

	archive_entry_copy_pathname(e, name);
	archive_entry_set_perm(e, type == AE_IFDIR ? 0755 : 0644);
	if (type)
		archive_entry_set_filetype(e, (unsigned)type);
	if (type == AE_IFLNK)
		archive_entry_copy_symlink(e, target);
	else if (target)
		archive_entry_copy_hardlink(e, target);
	archive_entry_set_size(e, content ? (la_int64_t)strlen(content) : 0);
	archive_entry_set_uid(e, geteuid());
	archive_entry_set_gid(e, getegid());
	archive_entry_set_uname(e, "nobody-knows-me");
	assert_int_equal(archive_write_header(m->a, e), ARCHIVE_OK);
	if (content)
		archive_write_data(m->a, content, strlen(content));
	archive_entry_free(e);
}

static void made_close(struct made *m)
{
	assert_int_equal(archive_write_close(m->a), ARCHIVE_OK);
	archive_write_free(m->a);
}

static void expect_refused(struct peer *p, struct made *m)
{
	struct peer_result r;
	struct stat st;

	made_close(m);
	peer_put(p, at(p, "jail"), m->data, m->used, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__ARCHIVE);
	assert_true(strlen(r.message) > 0);
	assert_int_equal(lstat(at(p, "escaped"), &st), -1);
	peer_result_fini(&r);
}

static void name_with_dotdot(void **state)
{
	static struct made m;

	made_open(&m);
	made_add(&m, AE_IFREG, "x/../../escaped", NULL, "bad");
	expect_refused(*state, &m);
}

static void absolute_name(void **state)
{
	static struct made m;

	made_open(&m);
	made_add(&m, AE_IFREG, at(*state, "escaped"), NULL, "bad");
	expect_refused(*state, &m);
}

static void through_a_symlink(void **state)
{
	static struct made m;

	made_open(&m);
	made_add(&m, AE_IFLNK, "way", "..", NULL);
	made_add(&m, AE_IFREG, "way/escaped", NULL, "bad");
	expect_refused(*state, &m);
}

static void hard_link_outside(void **state)
{
	struct peer *p = *state;
	static struct made m;

	write_file(at(p, "secret"), "s", 1, 0);
	made_open(&m);
	made_add(&m, 0, "mine", "../secret", NULL);
	expect_refused(p, &m);
	made_open(&m);
	made_add(&m, 0, "mine", at(p, "secret"), NULL);
	expect_refused(p, &m);
}

static void unknown_user_name_is_no_matter(void **state)
{
	struct peer *p = *state;
	static struct made m;
	struct peer_result r;

	made_open(&m);
	made_add(&m, AE_IFREG, "f", NULL, "text");
	made_close(&m);
	peer_put(p, at(p, "names"), m.data, m.used, &r);
	assert_false(r.failed);
	assert_int_equal(r.entries, 1);
	assert_content(at(p, "names/f"), "text");
	peer_result_fini(&r);
}

static void cut_archives(void **state)
{
	struct peer *p = *state;
	static struct made m;
	struct peer_result r;

	made_open(&m);
	made_add(&m, AE_IFREG, "one", NULL, "1");
	made_add(&m, AE_IFREG, "two", NULL, "2");
	made_close(&m);
	/* In the middle of an entry, between two, in a header, nothing. */
	static const size_t cuts[] = { 2048 + 100, 1024, 300, 0 };
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		peer_put(p, at(p, "cut"), m.data, cuts[i], &r);
		assert_true(r.failed);
		assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__ARCHIVE);
		peer_result_fini(&r);
	}
	peer_put(p, at(p, "cut"), "this is not an archive", 22, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__ARCHIVE);
	peer_result_fini(&r);
}

static void paths(void **state)
{
	struct peer *p = *state;
	struct peer_result r;

	peer_get(p, at(p, "not-there"), &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__NO_PATH);
	assert_non_null(strstr(r.message, "not-there"));
	assert_int_equal(r.out_len, 0);
	peer_result_fini(&r);
	write_file(at(p, "plain"), "x", 1, 0);
	peer_put(p, at(p, "plain/below"), "", 0, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__NO_PATH);
	peer_result_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(attributes_and_devices),
		cmocka_unit_test(name_with_dotdot),
		cmocka_unit_test(absolute_name),
		cmocka_unit_test(through_a_symlink),
		cmocka_unit_test(hard_link_outside),
		cmocka_unit_test(unknown_user_name_is_no_matter),
		cmocka_unit_test(cut_archives),
		cmocka_unit_test(paths),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
