/* SPDX-License-Identifier: Apache-2.0 */
/* What docker cp needs of archives: names, links, owners, and what may not
 * take the place of what. */
#include "tests/guest/peer.h"

#include "base/auto.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
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

/* A path below the test's folder; a slash or dot at its end stays. */
static const char *at(const struct peer *p, const char *name)
{
	static char ring[8][160];
	static unsigned next;
	char *out = ring[next++ % 8];

	snprintf(out, sizeof(ring[0]), "%s/%s", p->dir, name);
	return out;
}

static void sh(const struct peer *p, const char *text)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "cd %s && %s", p->dir, text);
	assert_int_equal(system(cmd), 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* "NAME NAME ..." of an archive in order, links as NAME>TARGET. */
static void list(const struct peer_result *r, char *out, size_t room)
{
	struct archive *a = archive_read_new();
	struct archive_entry *e;
	char name[8][64];
	size_t n = 0;

	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_memory(a, r->out, r->out_len), 0);
	while (archive_read_next_header(a, &e) == ARCHIVE_OK) {
		const char *link = archive_entry_symlink(e);

		assert_true(n < ARRAY_LEN(name));
		snprintf(name[n++], sizeof(name[0]), "%s%s%s",
			 archive_entry_pathname(e), link ? ">" : "",
			 link ? link : "");
	}
	archive_read_free(a);
	qsort(name, n, sizeof(name[0]), by_name);
	*out = '\0';
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(out);

		snprintf(out + used, room - used, "%s%s", i ? " " : "",
			 name[i]);
	}
}

static void get(struct peer *p, const char *name, bool follow, const char *want)
{
	Vial__Agent__GetTar m = VIAL__AGENT__GET_TAR__INIT;
	struct peer_result r;
	char got[512];

	m.follow = follow;
	peer_get_as(p, &m, at(p, name), &r);
	if (r.failed)
		fail_msg("%s: %s", name, r.message);
	list(&r, got, sizeof(got));
	assert_string_equal(got, want);
	peer_result_fini(&r);
}

static void names(void **state)
{
	struct peer *p = *state;

	sh(p, "mkdir -p t/in && touch t/in/f && ln -s t to-t && "
	      "ln -s t/in/f to-f && ln -s nowhere broken");
	get(p, "t", false, "t/ t/in/ t/in/f");
	get(p, "t/", false, "t/ t/in/ t/in/f");
	get(p, "t/.", false, "./ ./in/ ./in/f");
	get(p, "t/./", false, "./ ./in/ ./in/f");
	get(p, "t/in/..", false, "t/ t/in/ t/in/f");
	get(p, "t/in/f", false, "f");
}

static void links(void **state)
{
	struct peer *p = *state;
	Vial__Agent__GetTar m = VIAL__AGENT__GET_TAR__INIT;
	struct peer_result r;

	get(p, "to-t", false, "to-t>t");
	get(p, "to-t", true, "to-t/ to-t/in/ to-t/in/f");
	get(p, "to-t/", false, "to-t/ to-t/in/ to-t/in/f");
	get(p, "to-t/.", false, "./ ./in/ ./in/f");
	get(p, "to-f", false, "to-f>t/in/f");
	get(p, "to-f", true, "to-f");
	get(p, "broken", false, "broken>nowhere");
	/* Only the last one: what is below stays a link. */
	sh(p, "mkdir l && ln -s ../t l/t");
	get(p, "l", true, "l/ l/t>../t");
	m.follow = true;
	peer_get_as(p, &m, at(p, "broken"), &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__NO_PATH);
	peer_result_fini(&r);
}

/* Packs what the shell makes of src, to put it somewhere. */
static void pack(struct peer *p, const char *what, struct peer_result *r)
{
	peer_get(p, at(p, what), r);
	if (r->failed)
		fail_msg("%s", r->message);
}

static void put(struct peer *p, const struct peer_result *tar, const char *to,
		bool no_overwrite, struct peer_result *r)
{
	Vial__Agent__PutTar m = VIAL__AGENT__PUT_TAR__INIT;

	m.no_overwrite_dir = no_overwrite;
	peer_put_as(p, &m, at(p, to), tar->out, tar->out_len, r);
}

static void no_folder_is_replaced(void **state)
{
	struct peer *p = *state;
	struct peer_result tar, r;

	sh(p, "mkdir -p o/src o/dst/src/x o/dst2 o/dst3 && touch o/src/x && "
	      "touch o/dst2/src && mkdir o/away && ln -s ../away o/dst3/src");
	pack(p, "o/src", &tar);
	put(p, &tar, "o/dst", true, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__NO_PATH);
	assert_string_equal(r.message, "cannot overwrite directory \"src/x\" "
				       "with a non-directory");
	put(p, &tar, "o/dst2", true, &r);
	assert_true(r.failed);
	assert_string_equal(r.message, "cannot overwrite non-directory \"src\" "
				       "with a directory");
	/* A link to a folder is none. */
	put(p, &tar, "o/dst3", true, &r);
	assert_true(r.failed);
	assert_int_equal(access(at(p, "o/away/x"), F_OK), -1);
	/* The same kind is replaced. */
	sh(p, "rm -r o/dst/src/x && echo old >o/dst/src/x");
	put(p, &tar, "o/dst", true, &r);
	assert_false(r.failed);
	sh(p, "test ! -s o/dst/src/x");
	peer_result_fini(&tar);
}

/* "." is the folder that is unpacked into: its mode stays. */
static void the_target_stays(void **state)
{
	struct peer *p = *state;
	struct peer_result tar, r;
	struct stat st;

	sh(p, "mkdir -p k/src k/dst && touch k/src/f && chmod 700 k/src && "
	      "chmod 711 k/dst");
	pack(p, "k/src/.", &tar);
	put(p, &tar, "k/dst", true, &r);
	assert_false(r.failed);
	assert_int_equal(stat(at(p, "k/dst"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(access(at(p, "k/dst/f"), F_OK), 0);
	put(p, &tar, "k/dst", false, &r);
	assert_false(r.failed);
	assert_int_equal(stat(at(p, "k/dst"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	peer_result_fini(&tar);
}

static void another_owner(void **state)
{
	struct peer *p = *state;
	Vial__Agent__PutTar m = VIAL__AGENT__PUT_TAR__INIT;
	char who[] = "1234:4321", nobody[] = "no-such-user";
	struct peer_result tar, r;
	struct stat st;

	sh(p, "mkdir -p u/src && touch u/src/f && chmod 4755 u/src/f");
	pack(p, "u/src", &tar);
	m.user = nobody;
	peer_put_as(p, &m, at(p, "u/dst"), tar.out, tar.out_len, &r);
	assert_true(r.failed);
	assert_int_equal(r.kind, VIAL__AGENT__FAILED__KIND__BAD_USER);
	assert_int_equal(access(at(p, "u/dst"), F_OK), -1);
	m.user = who;
	peer_put_as(p, &m, at(p, "u/dst"), tar.out, tar.out_len, &r);
	if (geteuid() != 0) {
		assert_true(r.failed);
		peer_result_fini(&tar);
		return;
	}
	assert_false(r.failed);
	assert_int_equal(lstat(at(p, "u/dst/src/f"), &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 4321);
	assert_int_equal(st.st_mode & 07777, 04755);
	assert_int_equal(lstat(at(p, "u/dst/src"), &st), 0);
	assert_int_equal(st.st_uid, 1234);
	peer_result_fini(&tar);
}

/* cap_net_bind_service+ep, as setcap(8) writes it. */
static const unsigned char bind_cap[20] = {
	1, 0, 0, 2, 0, 4, 0, 0,
};

static void capability_of_a_file(void **state)
{
	struct peer *p = *state;
	unsigned char got[sizeof(bind_cap)];
	struct peer_result tar, r;

	sh(p, "mkdir c && touch c/f");
	if (setxattr(at(p, "c/f"), "security.capability", bind_cap,
		     sizeof(bind_cap), 0) < 0)
		skip();
	pack(p, "c", &tar);
	put(p, &tar, "c2", true, &r);
	assert_false(r.failed);
	assert_int_equal(getxattr(at(p, "c2/c/f"), "security.capability", got,
				  sizeof(got)),
			 sizeof(got));
	assert_memory_equal(got, bind_cap, sizeof(got));
	peer_result_fini(&tar);
}

/* tmpfs stays out, as what the kernel makes up; asked for itself, it is in. */
static void mounts_below(void **state)
{
	struct peer *p = *state;

	sh(p, "mkdir -p m/tmp && touch m/a");
	if (mount("x", at(p, "m/tmp"), "tmpfs", 0, NULL) < 0)
		skip();
	sh(p, "touch m/tmp/f");
	get(p, "m", false, "m/ m/a m/tmp/");
	get(p, "m/tmp", false, "tmp/ tmp/f");
	assert_int_equal(umount(at(p, "m/tmp")), 0);
}

static void nodes_of_all_kinds(void **state)
{
	static const mode_t modes[] = { S_IFCHR | 0620, S_IFBLK | 0660,
					S_IFIFO | 0604 };
	struct peer *p = *state;
	struct peer_result tar, r;
	char name[32];

	sh(p, "mkdir n");
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		snprintf(name, sizeof(name), "n/%zu", i);
		if (mknod(at(p, name), modes[i], makedev(7, 42)) < 0)
			skip();
		assert_int_equal(chmod(at(p, name), modes[i] & 07777), 0);
	}
	pack(p, "n", &tar);
	put(p, &tar, "n2", true, &r);
	assert_false(r.failed);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct stat st;

		snprintf(name, sizeof(name), "n2/n/%zu", i);
		assert_int_equal(lstat(at(p, name), &st), 0);
		assert_int_equal(st.st_mode, modes[i]);
		if (!S_ISFIFO(st.st_mode))
			assert_int_equal(st.st_rdev, makedev(7, 42));
	}
	peer_result_fini(&tar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(links),
		cmocka_unit_test(no_folder_is_replaced),
		cmocka_unit_test(the_target_stays),
		cmocka_unit_test(another_owner),
		cmocka_unit_test(capability_of_a_file),
		cmocka_unit_test(mounts_below),
		cmocka_unit_test(nodes_of_all_kinds),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
