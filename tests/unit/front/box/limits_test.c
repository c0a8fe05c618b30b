/* SPDX-License-Identifier: Apache-2.0 */
#include "box/limits.h"

#include "base/auto.h"
#include "spec/cpuset.h"
#include "spec/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static struct spec s;
static struct err e;

static int begin(void **state)
{
	(void)state;
	spec_init(&s);
	return 0;
}

static int end(void **state)
{
	(void)state;
	spec_fini(&s);
	return 0;
}

static void parts_of_a_cpu(void **state)
{
	static const struct {
		const char *text;
		unsigned cpus;
		uint64_t milli;
	} good[] = { { "1", 1, 0 },	   { "32", 32, 0 },   { "0.5", 1, 500 },
		     { "1.5", 2, 1500 },   { "0.01", 1, 10 }, { "2.0", 2, 0 },
		     { "1.999", 2, 1999 }, { "1.9999", 2, 0 } };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(spec_cpus(&s, good[i].text, &e), 0);
		assert_int_equal(s.cpus, good[i].cpus);
		assert_int_equal(s.limits.cpu_milli, good[i].milli);
	}
	assert_true(spec_cpus(&s, "0.001", &e) < 0);
	assert_true(spec_cpus(&s, "0", &e) < 0);
	assert_true(spec_cpus(&s, "33", &e) < 0);
	assert_true(spec_cpus(&s, "many", &e) < 0);
}

static void room_on_the_disk(void **state)
{
	static const char *const bad[] = { "size=",    "size=x",
					   "20g",      "size=1k",
					   "size=32t", "size=1048577",
					   "inode64" };

	(void)state;
	assert_int_equal(spec_storage_opt(&s, "size=20g", &e), 0);
	assert_int_equal(s.limits.disk_bytes, 20ull << 30);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_true(spec_storage_opt(&s, bad[i], &e) < 0);
	assert_int_equal(s.limits.disk_bytes, 20ull << 30);
}

static void lists_of_cpus(void **state)
{
	static const char *const bad[] = {
		"",   "a",    "1-", "-1",  "2-1",  "1,",
		",1", "1,,2", "1 ", "0x1", "1024", "99999999999999999999"
	};
	char text[CPUSET_TEXT_MAX];
	cpu_set_t set;

	(void)state;
	assert_int_equal(cpuset_parse("0-2,7,5,6,1023", &set, &e), 0);
	assert_int_equal(CPU_COUNT(&set), 7);
	assert_string_equal(cpuset_text(&set, text), "0-2,5-7,1023");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cpuset_parse(bad[i], &set, &e), -EINVAL);
	CPU_ZERO(&set);
	assert_string_equal(cpuset_text(&set, text), "");
	for (int i = 0; i < CPU_SETSIZE; i += 2)
		CPU_SET(i, &set);
	assert_true(strlen(cpuset_text(&set, text)) < CPUSET_TEXT_MAX);
}

static void cpus_are_those_there_are(void **state)
{
	struct limits l = { .cpuset = NULL };
	char text[CPUSET_TEXT_MAX], list[CPUSET_TEXT_MAX + 8];
	cpu_set_t ours;
	unsigned n = 77;

	(void)state;
	assert_int_equal(limits_check(&l, &n, &e), 0);
	assert_int_equal(n, 77);
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	l.cpuset = cpuset_text(&ours, text);
	assert_int_equal(limits_check(&l, &n, &e), 0);
	assert_int_equal(n, CPU_COUNT(&ours));
	assert_int_equal(limits_enter(&l, &e), 0);
	snprintf(list, sizeof(list), "%s,1023", text);
	l.cpuset = list;
	assert_int_equal(limits_check(&l, &n, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "available: "));
	assert_non_null(strstr(e.msg, text));
}

static void rates(void **state)
{
	(void)state;
	assert_int_equal(spec_disk_bps(&s, "1m", &e), 0);
	assert_int_equal(s.limits.disk_bps, 1 << 20);
	assert_int_equal(spec_console_bps(&s, "4k", &e), 0);
	assert_int_equal(s.limits.console_bps, 4096);
	assert_int_equal(spec_disk_iops(&s, "100", &e), 0);
	assert_int_equal(s.limits.disk_iops, 100);
	assert_int_equal(spec_net_rx_bps(&s, "1m", &e), 0);
	assert_int_equal(s.limits.net_rx_bps, 1 << 20);
	assert_int_equal(spec_net_tx_bps(&s, "2k", &e), 0);
	assert_int_equal(s.limits.net_tx_bps, 2048);
	assert_true(spec_net_tx_bps(&s, "2t", &e) < 0);
	assert_true(spec_disk_bps(&s, "2t", &e) < 0);
	assert_true(spec_disk_bps(&s, "fast", &e) < 0);
	assert_true(spec_disk_iops(&s, "1k", &e) < 0);
	assert_true(spec_disk_iops(&s, "-1", &e) < 0);
	assert_true(spec_disk_iops(&s, "", &e) < 0);
	assert_true(spec_disk_iops(&s, "99999999999999999999", &e) < 0);
	assert_int_equal(s.limits.disk_iops, 100);
}

/* Only what is a group of ours by its path is touched. */
static void cleaning_believes_no_path(void **state)
{
	char dir[] = "/tmp/limits-test.XXXXXX", victim[64], cmd[80];
	struct box b = BOX_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(victim, sizeof(victim), "%s/victim", dir);
	assert_int_equal(mkdir(victim, 0700), 0);
	b.dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(b.dir >= 0);
	limits_clean(&b); /* no file: nothing happens */
	assert_int_equal(state_put(&b, "cgroup", victim, &e), 0);
	limits_clean(&b);
	assert_int_equal(access(victim, F_OK), 0);
	/* gone already: the note goes too */
	assert_int_equal(state_put(&b, "cgroup",
				   "/sys/fs/cgroup/vial/limits-test", &e),
			 0);
	limits_clean(&b);
	assert_int_equal(faccessat(b.dir, "cgroup", F_OK, 0), -1);
	state_close(&b);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	assert_int_equal(system(cmd), 0);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(parts_of_a_cpu), T(room_on_the_disk),
		T(lists_of_cpus),  T(cpus_are_those_there_are),
		T(rates),	   T(cleaning_believes_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
