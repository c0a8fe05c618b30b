/* SPDX-License-Identifier: Apache-2.0 */
/* A real virtiofsd, started as for a box, behind the monitor's own device: the
 * test is the guest's kernel and asks for files. */
#include "run/share.h"

#include "base/auto.h"
#include "base/fd.h"
#include "dev/fs.h"
#include "tests/guest/guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOM 4096
#define REQUESTS 1 /* the queue */

/* A kernel in front of the share. */
struct kernel {
	struct guest g;
	struct loop loop;
	struct virtio *v;
	struct ring r[2];
	gpa_t in, out;
	uint64_t unique;
};

static char dir[64];
static struct share share;
static struct kernel k;
static struct err e;

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = 1000000 };

	nanosleep(&ts, NULL);
}

static void kernel_queues(void)
{
	assert_true(guest_start(k.v, 0));
	ring_init(&k.r[0], &k.g, k.v, 0, 8);
	ring_init(&k.r[1], &k.g, k.v, REQUESTS, 8);
	guest_go(k.v);
	assert_true(virtio_live(k.v));
}

/* 0 or the negative errno of the answer; its body is at k.in. */
static int ask(uint32_t op, uint64_t node, const void *arg, size_t len,
	       const char *name)
{
	struct fuse_in_header *h = guest_at(&k.g, k.out, ROOM);
	struct fuse_out_header *answer = guest_at(&k.g, k.in, ROOM);
	size_t names = name ? strlen(name) + 1 : 0;
	struct seg segs[2];
	uint32_t id, got;
	uint64_t one = 1;

	memset(h, 0, sizeof(*h));
	h->len = (uint32_t)(sizeof(*h) + len + names);
	h->opcode = op;
	h->unique = ++k.unique;
	h->nodeid = node;
	h->pid = 1;
	if (len)
		memcpy(h + 1, arg, len);
	if (name)
		memcpy((char *)(h + 1) + len, name, names);
	segs[0] = SEG_OUT(k.out, h->len);
	segs[1] = SEG_IN(k.in, ROOM);
	ring_add(&k.r[REQUESTS], segs, 2);
	assert_int_equal(write(k.v->queue_kick_fds[REQUESTS], &one, 8), 8);
	while (!ring_used(&k.r[REQUESTS], &id, &got))
		nap();
	assert_int_equal(answer->unique, k.unique);
	return answer->error;
}

static const void *body(void)
{
	return (char *)guest_at(&k.g, k.in, ROOM) +
	       sizeof(struct fuse_out_header);
}

static void greet(void)
{
	struct fuse_init_in init = { .major = FUSE_KERNEL_VERSION,
				     .minor = FUSE_KERNEL_MINOR_VERSION,
				     .max_readahead = 65536 };

	assert_int_equal(ask(FUSE_INIT, 0, &init, sizeof(init), NULL), 0);
}

/* The node of a name below parent, or a negative errno. */
static int64_t look(uint64_t parent, const char *name)
{
	int r = ask(FUSE_LOOKUP, parent, NULL, 0, name);
	const struct fuse_entry_out *entry = body();

	return r < 0 ? r : (int64_t)entry->nodeid;
}

static int64_t make(uint64_t parent, const char *name)
{
	struct fuse_create_in c = { .flags = O_WRONLY | O_CREAT,
				    .mode = S_IFREG | 0644 };
	int r = ask(FUSE_CREATE, parent, &c, sizeof(c), name);

	return r < 0 ? r
		     : (int64_t)((const struct fuse_entry_out *)body())->nodeid;
}

/* ---- the host ---- */

static void put(const char *name, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static bool is_there(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static int begin(void **state)
{
	(void)state;
	share = (struct share)SHARE_INIT;
	memset(&k, 0, sizeof(k));
	e = (struct err){ 0 };
	snprintf(dir, sizeof(dir), "/tmp/vial-share-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	put("a", "apple");
	put("b", "banana");
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	if (k.v) {
		fs_destroy(k.v);
		guest_fini(&k.g);
		loop_fini(&k.loop);
	}
	share_stop(&share);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void serve(const struct share_dir *dirs, unsigned n)
{
	struct dev_conf conf = { .type = DEV_FS, .fs = { .tag = "work" } };

	if (share_start(&share, dirs, n, -1, &e) < 0)
		fail_msg("%s", e.msg);
	guest_init_shared(&k.g);
	assert_int_equal(loop_init(&k.loop, NULL, &e), 0);
	conf.fs.socket_fd = share.fd;
	k.v = fs_create(&conf, &k.g.mem, &k.loop, &e);
	if (!k.v)
		fail_msg("%s", e.msg);
	k.out = guest_alloc(&k.g, ROOM, ROOM);
	k.in = guest_alloc(&k.g, ROOM, ROOM);
	kernel_queues();
	greet();
}

/* ---- tests ---- */

static void files_go_both_ways(void **state)
{
	const struct share_dir d = { dir, false };
	int64_t top, a;

	(void)state;
	serve(&d, 1);
	top = look(FUSE_ROOT_ID, "0");
	assert_true(top > 0);
	a = look((uint64_t)top, "a");
	assert_true(a > 0);
	assert_int_equal(((const struct fuse_entry_out *)body())->attr.size, 5);
	assert_int_equal(look((uint64_t)top, "new"), -ENOENT);
	assert_true(make((uint64_t)top, "new") > 0);
	assert_true(is_there("new"));
	assert_int_equal(look(FUSE_ROOT_ID, "1"), -ENOENT);
	/* the interrupt of each answer needs nobody to be noted by */
	assert_true(guest_read32(k.v, 0x060) & VIRTIO_IRQ_USED);
}

static void readonly_is_the_hosts_word(void **state)
{
	const struct share_dir d[] = { { dir, true }, { dir, false } };
	struct fuse_setattr_in chmod = { .valid = FATTR_MODE, .mode = 0600 };
	int64_t top, a;

	(void)state;
	serve(d, 2);
	top = look(FUSE_ROOT_ID, "0");
	assert_true(top > 0);
	assert_int_equal(make((uint64_t)top, "new"), -EROFS);
	assert_false(is_there("new"));
	a = look((uint64_t)top, "a");
	assert_true(a > 0);
	assert_int_equal(ask(FUSE_SETATTR, (uint64_t)a, &chmod, sizeof(chmod),
			     NULL),
			 -EROFS);
	assert_int_equal(ask(FUSE_UNLINK, (uint64_t)top, NULL, 0, "a"), -EROFS);
	assert_true(is_there("a"));
	assert_true(make((uint64_t)look(FUSE_ROOT_ID, "1"), "new") > 0);
	assert_true(is_there("new"));
}

static void a_file_comes_alone(void **state)
{
	char path[80];
	struct share_dir d = { path, false };

	(void)state;
	snprintf(path, sizeof(path), "%s/a", dir);
	serve(&d, 1);
	assert_true(look(FUSE_ROOT_ID, "0") > 0);
	assert_int_equal(((const struct fuse_entry_out *)body())->attr.size, 5);
	assert_int_equal(look(FUSE_ROOT_ID, "b"), -ENOENT);
	/* the folder around it is ours, and not to be filled */
	assert_int_equal(make(FUSE_ROOT_ID, "new"), -EROFS);
}

static void nothing_of_the_host_lies_above(void **state)
{
	const struct share_dir d = { dir, false };
	char path[64], to[64];
	ssize_t n;
	DIR *root;
	const struct dirent *entry;

	(void)state;
	serve(&d, 1);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)share.pid);
	root = opendir(path);
	if (root) {
		while ((entry = readdir(root)))
			assert_true(entry->d_name[0] == '.' ||
				    strcmp(entry->d_name, "0") == 0);
		closedir(root);
	}
	/* a user of this test's is not a user of its pid namespace */
	for (unsigned i = 0; i < 2; i++) {
		const char *ns = i ? "net" : "pid";
		char ours[64] = "", theirs[64] = "";

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)share.pid,
			 ns);
		snprintf(to, sizeof(to), "/proc/self/ns/%s", ns);
		n = readlink(path, theirs, sizeof(theirs) - 1);
		if (n > 0 && readlink(to, ours, sizeof(ours) - 1) > 0)
			assert_string_not_equal(ours, theirs);
	}
}

static void a_guest_that_boots_again_is_served(void **state)
{
	const struct share_dir d = { dir, false };

	(void)state;
	serve(&d, 1);
	assert_true(look(FUSE_ROOT_ID, "0") > 0);
	guest_reset(k.v);
	k.g.next = 0x100000;
	kernel_queues();
	greet();
	assert_true(look(FUSE_ROOT_ID, "0") > 0);
}

/* Waits for its end; true when it came by itself. */
static bool ends(pid_t pid)
{
	for (int i = 0; i < 5000; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		nap();
	}
	return false;
}

static void it_ends_with_the_connection(void **state)
{
	const struct share_dir d = { dir, false };

	(void)state;
	serve(&d, 1);
	fs_destroy(k.v);
	k.v = NULL;
	guest_fini(&k.g);
	loop_fini(&k.loop);
	assert_true(ends(share.pid));
	share.pid = 0;
}

static void it_is_killed_with_who_started_it(void **state)
{
	const struct share_dir d = { dir, false };
	int pipes[2], status;
	pid_t child, pid = 0;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		struct share s;

		if (share_start(&s, &d, 1, -1, &e) < 0)
			_exit(1);
		/* the connection stays: it is not what ends it here */
		if (write(pipes[1], &s.pid, sizeof(s.pid)) != sizeof(s.pid))
			_exit(1);
		pause();
	}
	assert_int_equal(read(pipes[0], &pid, sizeof(pid)), sizeof(pid));
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	for (int i = 0; i < 5000 && kill(pid, 0) == 0; i++)
		nap();
	assert_int_equal(kill(pid, 0), -1);
	close(pipes[0]);
	close(pipes[1]);
}

static void a_dead_one_breaks_the_device(void **state)
{
	const struct share_dir d = { dir, false };

	(void)state;
	serve(&d, 1);
	kill(share.pid, SIGKILL);
	assert_int_equal(loop_once(&k.loop, 5000), 0);
	assert_false(virtio_live(k.v));
	/* a driver that starts again is told so, at once */
	guest_reset(k.v);
	assert_int_equal(guest_status(k.v), 0);
	assert_true(guest_start(k.v, 0));
	guest_go(k.v);
	assert_false(virtio_live(k.v));
}

static void what_is_missing_is_named(void **state)
{
	struct share_dir d[2] = { { dir, false }, { "/no/such", true } };

	(void)state;
	assert_int_equal(share_start(&share, d, 2, -1, &e), -ENOENT);
	assert_string_equal(e.msg, "/no/such: No such file or directory");
	assert_int_equal(share.fd, -1);
	assert_int_equal(share.pid, 0);
	assert_int_equal(share_start(&share, d, SHARE_MAX + 1, -1, &e), -E2BIG);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(files_go_both_ways),
		T(readonly_is_the_hosts_word),
		T(a_file_comes_alone),
		T(nothing_of_the_host_lies_above),
		T(a_guest_that_boots_again_is_served),
		T(it_ends_with_the_connection),
		T(it_is_killed_with_who_started_it),
		T(a_dead_one_breaks_the_device),
		T(what_is_missing_is_named),
	};

	log_init("test", LOG_ERR);
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
