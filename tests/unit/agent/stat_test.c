/* SPDX-License-Identifier: Apache-2.0 */
/* What is at a path. */
#include "tests/guest/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static Vial__Agent__Event *ask(struct peer *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static Vial__Agent__Event *ask(struct peer *p, const char *fmt, ...)
{
	static uint64_t key = 1;
	Vial__Agent__Stat m = VIAL__AGENT__STAT__INIT;
	Vial__Agent__Event *ev;
	char path[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	m.key = key++;
	m.path = path;
	peer_request(&p->control, VIAL__AGENT__REQUEST__OP_STAT, &m);
	ev = peer_expect(&p->control, VIAL__AGENT__EVENT__EV_STAT);
	assert_int_equal(ev->stat->key, m.key);
	return ev;
}

static void a_file(void **state)
{
	const struct timespec when[2] = { { 1, 2 }, { 1234567890, 123456789 } };
	struct peer *p = *state;
	Vial__Agent__Event *ev;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/file", p->dir);
	f = fopen(path, "w");
	fputs("12345", f);
	fclose(f);
	assert_int_equal(chmod(path, 04711), 0);
	assert_int_equal(utimensat(AT_FDCWD, path, when, 0), 0);
	ev = ask(p, "%s/../%s", p->dir, path + strlen("/tmp/"));
	assert_int_equal(ev->stat->error, 0);
	assert_int_equal(ev->stat->mode, S_IFREG | 04711);
	assert_int_equal(ev->stat->size, 5);
	assert_true(ev->stat->mtime_ns == 1234567890123456789);
	assert_string_equal(ev->stat->link_target, "");
	assert_string_equal(ev->stat->resolved, path);
	assert_int_equal(ev->stat->resolved_mode, S_IFREG | 04711);
	peer_free(ev);
}

static void links(void **state)
{
	struct peer *p = *state;
	Vial__Agent__Event *ev;
	char path[64];

	snprintf(path, sizeof(path), "%s/link", p->dir);
	assert_int_equal(symlink(".", path), 0);
	ev = ask(p, "%s", path);
	assert_true(S_ISLNK(ev->stat->mode));
	assert_string_equal(ev->stat->link_target, ".");
	assert_string_equal(ev->stat->resolved, p->dir);
	assert_int_equal(ev->stat->resolved_mode, S_IFDIR | 0700);
	peer_free(ev);
	snprintf(path, sizeof(path), "%s/broken", p->dir);
	assert_int_equal(symlink("/no/where", path), 0);
	ev = ask(p, "%s", path);
	assert_int_equal(ev->stat->error, 0);
	assert_true(S_ISLNK(ev->stat->mode));
	assert_string_equal(ev->stat->link_target, "/no/where");
	assert_string_equal(ev->stat->resolved, "");
	assert_int_equal(ev->stat->resolved_mode, 0);
	peer_free(ev);
	snprintf(path, sizeof(path), "%s/round", p->dir);
	assert_int_equal(symlink("round", path), 0);
	ev = ask(p, "%s", path);
	assert_int_equal(ev->stat->error, 0);
	assert_string_equal(ev->stat->resolved, "");
	peer_free(ev);
}

static void nothing(void **state)
{
	struct peer *p = *state;
	Vial__Agent__Event *ev = ask(p, "%s/none", p->dir);

	assert_int_equal(ev->stat->error, ENOENT);
	assert_int_equal(ev->stat->mode, 0);
	peer_free(ev);
	ev = ask(p, "%s/file/below", p->dir);
	assert_int_equal(ev->stat->error, ENOTDIR);
	peer_free(ev);
	ev = ask(p, "relative");
	assert_int_equal(ev->stat->error, EINVAL);
	peer_free(ev);
	ev = ask(p, "%s", "");
	assert_int_equal(ev->stat->error, EINVAL);
	peer_free(ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file),
		cmocka_unit_test(links),
		cmocka_unit_test(nothing),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
