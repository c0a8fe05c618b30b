/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - asks the monitor to measure KVM, for no longer than it may
 * take: a bad one can hang. */
#include "run/check.h"

#include "base/auto.h"
#include "base/fd.h"
#include "run/plan.h"
#include "box/where.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define LIMIT_MS 5000ull
#define ANSWER_MAX 4096

static pid_t start_probe(const char *path, int out)
{
	char name[] = "vial-vmm", arg[] = "--probe";
	char *argv[] = { name, arg, NULL }, *env[] = { NULL };
	pid_t pid = fork();
	int null;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(null, 2) < 0)
		_exit(127);
	execve(path, argv, env);
	_exit(127);
}

/* What the probe wrote until its end or the limit; false at the limit. */
static bool read_answer(int fd, char *text, size_t size)
{
	uint64_t until = now_us() + LIMIT_MS * 1000;
	size_t used = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = (int64_t)(until - now_us()) / 1000;
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return false;
		n = read(fd, text + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || used + (size_t)n >= size - 1)
			break;
		used += (size_t)n;
	}
	text[used] = '\0';
	return true;
}

static void judge(struct check *c, const char *answer)
{
	json_t *o = json_loads(answer, 0, NULL);
	const char *why = json_string_value(json_object_get(o, "reason"));
	double user = json_number_value(json_object_get(o, "user_ns"));
	double guest = json_number_value(json_object_get(o, "guest_ns"));

	if (json_is_true(json_object_get(o, "usable"))) {
		c->level = CHECK_OK;
		snprintf(c->found, sizeof(c->found),
			 "KVM runs a guest's "
			 "kernel at %.2f of the CPU's speed",
			 guest > 0 ? user / guest : 0);
	} else {
		snprintf(c->found, sizeof(c->found), "KVM is not usable: %s",
			 why ? why : "the measurement died");
	}
	json_decref(o);
}

void check_kvm(struct check *c)
{
	char path[PATH_MAX], answer[ANSWER_MAX] = "";
	struct err e;
	int p[2], kvm;
	pid_t pid;

	c->level = CHECK_FAIL;
	snprintf(c->remedy, sizeof(c->remedy),
		 "use a host with hardware "
		 "virtualization, or try the emulated one: scripts/lab");
	kvm = plan_open_kvm(&e);
	if (kvm >= 0)
		close(kvm);
	if (kvm < 0 || where_part(WHERE_VMM, path, &e) < 0) {
		snprintf(c->found, sizeof(c->found), "not measured: %s", e.msg);
		c->remedy[0] = '\0'; /* another check has it */
		return;
	}
	if (pipe2(p, O_CLOEXEC) < 0) {
		snprintf(c->found, sizeof(c->found), "not measured: pipe: %s",
			 strerror(errno));
		return;
	}
	pid = start_probe(path, p[1]);
	close(p[1]);
	if (pid > 0 && read_answer(p[0], answer, sizeof(answer)))
		judge(c, answer);
	else
		snprintf(c->found, sizeof(c->found),
			 "KVM is not usable: a "
			 "guest of a few instructions hangs");
	close(p[0]);
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (c->level == CHECK_OK)
		c->remedy[0] = '\0';
}
