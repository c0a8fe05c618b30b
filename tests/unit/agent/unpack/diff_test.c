/* SPDX-License-Identifier: Apache-2.0 */
/* Two trees compared; and the layer made of it, applied to the first, makes it
 * the second. */
#include "agent/unpack/diff.h"

#include "agent/unpack/layertar.h"
#include "base/auto.h"
#include "tests/guest/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct tape_target target;
static struct diff diff;
static struct err e;
static int new_fd;

/* In the folder that holds the old tree, "root", and the new one, "new". */
static void sh(const char *script)
{
	autofree char *text = NULL;

	assert_true(asprintf(&text, "cd %s && set -e && %s", target.dir,
			     script) > 0);
	if (system(text) != 0)
		fail_msg("%s", script);
}

static int start(void **state)
{
	(void)state;
	umask(022);
	setlocale(LC_CTYPE, "C.UTF-8");
	target_open(&target);
	diff = (struct diff){ .v = NULL };
	e = (struct err){ 0 };
	new_fd = -1;
	return 0;
}

static int stop(void **state)
{
	(void)state;
	diff_fini(&diff);
	if (new_fd >= 0)
		close(new_fd);
	sh("chmod -R u+rwX new; rm -rf new");
	target_close(&target);
	return 0;
}

/* Whole seconds, as layers have them. */
#define TIMES                                                                  \
	" && find . -depth ! -newermt @1000000001 -o "                         \
	"-exec touch -h -d @1000000007 {} +"

static void trees(const char *old, const char *change)
{
	char path[PATH_MAX];

	sh("cd root && touch -d @1000000000 .");
	sh(old);
	sh("find root -exec touch -h -d @1000000000 {} + && cp -a root new");
	sh(change);
	snprintf(path, sizeof(path), "%s/new", target.dir);
	new_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(new_fd >= 0);
}

static void compare(int old)
{
	diff_fini(&diff);
	if (diff_trees(&diff, old, new_fd, &e) < 0)
		fail_msg("%s", e.msg);
}

/* "A a/b,D c": in their order; "+" behind what is only linked. */
static void assert_diff(const char *want)
{
	char got[4096] = "";

	for (size_t i = 0; i < diff.n; i++) {
		size_t len = strlen(got);

		snprintf(got + len, sizeof(got) - len, "%s%c %s%s",
			 i ? "," : "", (char)diff.v[i].kind, diff.v[i].path,
			 diff.v[i].linked ? "+" : "");
	}
	assert_string_equal(got, want);
}

/* The old tree becomes the new one by the layer. */
static void apply(void)
{
	int fd = memfd_create("layer", MFD_CLOEXEC);
	struct tape tape = { 0 };
	uint8_t block[65536];
	ssize_t n;

	assert_true(fd >= 0);
	if (layertar_write(&diff, new_fd, fd, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(lseek(fd, 0, SEEK_SET) == 0);
	while ((n = read(fd, block, sizeof(block))) > 0)
		tape_bytes(&tape, block, (size_t)n);
	close(fd);
	if (target_apply(&target, &tape, NULL, NULL, &e) < 0)
		fail_msg("%s", e.msg);
	tape_free(&tape);
	compare(target.root);
	assert_diff("");
}

static void test_files(void **state)
{
	(void)state;
	trees("cd root && mkdir -p etc/deep keep/a gone/x && echo 1 >etc/f && "
	      "echo 2 >etc/deep/g && echo k >keep/a/k && echo x >gone/x/y && "
	      "ln -s f etc/s && echo m >mode && echo t >touched",
	      "cd new && echo more >>etc/deep/g && rm -r gone && rm etc/f && "
	      "ln -sfn g etc/s && chmod 4711 mode && mkdir -p new/er && "
	      "echo n >new/er/n && : >new/empty && mkfifo pipe && "
	      "touch -d @1000000005 touched" TIMES);
	compare(target.root);
	assert_diff("C etc,C etc/deep,C etc/deep/g,D etc/f,C etc/s,D gone,"
		    "C mode,A new,A new/empty,A new/er,A new/er/n,A pipe,"
		    "C touched");
	apply();
}

static void test_types(void **state)
{
	(void)state;
	trees("cd root && mkdir -p dir/in && echo 1 >dir/in/f && echo 2 >file "
	      "&& ln -s file link && mkdir again && echo 3 >again/old",
	      "cd new && rm -r dir && echo now >dir && rm file && mkdir file "
	      "&& echo in >file/in && rm link && mkdir link && rm -r again && "
	      "mkdir again && echo 4 >again/new" TIMES);
	compare(target.root);
	assert_diff("C again,A again/new,D again/old,C dir,C file,A file/in,"
		    "C link");
	apply();
}

/* Same size, same time: it is read. */
static void test_content(void **state)
{
	(void)state;
	trees("echo one >root/f && echo two >root/g",
	      "cd new && echo ONE >f && touch -d @1000000000 f && "
	      "chmod 600 g && chmod 644 g");
	compare(target.root);
	assert_diff("C f");
	apply();
}

static void test_links(void **state)
{
	(void)state;
	trees("cd root && mkdir -p a b c && echo 1 >a/one && echo 2 >b/two && "
	      "ln b/two c/two && echo 3 >three",
	      "cd new && ln a/one b/uno && rm c/two && ln three drei && "
	      "ln three trois && echo x >>three" TIMES);
	compare(target.root);
	assert_diff("C a+,C a/one+,C b,A b/uno,C c,D c/two,A drei,C three,"
		    "A trois");
	apply();
	sh("cd root && test a/one -ef b/uno && test three -ef drei && "
	   "test three -ef trois");
}

static void test_sparse_and_long(void **state)
{
	(void)state;
	trees("true",
	      "cd new && truncate -s 64M big && echo x | dd of=big bs=1 "
	      "seek=40000000 conv=notrunc status=none && truncate -s 1M hole "
	      "&& n=$(printf '%0200d' 7) && mkdir -p $n/$n && "
	      "echo deep >$n/$n/$n && echo u >\"$(printf 'n\\303\\244me')\" && "
	      "ln -s $n/$n/$n/$n to" TIMES);
	compare(target.root);
	assert_int_equal(diff.n, 7);
	apply();
	sh("test $(du -k root/big | cut -f1) -lt 1000");
}

/* Attributes as far as the file system and our rights go. */
static void test_attributes(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	trees("cd root && echo 1 >f && echo 2 >own && mkdir d",
	      "cd new && setfattr -n user.note -v hello f 2>/dev/null || "
	      "chmod 700 f; chown 7:8 own; chmod 1777 d; mknod dev c 5 1" TIMES);
	compare(target.root);
	assert_diff("C d,A dev,C f,C own");
	apply();
}

static bool skip_two(const char *path, bool added)
{
	return strcmp(path, "etc/hosts") == 0 ||
	       (added && strcmp(path, "proc") == 0);
}

static void test_skip(void **state)
{
	(void)state;
	trees("mkdir root/etc && echo 1 >root/etc/hosts",
	      "cd new && echo 2 >>etc/hosts && mkdir proc && echo x >proc/x");
	diff.skip = skip_two;
	compare(target.root);
	assert_diff("");
}

static void test_all_new(void **state)
{
	(void)state;
	trees("true", "cd new && mkdir a && echo 1 >a/b" TIMES);
	compare(-1);
	assert_diff("A a,A a/b");
}

/* A name that means something else in a layer. */
static void test_whiteout_name(void **state)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	trees("true", "echo 1 >new/.wh.x");
	compare(target.root);
	assert_int_equal(layertar_write(&diff, new_fd, fd, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "'.wh.x'"));
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files),
		TEST(test_types),
		TEST(test_content),
		TEST(test_links),
		TEST(test_sparse_and_long),
		TEST(test_attributes),
		TEST(test_skip),
		TEST(test_all_new),
		TEST(test_whiteout_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
