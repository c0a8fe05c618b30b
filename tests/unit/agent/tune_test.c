/* SPDX-License-Identifier: Apache-2.0 */
/* Settings and names, in a folder that stands for the guest's. */
#include "agent/tune.h"

#include "base/auto.h"
#include "base/fd.h"

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

static char dir[] = "/tmp/vial-tune-XXXXXX";

static const char *at(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(at(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void holds(const char *name, const char *text)
{
	autoclose int fd = open(at(name), O_RDONLY);
	autofree char *got = NULL;

	assert_true(fd_slurp(fd, &got, 1 << 20) >= 0);
	assert_string_equal(got, text);
}

static int start(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	mkdir(at("sys"), 0755);
	mkdir(at("sys/net"), 0755);
	mkdir(at("sys/net/ipv4"), 0755);
	put("sys/net/ipv4/ip_forward", "");
	put("secret", "");
	return 0;
}

static int stop(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

static int set(const char *name, const char *value, struct err *e)
{
	Vial__Agent__Sysctl s = VIAL__AGENT__SYSCTL__INIT, *all = &s;
	autofree char *n = strdup(name), *v = strdup(value);

	s.name = n;
	s.value = v;
	return tune_sysctls(at("sys"), &all, 1, e);
}

static void a_setting(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(set("net.ipv4.ip_forward", "1", &e), 0);
	holds("sys/net/ipv4/ip_forward", "1");
}

static void no_such_setting(void **state)
{
	static const char *const wrong[] = {
		"",	    "net.ipv5.x",      "net", ".", "../secret",
		"..secret", "net/../../secret"
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_true(set(wrong[i], "1", &e) < 0);
		assert_non_null(strstr(e.msg, wrong[i]));
	}
	holds("secret", "");
}

static int add(const char *name, const char *address, struct err *e)
{
	Vial__Agent__Host h = VIAL__AGENT__HOST__INIT, *all = &h;
	autofree char *n = strdup(name), *a = strdup(address);

	h.name = n;
	h.address = a;
	return tune_hosts(at("hosts"), &all, 1, e);
}

static void names(void **state)
{
	struct err e;

	(void)state;
	put("hosts", "127.0.0.1\tlocalhost");
	assert_int_equal(add("db", "10.0.0.2", &e), 0);
	assert_int_equal(add("db6", "fe80::1", &e), 0);
	holds("hosts", "127.0.0.1\tlocalhost\n10.0.0.2\tdb\nfe80::1\tdb6\n");
	/* Started again, nothing is new; another name is. */
	assert_int_equal(add("db", "10.0.0.2", &e), 0);
	assert_int_equal(add("b", "10.0.0.2", &e), 0);
	holds("hosts", "127.0.0.1\tlocalhost\n10.0.0.2\tdb\nfe80::1\tdb6\n"
		       "10.0.0.2\tb\n");
}

static void no_names(void **state)
{
	struct err e;

	(void)state;
	put("hosts", "");
	assert_true(add("a b", "10.0.0.2", &e) < 0);
	assert_true(add("a", "10.0.0.2\n10.0.0.3", &e) < 0);
	assert_true(add("", "10.0.0.2", &e) < 0);
	assert_true(add("a", "#", &e) < 0);
	holds("hosts", "");
	unlink(at("hosts"));
	assert_int_equal(mkfifo(at("hosts"), 0600), 0);
	assert_true(add("a", "10.0.0.2", &e) < 0);
	unlink(at("hosts"));
	assert_int_equal(add("a", "10.0.0.2", &e), 0);
	holds("hosts", "10.0.0.2\ta\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_setting),
		cmocka_unit_test(no_such_setting),
		cmocka_unit_test(names),
		cmocka_unit_test(no_names),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
