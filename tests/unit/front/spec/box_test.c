/* SPDX-License-Identifier: Apache-2.0 */
/* What a box is beyond its command: what is taken, and what is refused. */
#include "spec/spec.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct spec s;
static struct err e;

typedef int setter(void *spec, const char *text, struct err *e);

static int start(void **state)
{
	(void)state;
	spec_init(&s);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	spec_fini(&s);
	return 0;
}

static void refused(setter *set, const char *const *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int r = set(&s, bad[i], &e);

		if (r != -EINVAL && r != -ERANGE)
			fail_msg("'%s' was taken", bad[i]);
		assert_non_null(strstr(e.msg, bad[i]));
	}
}

#define REFUSED(set, ...)                                                      \
	refused(set, (const char *const[]){ __VA_ARGS__ },                     \
		ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

static void marks(void **state)
{
	static const struct {
		setter *set;
		struct strv *list;
	} kinds[] = {
		{ spec_label, &s.labels },
		{ spec_annotation, &s.annotations },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		setter *set = kinds[i].set;
		const struct strv *v = kinds[i].list;

		assert_int_equal(set(&s, "a=1", &e), 0);
		assert_int_equal(set(&s, "b", &e), 0);
		assert_int_equal(set(&s, "c=x=y", &e), 0);
		assert_int_equal(set(&s, "a=2", &e), 0);
		assert_int_equal(v->n, 3);
		assert_string_equal(v->v[0], "a=2");
		assert_string_equal(v->v[1], "b=");
		assert_string_equal(v->v[2], "c=x=y");
		REFUSED(set, "=1", "");
		assert_int_equal(v->n, 3);
	}
}

static void write_file(const char *path, const char *text)
{
	autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}

static void marks_from_a_file(void **state)
{
	char path[] = "/tmp/vial-labels-XXXXXX";

	(void)state;
	close(mkstemp(path));
	write_file(path, "# mine\n\na=1\n  \t b=2\nlast");
	assert_int_equal(spec_label(&s, "a=0", &e), 0);
	assert_int_equal(spec_label_file(&s, path, &e), 0);
	assert_int_equal(s.labels.n, 3);
	assert_string_equal(s.labels.v[0], "a=1");
	assert_string_equal(s.labels.v[1], "b=2");
	assert_string_equal(s.labels.v[2], "last=");
	write_file(path, "=x\n");
	assert_int_equal(spec_label_file(&s, path, &e), -EINVAL);
	assert_non_null(strstr(e.msg, path));
	unlink(path);
	assert_int_equal(spec_label_file(&s, path, &e), -ENOENT);
	assert_non_null(strstr(e.msg, path));
}

static void capabilities(void **state)
{
	(void)state;
	assert_int_equal(spec_cap_add(&s, "NET_ADMIN", &e), 0);
	assert_int_equal(spec_cap_add(&s, "CAP_SYS_PTRACE", &e), 0);
	assert_int_equal(spec_cap_drop(&s, "ALL", &e), 0);
	assert_int_equal(s.cap_add.n, 2);
	assert_string_equal(s.cap_add.v[1], "CAP_SYS_PTRACE");
	assert_int_equal(s.cap_drop.n, 1);
	assert_string_equal(s.cap_drop.v[0], "ALL");
}

static void hosts(void **state)
{
	static const char *const want[][2] = {
		{ "db:10.0.0.1", "db:10.0.0.1" },
		{ "db=10.0.0.2", "db:10.0.0.2" },
		{ "six:2001:db8::1", "six:2001:db8::1" },
		{ "six:[2001:db8::2]", "six:2001:db8::2" },
		{ "six=::1", "six:::1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(spec_host(&s, want[i][0], &e), 0);
		assert_int_equal(s.hosts.n, i + 1);
		assert_string_equal(s.hosts.v[i], want[i][1]);
	}
	REFUSED(spec_host, "", "db", "db:", ":10.0.0.1", "db:10.0.0", "db:[",
		"db:[]", "db:[::1", "db:other", "db:10.0.0.1 ");
	assert_int_equal(s.hosts.n, ARRAY_LEN(want));
}

static void sysctls(void **state)
{
	(void)state;
	assert_int_equal(spec_sysctl(&s, "net.core.somaxconn=9", &e), 0);
	assert_int_equal(spec_sysctl(&s, "net.core.somaxconn=10", &e), 0);
	assert_int_equal(s.sysctls.n, 1);
	assert_string_equal(s.sysctls.v[0], "net.core.somaxconn=10");
	REFUSED(spec_sysctl, "", "net.core.somaxconn", "=1");
}

static void security(void **state)
{
	static const char *const nothing[] = {
		"seccomp=unconfined", "seccomp:profile.json",
		"apparmor=unconfined", "label=disable", "systempaths=unconfined"
	};

	(void)state;
	assert_int_equal(spec_security(&s, "no-new-privileges", &e), 0);
	assert_true(s.no_new_privs);
	assert_int_equal(spec_security(&s, "no-new-privileges:false", &e), 0);
	assert_false(s.no_new_privs);
	assert_int_equal(spec_security(&s, "no-new-privileges=true", &e), 0);
	assert_true(s.no_new_privs);
	for (size_t i = 0; i < ARRAY_LEN(nothing); i++)
		assert_int_equal(spec_security(&s, nothing[i], &e), 0);
	assert_true(s.no_new_privs);
	REFUSED(spec_security, "no-new-privileges:maybe", "no-new",
		"privileged");
}

static void processes(void **state)
{
	(void)state;
	assert_int_equal(spec_pids(&s, "100", &e), 0);
	assert_int_equal(s.pids_limit, 100);
	assert_int_equal(spec_pids(&s, "-1", &e), 0);
	assert_int_equal(s.pids_limit, 0);
	assert_int_equal(spec_pids(&s, "0", &e), 0);
	assert_int_equal(s.pids_limit, 0);
	REFUSED(spec_pids, "", "-2", "many", "10x", "4194305",
		"99999999999999999999");
}

static void domain(void **state)
{
	(void)state;
	assert_int_equal(spec_domainname(&s, "example.com", &e), 0);
	assert_int_equal(s.sysctls.n, 1);
	assert_string_equal(s.sysctls.v[0], "kernel.domainname=example.com");
}

static void restarting(void **state)
{
	static const char *const fine[] = { "always", "unless-stopped",
					    "on-failure", "on-failure:5" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		assert_int_equal(spec_restart(&s, fine[i], &e), 0);
		assert_string_equal(s.restart, fine[i]);
	}
	assert_int_equal(spec_restart(&s, "", &e), 0);
	assert_null(s.restart);
	REFUSED(spec_restart, "maybe", "on-failure:", "on-failure:x",
		"always:3", "n", "no:1", "Always");
}

static void stopping(void **state)
{
	uint64_t grace;

	(void)state;
	assert_int_equal(spec_stop_signal(&s, "SIGINT", &e), 0);
	assert_string_equal(s.stop_signal, "SIGINT");
	assert_int_equal(spec_stop_signal(&s, "9", &e), 0);
	assert_int_equal(spec_stop_signal(&s, "rtmin+3", &e), 0);
	REFUSED(spec_stop_signal, "", "0", "-1", "65", "SIGNONE", "SIG", "9x");
	assert_string_equal(s.stop_signal, "rtmin+3");
	assert_int_equal(spec_stop_timeout(&s, "3", &e), 0);
	assert_int_equal(s.stop_timeout_ms, 3000);
	assert_int_equal(s.grace_ms, 3000);
	assert_int_equal(spec_stop_timeout(&s, "1m", &e), 0);
	assert_int_equal(s.stop_timeout_ms, 60000);
	grace = s.grace_ms;
	REFUSED(spec_stop_timeout, "soon", "-5");
	assert_int_equal(s.grace_ms, grace);
}

static void attaching(void **state)
{
	(void)state;
	assert_int_equal(spec_attach(&s, "stdin", &e), 0);
	assert_int_equal(spec_attach(&s, "STDERR", &e), 0);
	assert_int_equal(s.attach.n, 2);
	REFUSED(spec_attach, "", "stdlog", "1");
	assert_int_equal(spec_no_proxy(&s, "false", &e), 0);
	assert_true(s.no_sig_proxy);
	assert_int_equal(spec_no_proxy(&s, "true", &e), 0);
	assert_false(s.no_sig_proxy);
	REFUSED(spec_no_proxy, "", "no");
}

static void logs(void **state)
{
	static const char *const kept[] = { "local", "json-file", "journald",
					    "syslog" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		s.log.driver = NULL;
		assert_int_equal(spec_log_driver(&s, kept[i], &e), 0);
		assert_string_equal(s.log.driver, "local");
	}
	assert_int_equal(spec_log_driver(&s, "none", &e), 0);
	assert_string_equal(s.log.driver, "none");
	/* Also behind one that was taken. */
	REFUSED(spec_log_driver, "", "splunk", "None");
	assert_string_equal(s.log.driver, "none");
	assert_int_equal(spec_log_opt(&s, "max-size=10m", &e), 0);
	assert_int_equal(s.log.max_bytes, 10 << 20);
	assert_int_equal(spec_log_opt(&s, "max-size=4k", &e), 0);
	assert_int_equal(spec_log_opt(&s, "max-file=1", &e), 0);
	assert_int_equal(s.log.files, 1);
	assert_int_equal(spec_log_opt(&s, "max-file=100", &e), 0);
	assert_int_equal(spec_log_opt(&s, "compress=true", &e), 0);
	assert_int_equal(s.log.files, 100);
	assert_true(spec_log_opt(&s, "max-size=4095", &e) < 0);
	assert_true(spec_log_opt(&s, "max-size=", &e) < 0);
	assert_true(spec_log_opt(&s, "max-file=0", &e) < 0);
	assert_true(spec_log_opt(&s, "max-file=101", &e) < 0);
	assert_true(spec_log_opt(&s, "max-file=-1", &e) < 0);
	assert_int_equal(s.log.max_bytes, 4096);
	assert_int_equal(s.log.files, 100);
}

static void health(void **state)
{
	(void)state;
	assert_int_equal(spec_health_cmd(&s, "curl localhost", &e), 0);
	assert_string_equal(s.health.cmd, "curl localhost");
	assert_int_equal(spec_health_interval(&s, "5s", &e), 0);
	assert_int_equal(s.health.interval_ms, 5000);
	assert_int_equal(spec_health_timeout(&s, "500ms", &e), 0);
	assert_int_equal(s.health.timeout_ms, 500);
	assert_int_equal(spec_health_start(&s, "1m", &e), 0);
	assert_int_equal(s.health.start_period_ms, 60000);
	assert_int_equal(spec_health_retries(&s, "7", &e), 0);
	assert_int_equal(s.health.retries, 7);
	/* Zero is the default. */
	assert_int_equal(spec_health_interval(&s, "0s", &e), 0);
	assert_int_equal(s.health.interval_ms, SPEC_HEALTH_MS);
	assert_int_equal(spec_health_timeout(&s, "0", &e), 0);
	assert_int_equal(s.health.timeout_ms, SPEC_HEALTH_MS);
	assert_int_equal(spec_health_retries(&s, "0", &e), 0);
	assert_int_equal(s.health.retries, 3);
	REFUSED(spec_health_interval, "often", "-1s");
	REFUSED(spec_health_timeout, "never", "-1s");
	REFUSED(spec_health_start, "later", "-1s");
	REFUSED(spec_health_retries, "", "1001", "-1", "x");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(marks),      T(marks_from_a_file), T(capabilities), T(hosts),
		T(sysctls),    T(security),	     T(processes),    T(domain),
		T(restarting), T(stopping),	     T(attaching),    T(logs),
		T(health),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
