/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - vial-agent, the first process of a guest.
 *
 * THEORY OF OPERATION
 *
 * The kernel starts it as /init of an initramfs that holds nothing else. It
 * listens on a vsock port and tells the host so; what happens next is the
 * host's decision, in Requests (proto/agent.proto):
 *
 *     serve    connections: control, or one stream of a job
 *     setup    once: mount the root disk and go there, name, clock, entropy;
 *              tune has what containers ask for besides
 *     job      one command: a state table; exec, caps and spawn start it,
 *              stdio moves its bytes, cgroup and reap see it end, oom and
 *              report say why
 *     file     a folder of the guest as a tar stream, in or out
 *     procs    what runs; stat: what is at a path
 *     forward  unix sockets that lead out of the guest, or into it
 *     down     the end: all is told, killed, written back; power off
 *
 * There is one thread and one loop. Nothing in it waits for a command, for the
 * host or for a disk, save the moment between fork and exec. Whatever the host
 * or a command does, memory is bounded: a relay holds one chunk and then stops
 * reading, a control connection that is not read from is not listened to.
 *
 * The guest's own root may break all of this, and then has a broken guest: the
 * boundary is the machine, not this program.
 *
 * With --listen unix:PATH it runs beside other processes, mounts nothing, and
 * ends at Shutdown: for tests and development. */
#include "agent/agent.h"
#include "agent/mount.h"
#include "agent/serve.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Descriptors 0 to 2 exist, whatever the kernel gave; errors go to its log at
 * a level that is shown even on a quiet console. */
static void main_stdio(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd < STDERR_FILENO)
		fd = dup(fd);
	if (fd > STDERR_FILENO)
		close(fd);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
	log_init("<3>vial-agent", LOG_WARN);
}

/* Woken by each line that a command writes, the agent would take the CPU from
 * it and move one line at a time. As a batch task it waits until the command
 * pauses or its pipe is full, and runs at once where a CPU is idle. */
static void main_schedule(void)
{
	struct sched_param p = { 0 };

	sched_setscheduler(0, SCHED_BATCH, &p);
}

static int main_guest(struct agent *a)
{
	struct err e = { 0 };
	int r = mount_early(&e);

	main_stdio();
	main_schedule();
	if (r < 0 ||
	    agent_open(a, true, &e) < 0 || /* signals, loop, children */
	    serve_vsock(a, &e) < 0)	   /* the host may call */
		log_err("%s", e.msg);
	else
		loop_run(&a->loop); /* until Shutdown */
	down_finish(a);		    /* does not return */
	return 1;
}

static int main_beside(struct agent *a, const char *path)
{
	struct err e = { 0 };
	int status = 1;

	log_init("vial-agent", LOG_WARN);
	if (agent_open(a, false, &e) < 0 || serve_unix(a, path, &e) < 0)
		log_err("%s", e.msg);
	else
		status = loop_run(&a->loop) < 0;
	down_finish(a);
	agent_close(a);
	return status;
}

int main(int argc, char **argv)
{
	static struct agent agent;
	static const char scheme[] = "unix:";

	if (getpid() == 1 && !(argc == 3 && !strcmp(argv[1], "--listen")))
		return main_guest(&agent);
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("vial-agent " VIAL_VERSION);
		return 0;
	}
	if (argc != 3 || strcmp(argv[1], "--listen") != 0 ||
	    strncmp(argv[2], scheme, strlen(scheme)) != 0) {
		fputs("usage: vial-agent --listen unix:PATH\n", stderr);
		return 2;
	}
	return main_beside(&agent, argv[2] + strlen(scheme));
}
