/* SPDX-License-Identifier: Apache-2.0 */
/* In a plain folder that looks like a cgroup2: what is written and read. */
#include "agent/cgroup.h"

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

#define JOB "jobs/job-00000000000000ab"

static char dir[] = "/tmp/vial-cgroup-XXXXXX";

static void put(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void holds(const char *name, const char *text)
{
	char path[128], got[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(got, 1, sizeof(got) - 1, f) > 0 || !*text);
	assert_string_equal(got, text);
	fclose(f);
}

static int there(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static int start(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	put("cgroup.controllers", "cpu memory\n");
	put("cgroup.subtree_control", "");
	return 0;
}

static int stop(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

static void no_cgroup2(void **state)
{
	struct cgroups cs;
	struct cgroup g;

	(void)state;
	cgroups_init(&cs, "/usr");
	assert_int_equal(cs.fd, -1);
	cgroup_open(&cs, &g, 1);
	assert_int_equal(g.fd, -1);
	/* The caller then does it by process group. */
	assert_false(cgroup_kill(&g));
	assert_true(cgroup_remove(&cs, &g));
	assert_int_equal(cgroup_oom_kills(&g), 0);
	assert_int_equal(cgroups_peak(&cs), 0);
	cgroup_close(&cs, &g);
	cgroups_sweep(&cs);
	cgroups_fini(&cs);
}

static void one_job(void **state)
{
	struct cgroups cs;
	struct cgroup g;

	(void)state;
	cgroups_init(&cs, dir);
	assert_true(cs.fd >= 0);
	holds("cgroup.subtree_control", "+memory +pids");
	cgroup_open(&cs, &g, 0xab);
	assert_true(g.fd >= 0);
	assert_true(there(JOB));
	/* Files the kernel would have made. */
	assert_int_equal(cgroup_oom_kills(&g), 0);
	put(JOB "/memory.events", "low 0\nhigh 0\nmax 7\noom 3\n"
				  "oom_kill 2\noom_group_kill 0\n");
	assert_int_equal(cgroup_oom_kills(&g), 2);
	put(JOB "/cgroup.kill", "");
	assert_true(cgroup_kill(&g));
	holds(JOB "/cgroup.kill", "1");
	put("jobs/memory.peak", "123456789\n");
	assert_int_equal(cgroups_peak(&cs), 123456789);
	unlinkat(g.fd, "memory.events", 0);
	unlinkat(g.fd, "cgroup.kill", 0);
	assert_true(cgroup_remove(&cs, &g));
	assert_false(there(JOB));
	/* Again is no mistake. */
	cgroup_close(&cs, &g);
	assert_int_equal(g.fd, -1);
	assert_int_equal(cs.stale, 0);
	cgroups_fini(&cs);
}

static void limit_of_processes(void **state)
{
	struct cgroups cs;
	struct err e;

	(void)state;
	cgroups_init(&cs, "/usr");
	assert_int_equal(cgroups_limit_pids(&cs, 0, &e), 0);
	assert_int_equal(cgroups_limit_pids(&cs, 5, &e), -ENOTSUP);
	cgroups_init(&cs, dir);
	/* No such file: a kernel that cannot. */
	assert_int_equal(cgroups_limit_pids(&cs, 5, &e), -ENOTSUP);
	put("jobs/pids.max", "");
	assert_int_equal(cgroups_limit_pids(&cs, 0, &e), 0);
	holds("jobs/pids.max", "");
	assert_int_equal(cgroups_limit_pids(&cs, 500, &e), 0);
	holds("jobs/pids.max", "500");
	cgroups_fini(&cs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_cgroup2),
		cmocka_unit_test(one_job),
		cmocka_unit_test(limit_of_processes),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
