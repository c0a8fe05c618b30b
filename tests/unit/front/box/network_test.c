/* SPDX-License-Identifier: Apache-2.0 */
#include "box/network.h"

#include "base/auto.h"
#include "box/create.h"
#include "box/netinfo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/network_test.XXXXXX";

static int start(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || setenv("VIAL_DATADIR", dir, 1) < 0 ||
	    setenv("VIAL_RUNDIR", dir, 1) < 0)
		return -1;
	return 0;
}

static int stop(void **state)
{
	char cmd[64];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	return system(cmd);
}

static struct network named(const char *name)
{
	struct network n = { .prefix = 0 };

	snprintf(n.name, sizeof(n.name), "%s", name);
	return n;
}

static void names(void **state)
{
	static const char *const good[] = { "ci", "a.b-c_d", "X9" };
	static const char *const bad[] = { "",	      "a",	"host", "none",
					   "nat",     "user",	"-ab",	".ab",
					   "a b",     "../etc", "a/b",	"a\nb",
					   "default", "bridge" };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(network_name_check(good[i], &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (network_name_check(bad[i], &e) == 0)
			fail_msg("'%s' is taken", bad[i]);
}

static void made_found_removed(void **state)
{
	struct network one = named("one"), two = named("two.json"), found;
	struct strv all;
	struct err e = { 0 };

	(void)state;
	one.internal = true;
	assert_int_equal(strv_add(&one.labels, "a=b"), 0);
	assert_int_equal(network_create(&one, "10.99.0.0/24", &e), 0);
	assert_int_equal(network_create(&two, NULL, &e), 0);
	assert_int_equal(two.prefix, 24);
	assert_memory_not_equal(one.subnet, two.subnet, 4);
	assert_int_equal(network_get("one", &found, &e), 0);
	assert_string_equal(found.id, one.id);
	assert_true(found.internal);
	assert_int_equal(found.labels.n, 1);
	assert_memory_equal(found.subnet, one.subnet, 4);
	network_fini(&found);
	one.id[8] = '\0';
	assert_int_equal(network_get(one.id, &found, &e), 0);
	assert_string_equal(found.name, "one");
	network_fini(&found);
	assert_int_equal(network_names(&all, &e), 0);
	assert_int_equal(all.n, 2);
	assert_string_equal(all.v[1], "two.json");
	strv_fini(&all);
	assert_int_equal(network_remove(&one, &e), 0);
	assert_int_equal(network_remove(&two, &e), 0);
	assert_int_equal(network_get("one", &found, &e), -ENOENT);
	network_fini(&one);
	network_fini(&two);
}

/* A box whose spec says so; one that runs is on another network, too. */
static void make_box(struct box *b, const char *network, const char *status,
		     const char *on)
{
	struct box_info info = { .brief = true };
	struct netinfo net = { .prefix = 0 };
	struct err e = { 0 };
	struct spec s;

	spec_init(&s);
	s.image = "image";
	s.network = network;
	assert_int_equal(strv_add(&s.argv, "true"), 0);
	box_describe(&info, &s);
	snprintf(info.status, sizeof(info.status), "%s", status);
	assert_int_equal(box_make(b, &info, &s, &e), 0);
	snprintf(net.network, sizeof(net.network), "%s", on);
	assert_int_equal(netinfo_write(&net, b, &e), 0);
	spec_fini(&s);
}

static void its_users(void **state)
{
	struct network one = named("one");
	autofree struct network_user *users = NULL;
	struct box b[5];
	struct err e = { 0 };
	char begin[9];
	size_t n, running = 0;

	(void)state;
	assert_int_equal(network_create(&one, NULL, &e), 0);
	snprintf(begin, sizeof(begin), "%.8s", one.id);
	make_box(&b[0], "one", "created", "");
	make_box(&b[1], begin, "exited", "");
	make_box(&b[2], "container:x", "running", "one");
	/* Where it was when it ran does not count. */
	make_box(&b[3], "container:x", "exited", "one");
	make_box(&b[4], "on", "running", "other");
	assert_int_equal(network_users(&one, &users, &n, &e), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		running += users[i].runs;
	assert_int_equal(running, 1);
	for (size_t i = 0; i < ARRAY_LEN(b); i++)
		state_remove(&b[i]);
	assert_int_equal(network_remove(&one, &e), 0);
	network_fini(&one);
}

static void what_cannot_be(void **state)
{
	static const char *const subnets[] = { "10.99.0.1/24", "10.99.0.0/31",
					       "10.99.0.0",    "10.99.0.0/24x",
					       "10.99.0.0/7",  "x",
					       "127.0.0.0/33" };
	struct network one = named("one"), two = named("two");
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subnets); i++)
		if (network_create(&one, subnets[i], &e) == 0)
			fail_msg("'%s' is taken", subnets[i]);
	assert_int_equal(network_create(&one, "10.99.0.0/24", &e), 0);
	/* A name, and any part of a subnet, is one network's. */
	assert_true(network_create(&one, NULL, &e) < 0);
	assert_int_equal(e.code, EEXIST);
	assert_true(network_create(&two, "10.99.0.128/25", &e) < 0);
	assert_non_null(strstr(e.msg, "network one"));
	assert_true(network_create(&two, "10.0.0.0/8", &e) < 0);
	assert_int_equal(network_remove(&one, &e), 0);
	network_fini(&one);
	network_fini(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(made_found_removed),
		cmocka_unit_test(its_users),
		cmocka_unit_test(what_cannot_be),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
