/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include "agent/file.h"
#include "agent/job.h"
#include "agent/serve.h"
#include "base/auto.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AGENT_FILES (512 << 10)

/* Descriptors for many streams, and what jobs get of it. */
static void agent_limits(struct agent *a)
{
	struct rlimit r = { AGENT_FILES, AGENT_FILES };

	if (!a->init || setrlimit(RLIMIT_NOFILE, &r) < 0) {
		getrlimit(RLIMIT_NOFILE, &r);
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
	a->files_hard = r.rlim_max;
}

/* Everything is blocked: children come through a signalfd, a broken pipe is an
 * error of write(), and PID 1 has nothing else to hear. A job begins with an
 * empty mask, and with the defaults for all because of this. */
static void agent_signals(bool init)
{
	/* The kernel's own struct: a handler, flags, a restorer, a mask; zero
	 * is the default action. */
	const unsigned long dfl[4] = { 0 };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* The kernel starts PID 1 with the defaults; others may inherit. The
	 * library would refuse the two signals that it keeps for itself. */
	for (int sig = 1; sig < NSIG && !init; sig++)
		syscall(SYS_rt_sigaction, sig, dfl, NULL, NSIG / 8);
}

static void agent_round(struct reap *r)
{
	struct agent *a = container_of(r, struct agent, reap);

	cgroups_sweep(&a->cgroups);
	down_check(a);
}

int agent_open(struct agent *a, bool init, struct err *e)
{
	*a = (struct agent){
		.init = init,
		.can_set_ids = geteuid() == 0,
		.null_fd = -1,
		.listener = { .fd = -1 },
		.announce = { .fd = -1 },
		.cgroups = { .fd = -1 },
		.freeze = { .path = "/", .root = -1 },
		.users = { "/etc/passwd", "/etc/group" },
	};
	umask(022);
	agent_signals(init);
	agent_limits(a);
	/* Orphans come to PID 1 anyway, and it cannot be killed for memory. */
	if (!init)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	a->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (a->null_fd < 0)
		return err_sys(e, "open /dev/null");
	if (loop_init(&a->loop, NULL, e) < 0 ||
	    reap_init(&a->reap, &a->loop, e) < 0)
		return -e->code;
	a->reap.round = agent_round;
	forwards_init(&a->forwards, &a->loop, &a->callers);
	return callers_init(&a->callers, &a->loop, serve_ready, e);
}

void agent_close(struct agent *a)
{
	if (!a->reap.loop)
		return;
	jobs_close(a);
	files_close(a);
	forwards_close(&a->forwards);
	callers_fini(&a->callers);
	serve_close(a);
	reap_fini(&a->reap);
	cgroups_fini(&a->cgroups);
	loop_fini(&a->loop);
	close(a->null_fd);
}
