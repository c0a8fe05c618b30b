/* SPDX-License-Identifier: Apache-2.0 */
/* coldstart - from exec to the guest's first line.
 *
 * usage: coldstart N vmm   VIAL-VMM KERNEL INITRD CMDLINE MIB VCPUS
 *        coldstart N pipe  MIB COMMAND...
 *
 * Starts the monitor itself, or any command whose standard output is the
 * guest's console, N times; waits for the line "HELLO" and kills it. The two
 * ways are as alike as they can be: one vfork and one exec each, no shell, no
 * polling. Prints one line a run: microseconds; then what it had cost by that
 * time: CPU microseconds, of them the first thread's, PSS in KiB without the
 * guest's memory, of it private, KiB of the guest's memory; then microseconds
 * from main() until the guest began to run and the CPU time of that, as the
 * monitor tells (0 0 for a command). */
#include "base/auto.h"
#include "base/buf.h"
#include "base/fd.h"
#include "proc.h"
#include "proto/chan.h"
#include "proto/control.pb-c.h"
#include "proto/plan.pb-c.h"
#include "proto/wire.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define MARK "HELLO"
#define FD_BASE 40
#define TIMEOUT_MS 120000

static const char console_path[] = "/tmp/coldstart.console";

struct run {
	uint64_t us, build_us, build_cpu_us;
	struct proc_cost cost;
};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Moves fd to a number that survives exec. */
static uint32_t give(int fd, int as)
{
	if (fd < 0 || dup2(fd, as) < 0)
		die("descriptor");
	close(fd);
	return (uint32_t)as;
}

static void wait_mark(int fd, int console)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	static char seen[1 << 16];
	size_t used = 0;

	for (;;) {
		char event[512];
		ssize_t n;

		if (poll(&p, 1, TIMEOUT_MS) <= 0)
			die("the guest said nothing: poll");
		if (console >= 0) {
			if (read(fd, event, sizeof(event)) < 0)
				die("inotify");
			n = pread(console, seen, sizeof(seen) - 1, 0);
			used = n > 0 ? (size_t)n : 0;
		} else {
			n = read(fd, seen + used, sizeof(seen) - used - 1);
			if (n <= 0)
				die("the console ended");
			used += (size_t)n;
		}
		seen[used] = '\0';
		if (strstr(seen, MARK))
			return;
		if (used > sizeof(seen) / 2 && console < 0)
			used = 0;
	}
}

/* The clock stops first: looking costs time. */
static void measure(struct run *r, uint64_t start_us, pid_t pid,
		    const char *mib)
{
	r->us = now_us() - start_us;
	if (proc_cpu(pid, &r->cost) < 0 ||
	    proc_mem(pid, strtoull(mib, NULL, 0), &r->cost) < 0)
		die("look at the process");
}

static void run_pipe(struct run *r, char **a)
{
	uint64_t start = now_us();
	int p[2];
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		die("pipe");
	pid = vfork();
	if (pid == 0) {
		dup2(p[1], STDOUT_FILENO);
		execvp(a[1], a + 1);
		_exit(127);
	}
	close(p[1]);
	wait_mark(p[0], -1);
	measure(r, start, pid, a[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(p[0]);
}

/* The plan's bytes; the descriptors stay open in this process. */
static void make_plan(struct buf *out, char **a)
{
	Vial__Plan__Plan plan = VIAL__PLAN__PLAN__INIT;
	char id[] = "coldstart";

	plan.generation = 1;
	plan.id = id;
	plan.kvm_fd = give(open("/dev/kvm", O_RDWR), FD_BASE);
	plan.kernel_fd = give(open(a[1], O_RDONLY), FD_BASE + 1);
	plan.initrd_fd = give(open(a[2], O_RDONLY), FD_BASE + 2);
	plan.cmdline = a[3];
	plan.ram_bytes = strtoull(a[4], NULL, 0) << 20;
	plan.vcpus = (uint32_t)atoi(a[5]);
	plan.console_fd =
		give(open(console_path, O_RDWR | O_CREAT | O_TRUNC, 0600),
		     FD_BASE + 3);
	plan.console_max_bytes = 1 << 20;
	plan.tied = true;
	buf_init(out, 1 << 16);
	if (wire_put(out, &plan.base) < 0)
		die("plan");
}

static void told(struct run *r, int fd)
{
	const ProtobufCMessageDescriptor *type =
		&vial__control__notice__descriptor;
	struct err e = { 0 };
	Vial__Control__Notice *n;
	struct chan c;

	chan_init(&c, fd);
	n = (Vial__Control__Notice *)chan_recv(&c, type, &e);
	if (n && n->of_case == VIAL__CONTROL__NOTICE__OF_RUNNING) {
		r->build_us = n->running->start_us;
		r->build_cpu_us = n->running->cpu_us;
	}
	if (n)
		protobuf_c_message_free_unpacked(&n->base, NULL);
	chan_fini(&c);
}

static void run_vmm(struct run *r, char **a)
{
	uint64_t start;
	struct buf plan;
	int s[2], watch;
	pid_t pid;

	make_plan(&plan, a);
	watch = inotify_init1(IN_CLOEXEC);
	if (watch < 0 || inotify_add_watch(watch, console_path, IN_MODIFY) < 0)
		die("inotify");
	start = now_us();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		die("socketpair");
	pid = vfork();
	if (pid == 0) {
		dup2(s[1], 3);
		execl(a[0], a[0], "coldstart", (char *)NULL);
		_exit(127);
	}
	close(s[1]);
	if (fd_write_full(s[0], buf_head(&plan), buf_len(&plan)) < 0)
		die("send the plan");
	wait_mark(watch, FD_BASE + 3);
	measure(r, start, pid, a[4]);
	told(r, s[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < 4; i++)
		close(FD_BASE + i);
	close(s[0]);
	close(watch);
	buf_fini(&plan);
	unlink(console_path);
}

static void print_run(const struct run *r)
{
	const uint64_t v[] = {
		r->us,		 r->cost.cpu_us,      r->cost.main_us,
		r->cost.pss_kib, r->cost.private_kib, r->cost.ram_kib,
		r->build_us,	 r->build_cpu_us
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		printf("%llu%c", (unsigned long long)v[i],
		       i + 1 < ARRAY_LEN(v) ? ' ' : '\n');
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int n = argc > 3 ? atoi(argv[1]) : 0;

	/* Keep low numbers free for what the child gets. */
	for (int i = 3; i < 12; i++)
		if (fcntl(i, F_GETFD) < 0 &&
		    open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
			die("/dev/null");
	for (int i = 0; i < n; i++) {
		struct run r = { 0 };

		if (strcmp(argv[2], "vmm") == 0)
			run_vmm(&r, argv + 3);
		else
			run_pipe(&r, argv + 3);
		print_run(&r);
	}
	return n > 0 ? 0 : 2;
}
