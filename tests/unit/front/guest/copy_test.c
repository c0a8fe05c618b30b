/* SPDX-License-Identifier: Apache-2.0 */
/* Trees in and out, and archives that want more than that. */
#include "guest/copy.h"

#include "base/auto.h"
#include "base/fd.h"
#include "guest/pack.h"
#include "guest/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct {
	char dir[64]; /* holds "in", "out" and what must stay as it is */
	struct loop loop;
	struct copy c;
	bool done;
	int end[2]; /* [0] the copy's, [1] the agent's */
	struct archive *a;
} t;
static struct err e;

static void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *fmt, ...)
{
	char cmd[512], text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd), "cd '%s' && { %s; }", t.dir, text);
	assert_int_equal(system(cmd), 0);
}

static void copy_done(struct copy *c)
{
	(void)c;
	t.done = true;
}

static la_ssize_t to_copy(struct archive *a, void *ctx, const void *buf,
			  size_t len)
{
	(void)a;
	(void)ctx;
	/* A copy that has seen enough reads no further. */
	if (send(t.end[1], buf, len, MSG_NOSIGNAL) < 0)
		return (la_ssize_t)len;
	return (la_ssize_t)len;
}

static int start(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	snprintf(t.dir, sizeof(t.dir), "/tmp/vial-copy-XXXXXX");
	if (!mkdtemp(t.dir) || loop_init(&t.loop, NULL, &e) < 0)
		return -1;
	t.c.done = copy_done;
	t.a = archive_write_new();
	archive_write_set_format_pax_restricted(t.a);
	archive_write_set_bytes_per_block(t.a, 512);
	shell("mkdir in; echo secret > secret");
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, t.end);
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	copy_fini(&t.c);
	loop_fini(&t.loop);
	archive_write_free(t.a);
	close(t.end[0]);
	if (t.end[1] >= 0)
		close(t.end[1]);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t.dir);
	return system(cmd);
}

static void wait_done(void)
{
	for (int i = 0; i < 100 && !t.done; i++)
		loop_once(&t.loop, 100);
	assert_true(t.done);
}

/* ---- out of the guest ---- */

/* Begins an archive of /x/top that is unpacked into out. */
static void begin_out(void)
{
	static char host[80], guest[] = "/x/top";
	const struct spec_copy what = { .host = host, .guest = guest };

	snprintf(host, sizeof(host), "%s/out", t.dir);
	assert_int_equal(write(t.end[1], "OK 1\n", 5), 5);
	assert_int_equal(copy_out_start(&t.c, &t.loop, &what, t.end[0], &e), 0);
	archive_write_open(t.a, NULL, NULL, to_copy, NULL);
}

static void add(const char *path, unsigned type, const char *link,
		const char *text, unsigned mode)
{
	struct archive_entry *en = archive_entry_new();

	archive_entry_set_pathname(en, path);
	archive_entry_set_perm(en, mode);
	if (type == 0) {
		archive_entry_set_filetype(en, AE_IFREG);
		archive_entry_set_hardlink(en, link);
	} else {
		archive_entry_set_filetype(en, type);
	}
	if (type == AE_IFLNK)
		archive_entry_set_symlink(en, link);
	if (type == AE_IFCHR)
		archive_entry_set_rdev(en, 0x103);
	archive_entry_set_size(en, text ? (la_int64_t)strlen(text) : 0);
	archive_write_header(t.a, en);
	if (text)
		archive_write_data(t.a, text, strlen(text));
	archive_entry_free(en);
}

static void end_out(void)
{
	archive_write_close(t.a);
	close(take_fd(&t.end[1]));
	wait_done();
}

static void out_good(void **state)
{
	(void)state;
	begin_out();
	add("top", AE_IFDIR, NULL, NULL, 0755);
	add("top/f", AE_IFREG, NULL, "hello", 04755);
	add("top/l", AE_IFLNK, "f", NULL, 0777);
	add("top/d", AE_IFDIR, NULL, NULL, 0755);
	add("top/d/up", AE_IFLNK, "../f", NULL, 0777);
	add("top/h", 0, "top/f", NULL, 0644);
	end_out();
	assert_string_equal(t.c.result.err.msg, "");
	assert_int_equal(t.c.result.entries, 6);
	assert_int_equal(t.c.result.bytes, 5);
	assert_int_equal(t.c.result.left_out, 0);
	shell("test hello = $(cat out/top/d/up) && test -x out/top/f && "
	      "test ! -u out/top/f && test out/top/f -ef out/top/h");
}

static void out_into_what_is_there(void **state)
{
	(void)state;
	shell("mkdir -p out/top && echo old > out/top/f && echo keep > "
	      "out/other");
	begin_out();
	add("top/f", AE_IFREG, NULL, "new", 0644);
	end_out();
	assert_int_equal(t.c.result.err.code, 0);
	shell("test new = $(cat out/top/f) && test keep = $(cat out/other)");
}

/* What an archive may not contain: it fails, and nothing is outside. */
static void out_hostile(const char *path, unsigned type, const char *link)
{
	begin_out();
	add(path, type, link, type == AE_IFREG ? "evil" : NULL, 0644);
	end_out();
	assert_int_not_equal(t.c.result.err.code, 0);
	shell("test secret = $(cat secret) && test ! -e evil && "
	      "test ! -e out/other");
}

static void out_absolute(void **state)
{
	char path[96];

	(void)state;
	snprintf(path, sizeof(path), "%s/evil", t.dir);
	out_hostile(path, AE_IFREG, NULL);
}

static void out_dotdot(void **state)
{
	(void)state;
	out_hostile("../evil", AE_IFREG, NULL);
}

static void out_dotdot_inside(void **state)
{
	(void)state;
	out_hostile("top/../../evil", AE_IFREG, NULL);
}

static void out_another_name(void **state)
{
	(void)state;
	out_hostile("other", AE_IFREG, NULL);
}

static void out_a_longer_name(void **state)
{
	(void)state;
	out_hostile("topping", AE_IFREG, NULL);
}

static void out_hardlink(void **state)
{
	(void)state;
	out_hostile("top/h", 0, "../secret");
}

static void out_hardlink_beside(void **state)
{
	(void)state;
	shell("mkdir out && echo mine > out/mine");
	begin_out();
	add("top", AE_IFDIR, NULL, NULL, 0755);
	add("top/h", 0, "mine", NULL, 0644);
	end_out();
	assert_int_not_equal(t.c.result.err.code, 0);
	shell("test ! -e out/top/h");
}

static void out_through_a_link_of_its_own(void **state)
{
	(void)state;
	begin_out();
	add("top", AE_IFDIR, NULL, NULL, 0755);
	add("top/l", AE_IFLNK, "..", NULL, 0777);
	add("top/l/evil", AE_IFREG, NULL, "evil", 0644);
	end_out();
	shell("test ! -e evil && test ! -e out/evil");
}

static void out_through_a_link_that_is_there(void **state)
{
	(void)state;
	shell("mkdir -p out/top && ln -s \"$PWD\" out/top/l");
	begin_out();
	add("top/l/evil", AE_IFREG, NULL, "evil", 0644);
	end_out();
	assert_int_not_equal(t.c.result.err.code, 0);
	shell("test ! -e evil");
}

static void out_leaves_out(void **state)
{
	(void)state;
	begin_out();
	add("top", AE_IFDIR, NULL, NULL, 0755);
	add("top/abs", AE_IFLNK, "/etc/passwd", NULL, 0777);
	add("top/up", AE_IFLNK, "../secret", NULL, 0777);
	add("top/null", AE_IFCHR, NULL, NULL, 0666);
	add("top/fifo", AE_IFIFO, NULL, NULL, 0666);
	add("top/f", AE_IFREG, NULL, "x", 0644);
	end_out();
	assert_int_equal(t.c.result.err.code, 0);
	assert_int_equal(t.c.result.left_out, 4);
	assert_string_equal(t.c.result.first_left_out, "top/abs");
	shell("test x = $(cat out/top/f) && test $(ls out/top | wc -l) = 1");
}

static void out_nothing(void **state)
{
	(void)state;
	begin_out();
	close(take_fd(&t.end[1]));
	wait_done();
	assert_int_equal(t.c.result.entries, 0);
}

static void out_garbage(void **state)
{
	char junk[4096];

	(void)state;
	memset(junk, 0xa5, sizeof(junk));
	begin_out();
	assert_int_equal(send(t.end[1], junk, sizeof(junk), MSG_NOSIGNAL),
			 sizeof(junk));
	close(take_fd(&t.end[1]));
	wait_done();
	assert_int_not_equal(t.c.result.err.code, 0);
}

static void out_cut_off(void **state)
{
	struct archive_entry *en = archive_entry_new();

	(void)state;
	begin_out();
	archive_entry_set_pathname(en, "top");
	archive_entry_set_filetype(en, AE_IFREG);
	archive_entry_set_perm(en, 0644);
	archive_entry_set_size(en, 100000);
	archive_write_header(t.a, en);
	archive_entry_free(en);
	close(take_fd(&t.end[1]));
	wait_done();
	assert_int_not_equal(t.c.result.err.code, 0);
}

static void out_not_answered(void **state)
{
	static char host[] = "/tmp", guest[] = "/x/top";
	const struct spec_copy what = { .host = host, .guest = guest };

	(void)state;
	assert_int_equal(copy_out_start(&t.c, &t.loop, &what, t.end[0], &e), 0);
	close(take_fd(&t.end[1]));
	wait_done();
	assert_int_equal(t.c.result.err.code, ECONNRESET);
}

static void links(void **state)
{
	(void)state;
	assert_true(unpack_link_inside("top/l", "f"));
	assert_true(unpack_link_inside("top/l", "./d/f"));
	assert_true(unpack_link_inside("top/d/l", "../f"));
	assert_true(unpack_link_inside("top/a/b/l", "../../f"));
	assert_true(unpack_link_inside("./top/a/l", ".."));
	assert_false(unpack_link_inside("top/l", "../f"));
	assert_false(unpack_link_inside("top/l", ".."));
	assert_false(unpack_link_inside("top/d/l", "../../f"));
	assert_false(unpack_link_inside("top/l", "/f"));
	assert_false(unpack_link_inside("top/l", ""));
	/* The name before ".." could be another link. */
	assert_false(unpack_link_inside("top/a/l", "d/../f"));
	/* What was asked for is itself a link: to where, nobody knows. */
	assert_false(unpack_link_inside("top", "f"));
}

/* ---- into the guest ---- */

static void copy_in(const char *from, const char *guest)
{
	static char host[80], to[80];
	const struct spec_copy what = { .host = host, .guest = to };

	snprintf(host, sizeof(host), "%s/%s", t.dir, from);
	snprintf(to, sizeof(to), "%s", guest);
	assert_int_equal(write(t.end[1], "OK 1\n", 5), 5);
	assert_int_equal(copy_in_start(&t.c, &t.loop, &what, t.end[0], &e), 0);
	close(take_fd(&t.end[0]));
	t.end[0] = dup(t.end[1]);
}

/* Names of the archive's entries, with a space behind each. */
static const char *entries(void)
{
	static char names[512];
	struct archive *a = archive_read_new();
	struct archive_entry *en;
	size_t used = 0;

	archive_read_support_format_tar(a);
	archive_read_open_fd(a, t.end[1], 10240);
	names[0] = '\0';
	while (archive_read_next_header(a, &en) == ARCHIVE_OK)
		used += (size_t)snprintf(names + used, sizeof(names) - used,
					 "%s%s%s ", archive_entry_pathname(en),
					 archive_entry_symlink(en) ? ">" : "",
					 archive_entry_hardlink(en) ? "=" : "");
	archive_read_free(a);
	wait_done();
	return names;
}

static void in_directory(void **state)
{
	const char *names;

	(void)state;
	shell("cd in && echo x > f && ln -s f l && ln f h && mkdir d && "
	      "python3 -c 'import socket as s; "
	      "s.socket(s.AF_UNIX).bind(\"sock\")'");
	copy_in("in", "/w");
	names = entries();
	assert_int_equal(t.c.result.err.code, 0);
	assert_int_equal(t.c.result.bytes, 2);
	assert_int_equal(strncmp(names, "./ ", 3), 0);
	assert_non_null(strstr(names, "d/ "));
	assert_non_null(strstr(names, "l> "));
	assert_non_null(strstr(names, "= "));
	assert_null(strstr(names, "sock"));
}

static void in_to_the_root(void **state)
{
	const char *names;

	(void)state;
	shell("echo x > in/f");
	copy_in("in", "/");
	names = entries();
	assert_string_equal(names, "./f ");
}

static void in_file(void **state)
{
	(void)state;
	shell("echo x > in/f");
	copy_in("in/f", "/etc/app.conf");
	assert_string_equal(entries(), "app.conf ");
}

static void in_missing(void **state)
{
	(void)state;
	copy_in("nothing", "/w");
	entries();
	assert_int_equal(t.c.result.err.code, ENOENT);
	assert_non_null(strstr(t.c.result.err.msg, "nothing"));
}

static void in_targets(void **state)
{
	char file[96], dir[] = "/tmp", deep[] = "/a/b", top[] = "/b";
	struct spec_copy c = { .host = file, .guest = deep };
	char *s;

	(void)state;
	snprintf(file, sizeof(file), "%s/secret", t.dir);
	s = copy_in_target(&c);
	assert_string_equal(s, "/a");
	free(s);
	c.guest = top;
	s = copy_in_target(&c);
	assert_string_equal(s, "/");
	free(s);
	c.host = dir;
	s = copy_in_target(&c);
	assert_string_equal(s, "/b");
	free(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(out_good),
		T(out_into_what_is_there),
		T(out_absolute),
		T(out_dotdot),
		T(out_dotdot_inside),
		T(out_another_name),
		T(out_a_longer_name),
		T(out_hardlink),
		T(out_hardlink_beside),
		T(out_through_a_link_of_its_own),
		T(out_through_a_link_that_is_there),
		T(out_leaves_out),
		T(out_nothing),
		T(out_garbage),
		T(out_cut_off),
		T(out_not_answered),
		T(links),
		T(in_directory),
		T(in_to_the_root),
		T(in_file),
		T(in_missing),
		T(in_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
