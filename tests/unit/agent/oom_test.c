/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a kernel's log, true ones and made-up ones. */
#include "agent/oom.h"

#include "base/auto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define JOB "job-00000000000000ab"
#define HEAD "4,511,90188345,-;oom-kill:constraint=CONSTRAINT_"
#define GLOBAL                                                                 \
	HEAD "NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"        \
	     "task_memcg="
#define LIMIT                                                                  \
	HEAD "MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,"                  \
	     "oom_memcg=/jobs,task_memcg="

static void victim(const char *line, const char *want)
{
	char text[512], out[64] = "";

	snprintf(text, sizeof(text), "%s", line);
	assert_int_equal(oom_record(text, JOB, out, sizeof(out)),
			 *want != '\0');
	assert_string_equal(out, want);
}

static void records(void **state)
{
	(void)state;
	victim(GLOBAL "/jobs/" JOB ",task=cc1,pid=123,uid=0\n", "cc1[123]");
	victim(LIMIT "/jobs/" JOB "/inner,task=ld,pid=7,uid=1000\n", "ld[7]");
	/* Someone else's, or another kind of line. */
	victim(GLOBAL "/jobs/job-00000000000000ac,task=a,pid=1,uid=0", "");
	victim(GLOBAL "/jobs/" JOB "0,task=a,pid=1,uid=0", "");
	victim(GLOBAL "/jobs/x" JOB ",task=a,pid=1,uid=0", "");
	victim(GLOBAL "/,task=/" JOB ",pid=1,uid=0", "");
	victim(HEAD "MEMCG,oom_memcg=/jobs/" JOB ",task_memcg=/jobs/other,"
		    "task=a,pid=1,uid=0",
	       "");
	victim("6,5,1,-;/jobs/" JOB ",task=a,pid=1,uid=0", "");
	victim(GLOBAL "/jobs/" JOB ",task=a", "");
	victim("", "");
	/* Names that look like the rest of the line. */
	victim(GLOBAL "/jobs/" JOB ",task=,pid=9,uid=0,pid=5,uid=0",
	       ",pid=9,uid=0[5]");
	victim(GLOBAL "/jobs/" JOB ",task=a,task=b,pid=5,uid=0", "a,task=b[5]");
}

static void from_a_log(void **state)
{
	char path[] = "/tmp/vial-oom-XXXXXX", out[64] = "old";
	static const char line[] = LIMIT "/jobs/" JOB
					 ",task=one,pid=11,uid=0\n";
	autoclose int fd = mkstemp(path);

	(void)state;
	oom_victim("/no/such/log", JOB, out, sizeof(out));
	assert_string_equal(out, "");
	oom_victim(path, JOB, out, sizeof(out));
	assert_string_equal(out, "");
	assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
	oom_victim(path, JOB, out, sizeof(out));
	assert_string_equal(out, "one[11]");
	oom_victim(path, "job-1", out, sizeof(out));
	assert_string_equal(out, "");
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records),
		cmocka_unit_test(from_a_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
