/* SPDX-License-Identifier: Apache-2.0 */
/* A network of several boxes, without boxes: members come and go. As keeper
 * this program starts itself. */
#include "net/lan.h"

#include "base/auto.h"
#include "net/meet.h"
#include "net/pool.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char id[33];
static uint8_t subnet[4] = { 10, 214, 9, 0 };

/* Of this run alone, and where no route of ours leads. */
static int start(void **state)
{
	(void)state;
	snprintf(id, sizeof(id), "%016x%016x", (unsigned)getpid(), 0);
	return 0;
}

static int stop(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), POOL_DIR "/lan-%.16s", id);
	unlink(path);
	return 0;
}

static bool allowed(void)
{
	static bool in;

	in = in || (geteuid() == 0 && unshare(CLONE_NEWNET) == 0);
	return in;
}

static int join(struct lan *l, const char *name, const uint8_t address[4],
		unsigned prefix, struct err *e)
{
	Vial__Net__Network n = VIAL__NET__NETWORK__INIT;
	static struct lan_place at = LAN_PLACE_INIT;
	char *names[] = { (char *)(uintptr_t)name };
	int r;

	*l = (struct lan)LAN_INIT;
	n.id = id;
	n.subnet = (ProtobufCBinaryData){ sizeof(subnet), subnet };
	n.prefix = prefix;
	n.names = names;
	n.n_names = 1;
	if (address)
		n.address =
			(ProtobufCBinaryData){ 4,
					       (uint8_t *)(uintptr_t)address };
	lan_place_fini(&at);
	r = lan_place_open(&at, NULL, e);
	return r < 0 ? r : lan_join(l, &at, &n, e);
}

/* What is told next. */
static Vial__Net__Members *news(struct lan *l)
{
	int error = 0;

	while (error >= 0) {
		if (lan_news(l, &error))
			return l->members;
		if (error >= 0)
			error = chan_fill(&l->chan);
	}
	return NULL;
}

/* The id's own socket answers as long as there is a keeper. */
static void everybody_knows_who_is_there(void **state)
{
	struct lan one, two;
	struct err e = { 0 };
	Vial__Net__Members *m;
	struct stat a, b;

	(void)state;
	if (!allowed())
		skip();
	if (join(&one, "one", NULL, 24, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(one.address, 0x0ad60902);
	assert_int_equal(one.members->n_members, 1);
	assert_int_equal(join(&two, "two", NULL, 24, &e), 0);
	assert_int_equal(two.address, 0x0ad60903);
	assert_int_equal(two.members->n_members, 2);
	/* The same namespace, and not ours. */
	assert_int_equal(fstat(one.netns, &a), 0);
	assert_int_equal(fstat(two.netns, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(stat("/proc/self/ns/net", &b), 0);
	assert_int_not_equal(a.st_ino, b.st_ino);
	m = news(&one);
	assert_non_null(m);
	assert_int_equal(m->n_members, 2);
	lan_fini(&two);
	m = news(&one);
	assert_non_null(m);
	assert_int_equal(m->n_members, 1);
	assert_string_equal(m->members[0]->names[0], "one");
	lan_fini(&one);
}

static void addresses_are_one_box_s(void **state)
{
	const uint8_t nine[4] = { 10, 214, 9, 9 };
	static const uint8_t bad[][4] = {
		{ 10, 214, 9, 0 },
		{ 10, 214, 9, 1 },
		{ 10, 214, 9, 255 },
		{ 10, 214, 8, 9 },
	};
	struct lan one, two;
	struct err e = { 0 };

	(void)state;
	if (!allowed())
		skip();
	assert_int_equal(join(&one, "one", nine, 24, &e), 0);
	assert_int_equal(one.address, 0x0ad60909);
	assert_true(join(&two, "two", nine, 24, &e) < 0);
	assert_int_equal(e.code, EADDRINUSE);
	lan_fini(&two);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_true(join(&two, "two", bad[i], 24, &e) < 0);
		lan_fini(&two);
	}
	/* What is given back is there again. */
	lan_fini(&one);
	assert_int_equal(join(&two, "two", nine, 24, &e), 0);
	lan_fini(&two);
}

/* An ordinary user's: whoever is in what both are below enters it, nobody
 * else. */
static void it_may_be_below_a_roof(void **state)
{
	char folder[] = "/tmp/lan-test-XXXXXX", *name = id;
	struct lan_place at = LAN_PLACE_INIT;
	Vial__Net__Network n = VIAL__NET__NETWORK__INIT;
	struct lan l = LAN_INIT;
	struct err e = { 0 };
	int status = -1;
	pid_t pid;

	(void)state;
	if (!allowed())
		skip();
	assert_non_null(mkdtemp(folder));
	at.folder = meet_folder(folder, &e);
	n.id = id;
	n.subnet = (ProtobufCBinaryData){ sizeof(subnet), subnet };
	n.prefix = 24;
	n.names = &name;
	n.n_names = 1;
	if (at.folder < 0 || roof_take(&at.roof, at.folder, &e) < 0 ||
	    lan_join(&l, &at, &n, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(l.roof >= 0 && roof_same(l.roof, at.roof.ns));
	pid = fork();
	if (pid == 0) {
		/* With no rights but those in it. */
		if (setresgid(65534, 65534, 65534) < 0 ||
		    setresuid(65534, 65534, 65534) < 0 ||
		    setns(l.netns, CLONE_NEWNET) == 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	pid = fork();
	if (pid == 0)
		_exit(roof_enter(l.roof, &e) < 0 ||
		      setns(l.netns, CLONE_NEWNET) < 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	lan_fini(&l);
	lan_place_fini(&at);
	/* What was shared goes, and its sockets with it. */
	while (rmdir(folder) < 0)
		usleep(1000);
}

static void nonsense_is_refused(void **state)
{
	struct lan l;
	struct err e = { 0 };

	(void)state;
	if (!allowed())
		skip();
	assert_true(join(&l, "one", NULL, 31, &e) < 0);
	lan_fini(&l);
	assert_true(join(&l, "one", NULL, 0, &e) < 0);
	lan_fini(&l);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everybody_knows_who_is_there),
		cmocka_unit_test(addresses_are_one_box_s),
		cmocka_unit_test(it_may_be_below_a_roof),
		cmocka_unit_test(nonsense_is_refused),
	};
	struct err e = { 0 };

	if (argc == 3 && strcmp(argv[1], "lan") == 0)
		return lan_keeper(argv[2], &e) < 0;
	if (argc == 2 && strcmp(argv[1], "roof") == 0)
		return roof_keeper(&e) < 0;
	return cmocka_run_group_tests(tests, start, stop);
}
