/* SPDX-License-Identifier: Apache-2.0 */
/* Keeper, shim and monitor: whoever is killed, nothing runs on, and nothing
 * stays of a box that was not to be kept. The monitor is a script that writes
 * its pid into the console's descriptor. */
#include "run/launch.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

/* A test that hangs has failed. */
#define PATIENCE_S 120

static char dir[64];
static pid_t client; /* 0: none */
static struct plan plan;
static struct launch l;
static struct box_info info;
static struct err e;

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = 5000000 };

	nanosleep(&ts, NULL);
}

static int start(void **state)
{
	int *const fds[] = { &plan.kvm, &plan.kernel, &plan.initramfs,
			     &plan.image, &plan.overlay };
	char path[96];

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vial-launch-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/run", dir);
	setenv("VIAL_RUNDIR", path, 1);
	snprintf(path, sizeof(path), "%s/data", dir);
	setenv("VIAL_DATADIR", path, 1);
	plan = (struct plan){ .vcpus = 1, .ram_bytes = 64 << 20 };
	plan.cmdline = "";
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		*fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	snprintf(plan.vmm, sizeof(plan.vmm), "%s/vmm", dir);
	info = (struct box_info){ .brief = true };
	state_new_id(info.id);
	l = (struct launch)LAUNCH_INIT;
	alarm(PATIENCE_S);
	return 0;
}

static int stop(void **state)
{
	char cmd[96];

	(void)state;
	/* What a test that failed has left, so that the rest can go on. */
	if (client > 0) {
		kill(client, SIGKILL);
		waitpid(client, NULL, 0);
		client = 0;
	}
	launch_end(&l, NULL);
	alarm(0);
	plan_close(&plan);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static void script(const char *text)
{
	FILE *f = fopen(plan.vmm, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", text);
	fclose(f);
	assert_int_equal(chmod(plan.vmm, 0700), 0);
}

#define SLEEPER "echo $$ >&7; exec sleep 100"

static void box_path(char path[256], const char *file)
{
	snprintf(path, 256, "%s/%s/boxes/%s%s", dir,
		 info.brief ? "run" : "data", info.id, file);
}

static bool box_exists(void)
{
	char path[256];

	box_path(path, "");
	return access(path, F_OK) == 0;
}

static pid_t monitor_pid(void)
{
	char path[256];
	int pid = 0;

	box_path(path, "/console.log");
	for (int i = 0; i < 2000 && pid == 0; i++) {
		FILE *f = fopen(path, "r");

		if (!f || fscanf(f, "%d", &pid) != 1)
			nap();
		if (f)
			fclose(f);
	}
	assert_true(pid > 0);
	return pid;
}

/* A zombie that init has not taken yet is gone, too. */
static bool process_gone(pid_t pid)
{
	char path[64], buf[256];
	autoclose int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return true;
	buf[n] = '\0';
	return strrchr(buf, ')') && strrchr(buf, ')')[2] == 'Z';
}

static void assert_process_gone(pid_t pid)
{
	for (int i = 0; i < 2000 && !process_gone(pid); i++)
		nap();
	assert_true(process_gone(pid));
}

static void assert_all_gone(pid_t monitor)
{
	assert_process_gone(monitor);
	for (int i = 0; i < 2000 && box_exists(); i++)
		nap();
	assert_false(box_exists());
}

static int start_box(struct launch *x, struct box_info *i)
{
	struct box b;
	int r;

	*x = (struct launch)LAUNCH_INIT;
	snprintf(i->status, sizeof(i->status), "running");
	r = state_create(&b, i, &e);
	return r < 0 ? r : launch_start(x, &plan, &b, i, &e);
}

static void starts_and_ends(void **state)
{
	struct shim_msg last = { .kind = SHIM_READY };
	pid_t pid;

	(void)state;
	script(SLEEPER);
	assert_int_equal(start_box(&l, &info), 0);
	assert_true(strlen(l.info.name) > 2);
	assert_true(state_alive(&l.box));
	pid = monitor_pid();
	launch_end(&l, &last);
	assert_true(process_gone(pid));
	assert_false(box_exists());
	assert_int_equal(last.kind, SHIM_ENDED);
	assert_true(WIFSIGNALED(last.wait_status));
}

/* A folder or a network that cannot be had ends a box before it has a shim:
 * nobody holds it but us, and nobody is waited for. */
static void ends_before_it_starts(void **state)
{
	(void)state;
	snprintf(info.status, sizeof(info.status), "running");
	assert_int_equal(state_create(&l.box, &info, &e), 0);
	l.info = info;
	alarm(5); /* of the ten seconds that an orphan may take */
	launch_end(&l, NULL);
	assert_false(box_exists());
}

static void keeps_the_result(void **state)
{
	struct box_info found;

	(void)state;
	script(SLEEPER);
	info.brief = false;
	assert_int_equal(start_box(&l, &info), 0);
	monitor_pid();
	snprintf(l.info.status, sizeof(l.info.status), "exited");
	l.info.exit_status = 3;
	assert_int_equal(state_write(&l.box, &l.info, &e), 0);
	launch_end(&l, NULL);
	assert_true(box_exists());
	assert_int_equal(state_find(info.id, &found, &e), 0);
	assert_false(found.alive);
	assert_string_equal(found.status, "exited");
	assert_int_equal(found.exit_status, 3);
}

/* What a box may have and this one does not is the null device. Behind that
 * there are the script itself and the directory that ls reads. */
static void assert_only_known(char *text)
{
	char *next = text, *line;

	while ((line = strsep(&next, "\n")) != NULL) {
		const char *arrow = strstr(line, " -> ");

		if (!arrow)
			continue;
		while (arrow > line && arrow[-1] != ' ')
			arrow--;
		if (atoi(arrow) < SHIM_FD_END
			    ? atoi(arrow) > SHIM_FD_OVERLAY &&
				      !strstr(line, "/dev/null")
			    : !strstr(line, plan.vmm) &&
				      !strstr(line, "/proc/"))
			fail_msg("a descriptor too many: %s", line);
	}
}

/* The monitor sees standard streams, the plan, what the plan names, and not
 * one descriptor more. */
static void passes_the_right_descriptors(void **state)
{
	autoclose int extra = open("/dev/zero", O_RDONLY);
	char *text = NULL;
	struct shim_msg m;

	(void)state;
	script("exec ls -l /proc/self/fd >&7");
	assert_int_equal(start_box(&l, &info), 0);
	assert_int_equal(recv(l.leash, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(m.kind, SHIM_ENDED);
	assert_int_equal(m.wait_status, 0);
	text = state_tail(&l.box, "console.log", 4096);
	assert_non_null(text);
	assert_non_null(strstr(text, " 0 -> /dev/null"));
	assert_non_null(strstr(text, "vmm.log"));
	assert_non_null(strstr(text, " 3 -> socket:"));
	assert_non_null(strstr(text, " 7 -> "));
	assert_non_null(strstr(text, " 10 -> "));
	assert_non_null(strstr(text, " 12 -> /dev/null"));
	assert_null(strstr(text, "/dev/zero"));
	assert_only_known(text);
	free(text);
	launch_end(&l, NULL);
}

static void a_missing_monitor_says_so(void **state)
{
	struct shim_msg m;
	char *text;

	(void)state;
	assert_int_equal(start_box(&l, &info), 0);
	assert_int_equal(recv(l.leash, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(WEXITSTATUS(m.wait_status), 127);
	text = state_tail(&l.box, "vmm.log", 1000);
	assert_non_null(text);
	assert_non_null(strstr(text, "No such file"));
	free(text);
	launch_end(&l, NULL);
	assert_false(box_exists());
}

static void a_taken_name_is_refused(void **state)
{
	struct box_info other = { .name = "same", .brief = true };
	struct launch second;

	(void)state;
	script(SLEEPER);
	snprintf(info.name, sizeof(info.name), "same");
	assert_int_equal(start_box(&l, &info), 0);
	state_new_id(other.id);
	assert_int_equal(start_box(&second, &other), -EEXIST);
	assert_non_null(strstr(e.msg, "already in use"));
	launch_end(&l, NULL);
}

static void killed_monitor(void **state)
{
	struct shim_msg m;

	(void)state;
	script(SLEEPER);
	assert_int_equal(start_box(&l, &info), 0);
	kill(monitor_pid(), SIGKILL);
	assert_int_equal(recv(l.leash, &m, sizeof(m), 0), sizeof(m));
	assert_int_equal(WTERMSIG(m.wait_status), SIGKILL);
	/* The directory stays for those who want to know why. */
	assert_true(box_exists());
	launch_end(&l, NULL);
	assert_false(box_exists());
}

static void killed_shim(void **state)
{
	struct shim_msg m;
	pid_t pid;

	(void)state;
	script(SLEEPER);
	assert_int_equal(start_box(&l, &info), 0);
	pid = monitor_pid();
	kill(l.shim, SIGKILL);
	assert_int_equal(recv(l.leash, &m, sizeof(m), 0), 0);
	launch_end(&l, NULL);
	assert_all_gone(pid);
}

/* The keeper as a process of its own, so that it can be killed. */
static void start_client(pid_t *shim)
{
	int p[2];

	assert_int_equal(pipe(p), 0);
	client = fork();
	if (client == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (start_box(&l, &info) < 0 ||
		    write(p[1], &l.shim, sizeof(l.shim)) < 0)
			_exit(1);
		pause();
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], shim, sizeof(*shim)), sizeof(*shim));
	close(p[0]);
}

static void kill_client(void)
{
	kill(client, SIGKILL);
	waitpid(client, NULL, 0);
	client = 0;
}

static void killed_client(void **state)
{
	pid_t shim, monitor;

	(void)state;
	script(SLEEPER);
	start_client(&shim);
	monitor = monitor_pid();
	kill_client();
	assert_all_gone(monitor);
	assert_all_gone(shim);
}

static void kill_all(void)
{
	pid_t shim, monitor;

	script(SLEEPER);
	start_client(&shim);
	monitor = monitor_pid();
	kill(client, SIGSTOP);
	kill(shim, SIGKILL);
	kill_client();
	assert_process_gone(shim);
	assert_process_gone(monitor);
	/* Nobody was left to tell it. */
	assert_true(box_exists());
}

/* The next command removes it, */
static void killed_with_all_that_held_it(void **state)
{
	autofree struct box_info *all = NULL;

	(void)state;
	kill_all();
	assert_int_equal(state_list(&all, &e), 0);
	assert_false(box_exists());
}

/* or writes down its end. */
static void a_kept_box_killed_with_all_that_held_it(void **state)
{
	autofree struct box_info *all = NULL;
	struct box_info found;
	struct box b;

	(void)state;
	info.brief = false;
	kill_all();
	for (int i = 0; i < 2; i++) {
		free(take_ptr(&all));
		assert_int_equal(state_list(&all, &e), 1);
		assert_string_equal(all[0].status, "exited");
		assert_int_equal(all[0].exit_status, 137);
		assert_int_equal(all[0].pid, 0);
		assert_true(all[0].finished >= all[0].created);
		assert_non_null(strstr(all[0].reason, "killed"));
		assert_false(all[0].alive);
	}
	assert_true(box_exists());
	/* It is in the file, and the lock is free again. */
	assert_int_equal(state_open(&b, info.id, &e), 0);
	assert_int_equal(state_lock(&b, &e), 0);
	assert_int_equal(state_read(&b, &found, &e), 0);
	assert_int_equal(found.exit_status, 137);
	assert_int_equal(found.finished, all[0].finished);
	state_close(&b);
}

/* What was kept can be started again, with the same directory. */
static void a_kept_box_starts_again(void **state)
{
	struct box b;

	(void)state;
	script(SLEEPER);
	info.brief = false;
	assert_int_equal(start_box(&l, &info), 0);
	monitor_pid();
	assert_int_equal(state_open(&b, info.id, &e), 0);
	assert_int_equal(state_lock(&b, &e), -EBUSY);
	state_close(&b);
	launch_end(&l, NULL);
	assert_int_equal(state_open(&b, info.id, &e), 0);
	assert_int_equal(state_lock(&b, &e), 0);
	assert_int_equal(launch_start(&l, &plan, &b, &info, &e), 0);
	assert_int_equal(b.lock, -1);
	assert_true(state_alive(&l.box));
	monitor_pid();
	launch_end(&l, NULL);
	assert_true(box_exists());
}

/* The plan is there for a monitor that reads it, and its end is the client's
 * end. */
static void the_plan_socket(void **state)
{
	uint32_t len = 0;
	char *text = NULL;

	(void)state;
	script("head -c 4 <&3 >&7; cat <&3 >/dev/null; echo closed >&2");
	assert_int_equal(start_box(&l, &info), 0);
	for (int i = 0; i < 2000 && len == 0; i++) {
		text = state_tail(&l.box, "console.log", 4);
		if (text)
			memcpy(&len, text, sizeof(len));
		free(text);
		nap();
	}
	assert_true(len > 20 && len < 1000);
	close(take_fd(&l.plan));
	for (int i = 0; i < 2000; i++) {
		text = state_tail(&l.box, "vmm.log", 100);
		if (text)
			break;
		nap();
	}
	assert_non_null(text);
	assert_string_equal(text, "closed\n");
	free(text);
	launch_end(&l, NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		T(ends_before_it_starts),
		T(starts_and_ends),
		T(keeps_the_result),
		T(passes_the_right_descriptors),
		T(a_missing_monitor_says_so),
		T(a_taken_name_is_refused),
		T(killed_monitor),
		T(killed_shim),
		T(killed_client),
		T(killed_with_all_that_held_it),
		T(a_kept_box_killed_with_all_that_held_it),
		T(a_kept_box_starts_again),
		T(the_plan_socket),
	};

	/* Whoever loses its parent becomes a child of this process. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
