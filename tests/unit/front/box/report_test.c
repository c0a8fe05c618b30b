/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run: status, words, JSON. */
#include "box/report.h"

#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct report r;
static struct spec s;
static struct err e;

static int start(void **state)
{
	(void)state;
	spec_init(&s);
	s.image = "img";
	if (strv_add(&s.argv, "foo") < 0 ||
	    spec_artifact(&s, "/out:dir", &e) < 0)
		return -1;
	return report_init(&r, &s, &e);
}

static int stop(void **state)
{
	(void)state;
	report_fini(&r);
	spec_fini(&s);
	return 0;
}

static void exited(uint32_t status, uint32_t sig, bool timed_out, bool oom)
{
	Vial__Agent__Exited x = VIAL__AGENT__EXITED__INIT;

	x.status = status;
	x.signal = sig;
	x.timed_out = timed_out;
	x.oom_killed = oom;
	x.core = sig == SIGSEGV;
	report_take_exit(&r, &x);
	report_exited(&r, &s);
}

static void own_status(void **state)
{
	(void)state;
	exited(42, 0, false, false);
	assert_int_equal(r.status, 42);
	assert_int_equal(r.reason, REPORT_EXITED);
	assert_string_equal(r.message, "");
}

static void a_signal(void **state)
{
	(void)state;
	exited(0, SIGSEGV, false, false);
	assert_int_equal(r.status, 139);
	assert_string_equal(r.message,
			    "command ended by SIGSEGV (core dumped)");
}

static void a_closed_pipe_is_quiet(void **state)
{
	(void)state;
	exited(0, SIGPIPE, false, false);
	assert_int_equal(r.status, 141);
	assert_string_equal(r.message, "");
}

static void a_timeout(void **state)
{
	(void)state;
	s.timeout_ms = 1500;
	exited(0, SIGKILL, true, false);
	assert_int_equal(r.status, STATUS_TIMEOUT);
	assert_string_equal(r.message, "command timed out after 1.5 s");
}

static void out_of_memory(void **state)
{
	(void)state;
	exited(0, SIGKILL, false, true);
	assert_int_equal(r.status, 137);
	assert_int_equal(r.reason, REPORT_OOM);
	assert_string_equal(r.message,
			    "out of memory: killed by the guest's kernel "
			    "(raise --memory, now 512m)");
}

/* Its name is its own choice, and the line goes to a terminal. */
static void who_was_killed_for_memory(void **state)
{
	Vial__Agent__Exited x = VIAL__AGENT__EXITED__INIT;
	char victim[] = "cc\0331[7]";

	(void)state;
	x.signal = SIGKILL;
	x.oom_killed = true;
	x.oom_victim = victim;
	report_take_exit(&r, &x);
	report_exited(&r, &s);
	assert_string_equal(r.message,
			    "out of memory: cc?1[7] was killed by the guest's "
			    "kernel (raise --memory, now 512m)");
}

/* A child was killed for memory, and the command coped. */
static void coped(void **state)
{
	(void)state;
	exited(0, 0, false, true);
	assert_int_equal(r.status, 0);
	assert_int_equal(r.reason, REPORT_EXITED);
}

static void the_first_end_counts(void **state)
{
	(void)state;
	report_end(&r, REPORT_GUEST, STATUS_VIAL, "first %d", 1);
	report_end(&r, REPORT_ERROR, 1, "second");
	exited(0, 0, false, false);
	assert_int_equal(r.status, STATUS_VIAL);
	assert_string_equal(r.message, "first 1");
}

static void failed(Vial__Agent__Failed__Kind kind, uint32_t error,
		   const char *name)
{
	char text[] = "what the agent says";
	Vial__Agent__Failed f = VIAL__AGENT__FAILED__INIT;

	free(s.argv.v[0]);
	s.argv.v[0] = strdup(name);
	r.status = -1;
	f.kind = kind;
	f.error = error;
	f.message = text;
	report_failed(&r, &f, &s);
}

static void not_started(void **state)
{
	(void)state;
	failed(VIAL__AGENT__FAILED__KIND__NOT_FOUND, ENOENT, "foo");
	assert_int_equal(r.status, 127);
	assert_string_equal(r.message, "exec: \"foo\": executable file not "
				       "found in $PATH");
	failed(VIAL__AGENT__FAILED__KIND__NOT_FOUND, ENOENT, "/foo");
	assert_int_equal(r.status, 127);
	assert_string_equal(r.message,
			    "exec: \"/foo\": no such file or directory");
	failed(VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE, EACCES, "/etc");
	assert_int_equal(r.status, 126);
	assert_string_equal(r.message, "exec: \"/etc\": permission denied");
	failed(VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE, ENOEXEC, "x");
	assert_string_equal(r.message, "exec: \"x\": exec format error");
	failed(VIAL__AGENT__FAILED__KIND__BAD_CWD, ENOTDIR, "x");
	assert_int_equal(r.status, 126);
	failed(VIAL__AGENT__FAILED__KIND__BAD_USER, 0, "x");
	assert_int_equal(r.status, 125);
	assert_string_equal(r.message, "what the agent says");
}

/* What a guest says must not reach the terminal as it is. */
static void guests_cannot_steer_terminals(void **state)
{
	(void)state;
	report_end(&r, REPORT_GUEST, STATUS_VIAL, "x\033[2Jy\nz\a");
	assert_string_equal(r.message, "x?[2Jy?z?");
}

static const char *printed(const char *console, bool kept)
{
	static char out[4096];
	FILE *f = tmpfile();
	size_t n;

	free(r.console);
	r.console = console ? strdup(console) : NULL;
	report_print(&r, fileno(f), kept);
	rewind(f);
	n = fread(out, 1, sizeof(out) - 1, f);
	out[n] = '\0';
	fclose(f);
	return out;
}

static void prints_the_console_when_it_helps(void **state)
{
	char many[2000] = "";

	(void)state;
	report_end(&r, REPORT_GUEST, STATUS_VIAL, "dead");
	assert_string_equal(printed("a\nb\n", false), "vial: dead\n");
	r.show_console = true;
	snprintf(r.box.id, sizeof(r.box.id), "0123456789ab");
	snprintf(r.box.name, sizeof(r.box.name), "job");
	assert_string_equal(printed("a\r\n\033b\n\n", false),
			    "vial: dead\n  | a\n  | ?b\n");
	assert_string_equal(printed("a\n", true),
			    "vial: dead\nSee 'vial logs --console job'.\n");
	for (int i = 0; i < 100; i++)
		snprintf(many + strlen(many), 20, "line %d\n", i);
	assert_null(strstr(printed(many, false), "line 84\n"));
	assert_non_null(strstr(printed(many, false), "line 85\n"));
	assert_non_null(strstr(printed(many, false), "line 99\n"));
}

static void says_what_the_kernel_said(void **state)
{
	(void)state;
	report_end(&r, REPORT_GUEST, STATUS_VIAL, "panicked");
	r.console = strdup("x\n[ 1.0] Kernel panic - not syncing: oh \033no\n"
			   "[ 1.1] more\n");
	report_panic(&r);
	assert_string_equal(r.message, "panicked: oh ?no");
}

static void a_full_disk_is_told(void **state)
{
	(void)state;
	report_disk(&r, NULL);
	report_disk(&r, "vial-vmm 01: vsock: more than 5 clients\n");
	assert_string_equal(r.warning, "");
	report_disk(&r, "vial-vmm 01: info\nvial-vmm 01: blk root: write at "
			"sector 8: overlay is full: No space left on "
			"device\nvial-vmm 01: more\n");
	assert_string_equal(r.warning,
			    "disk root: write at sector 8: overlay is full: "
			    "No space left on device (make room in the data "
			    "directory, or set VIAL_DATADIR)");
}

static void json_has_it_all(void **state)
{
	char name[] = "/tmp/vial-json-XXXXXX";
	int fd = mkstemp(name);
	json_t *o, *list;

	(void)state;
	snprintf(r.out[0].error, sizeof(r.out[0].error), "bad \xff byte");
	r.at[TIME_BEGIN] = 1000;
	r.at[TIME_STARTED] = 5000;
	r.at[TIME_EXITED] = 7500;
	r.at[TIME_END] = 9000;
	exited(3, 0, false, false);
	assert_int_equal(report_json(&r, &s, fd, &e), 0);
	lseek(fd, 0, SEEK_SET);
	o = json_loadfd(fd, 0, NULL);
	assert_non_null(o);
	assert_int_equal(json_integer_value(json_object_get(o, "exit_status")),
			 3);
	assert_string_equal(json_string_value(json_object_get(o, "reason")),
			    "exited");
	assert_true(json_is_null(json_object_get(o, "id")));
	assert_true(json_is_null(json_object_get(o, "command_signal")));
	list = json_object_get(o, "times_ms");
	assert_true(json_real_value(json_object_get(list, "command")) == 2.5);
	assert_true(json_real_value(json_object_get(list, "total")) == 8.0);
	assert_true(json_is_null(json_object_get(list, "boot")));
	list = json_array_get(json_object_get(o, "artifacts"), 0);
	assert_string_equal(json_string_value(json_object_get(list, "guest")),
			    "/out");
	assert_string_equal(json_string_value(json_object_get(list, "error")),
			    "bad ? byte");
	json_decref(o);
	close(fd);
	unlink(name);
}

/* What the guest says does nothing to a terminal, in no encoding. */
static void words_of_the_guest_are_text(void **state)
{
	(void)state;
	report_end(&r, REPORT_ERROR, 1, "%s",
		   "\x1b[2J \xc2\x9b"
		   "2J \x9b ok");
	assert_string_equal(r.message, "?[2J ??2J ? ok");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(own_status),
		T(words_of_the_guest_are_text),
		T(a_signal),
		T(a_closed_pipe_is_quiet),
		T(a_timeout),
		T(out_of_memory),
		T(who_was_killed_for_memory),
		T(coped),
		T(the_first_end_counts),
		T(not_started),
		T(guests_cannot_steer_terminals),
		T(prints_the_console_when_it_helps),
		T(says_what_the_kernel_said),
		T(a_full_disk_is_told),
		T(json_has_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
