/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/jail.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

/* A sealed child makes one call with the kernel's own interface: what the
 * sanitizer would do in between is not what is tested. */

#define NONE 0u
#define LOOP (1u << JAIL_LOOP)
#define VCPU (1u << JAIL_VCPU)
#define NET (1u << JAIL_NET)
#define DEVS (LOOP | NET)
#define ALL (LOOP | VCPU | NET)

#define PID INT64_C(0x5151515151) /* becomes the child's process id */
#define LAST_NR 470
#define NUMBER_X32 0x40000000

static const char *const role_names[] = {
	[JAIL_LOOP] = "loop",
	[JAIL_VCPU] = "vcpu",
	[JAIL_NET] = "net",
};

struct call {
	const char *name;
	long nr;
	unsigned roles; /* that may make it with these arguments */
	int64_t arg[6];
};

/* Descriptor -1 where one is needed: EBADF is as good as success here. */
static const struct call calls[] = {
	/* what is left: input and output on what is open */
	{ "read", SYS_read, ALL, { -1 } },
	{ "write", SYS_write, ALL, { -1 } },
	{ "readv", SYS_readv, DEVS, { -1 } },
	{ "writev", SYS_writev, ALL, { -1 } },
	{ "pread64", SYS_pread64, LOOP, { -1 } },
	{ "pwrite64", SYS_pwrite64, LOOP, { -1 } },
	{ "preadv", SYS_preadv, LOOP, { -1 } },
	{ "pwritev", SYS_pwritev, LOOP, { -1 } },
	{ "fsync", SYS_fsync, LOOP, { -1 } },
	{ "fdatasync", SYS_fdatasync, LOOP, { -1 } },
	{ "fallocate", SYS_fallocate, LOOP, { -1 } },
	{ "ftruncate", SYS_ftruncate, LOOP, { -1 } },
	{ "lseek", SYS_lseek, NONE, { -1 } },
	{ "close", SYS_close, LOOP, { -1 } },
	{ "shutdown", SYS_shutdown, LOOP, { -1 } },
	{ "io_uring_enter", SYS_io_uring_enter, LOOP, { -1 } },
	{ "epoll_ctl", SYS_epoll_ctl, DEVS, { -1 } },
	{ "timerfd_settime", SYS_timerfd_settime, LOOP, { -1 } },
	{ "epoll_pwait", SYS_epoll_pwait, DEVS, { -1 } },
	{ "accept4", SYS_accept4, LOOP, { -1 } },
	{ "recvfrom", SYS_recvfrom, LOOP, { -1 } },
	{ "recvmsg", SYS_recvmsg, LOOP, { -1 } },
	{ "sendmsg", SYS_sendmsg, LOOP, { -1 } },
	{ "sendto", SYS_sendto, LOOP, { -1 } },
	{ "sendto", SYS_sendto, NONE, { -1, 0, 0, 0, 0x1000, 16 } },
	{ "sendto", SYS_sendto, NONE, { -1, 0, 0, 0, INT64_C(1) << 32 } },
	{ "getsockopt", SYS_getsockopt, NONE, { -1, SOL_SOCKET, SO_ERROR } },
	{ "setsockopt", SYS_setsockopt, NONE, { -1, SOL_SOCKET } },
	{ "fcntl", SYS_fcntl, NONE, { -1, F_GETFL } },
	{ "fcntl", SYS_fcntl, NONE, { -1, F_SETFL } },
	{ "fcntl", SYS_fcntl, NONE, { -1, F_DUPFD } },
	{ "fcntl", SYS_fcntl, NONE, { -1, F_SETOWN } },
	{ "fcntl", SYS_fcntl, NONE, { -1, F_ADD_SEALS } },

	/* the guest */
	{ "ioctl", SYS_ioctl, VCPU, { -1, KVM_RUN } },
	{ "ioctl", SYS_ioctl, NONE, { -1, KVM_RUN | INT64_C(1) << 32 } },
	{ "ioctl", SYS_ioctl, NONE, { -1, KVM_CREATE_VM } },
	{ "ioctl", SYS_ioctl, NONE, { -1, KVM_SET_USER_MEMORY_REGION } },
	{ "ioctl", SYS_ioctl, DEVS, { -1, KVM_IRQ_LINE } },
	{ "ioctl", SYS_ioctl, NONE, { -1, FIONREAD } },
	{ "ioctl", SYS_ioctl, NONE, { -1, TIOCSTI } },

	/* time, entropy, memory */
	{ "clock_gettime", SYS_clock_gettime, ALL, { -1 } },
	{ "clock_nanosleep", SYS_clock_nanosleep, NONE, { -1 } },
	{ "getrandom", SYS_getrandom, LOOP, { 0 } },
	{ "getrusage", SYS_getrusage, LOOP, { -2 } },
	{ "mmap", SYS_mmap, ALL, { 0, 0, PROT_READ | PROT_WRITE } },
	{ "mmap", SYS_mmap, NONE, { 0, 4096, PROT_READ | PROT_EXEC } },
	{ "mprotect", SYS_mprotect, ALL, { 0, 0, PROT_READ } },
	{ "mprotect", SYS_mprotect, NONE, { 0, 0, PROT_EXEC } },
	{ "mprotect", SYS_mprotect, NONE, { 0, 0, PROT_READ | PROT_EXEC } },
	{ "pkey_mprotect", SYS_pkey_mprotect, NONE, { 0, 0, PROT_READ } },
	{ "munmap", SYS_munmap, ALL, { 1 } },
	{ "mremap", SYS_mremap, ALL, { 1 } },
	{ "madvise", SYS_madvise, ALL, { 1 } },
	{ "brk", SYS_brk, ALL, { 0 } },

	/* threads */
	{ "futex", SYS_futex, ALL, { 0 } },
	{ "sched_yield", SYS_sched_yield, ALL, { 0 } },
	{ "rt_sigprocmask", SYS_rt_sigprocmask, ALL, { -1 } },
	{ "restart_syscall", SYS_restart_syscall, ALL, { 0 } },
	{ "getpid", SYS_getpid, ALL, { 0 } },
	{ "gettid", SYS_gettid, ALL, { 0 } },
	{ "tgkill", SYS_tgkill, ALL, { PID, -1, 0 } },
	{ "tgkill", SYS_tgkill, NONE, { 1, 1, 0 } },
	{ "tgkill", SYS_tgkill, NONE, { -1, -1, 0 } },
	{ "sched_getaffinity", SYS_sched_getaffinity, NONE, { 0 } },
	{ "kill", SYS_kill, NONE, { 1, 0 } },
	{ "kill", SYS_kill, NONE, { PID, 0 } },
	{ "tkill", SYS_tkill, NONE, { 1, 0 } },
	{ "rt_sigqueueinfo", SYS_rt_sigqueueinfo, NONE, { 1 } },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, NONE, { -1 } },
	{ "rt_sigaction", SYS_rt_sigaction, NONE, { SIGSYS } },
	{ "clone", SYS_clone, NONE, { SIGCHLD } },
	{ "clone", SYS_clone, NONE, { CLONE_VM | CLONE_THREAD } },
	{ "clone3", SYS_clone3, NONE, { 0 } },

	/* the world */
	{ "openat", SYS_openat, NONE, { AT_FDCWD } },
	{ "openat2", SYS_openat2, NONE, { AT_FDCWD } },
	{ "open_by_handle_at", SYS_open_by_handle_at, NONE, { -1 } },
	{ "newfstatat", SYS_newfstatat, NONE, { AT_FDCWD } },
	{ "fstat", SYS_fstat, NONE, { -1 } },
	{ "memfd_create", SYS_memfd_create, NONE, { 0 } },
	{ "dup", SYS_dup, NONE, { 0 } },
	{ "dup3", SYS_dup3, NONE, { 0 } },
	{ "socket", SYS_socket, NONE, { AF_UNIX, SOCK_STREAM } },
	{ "socketpair", SYS_socketpair, NONE, { AF_UNIX, SOCK_STREAM } },
	{ "connect", SYS_connect, NONE, { -1 } },
	{ "bind", SYS_bind, NONE, { -1 } },
	{ "listen", SYS_listen, NONE, { -1 } },
	{ "execve", SYS_execve, NONE, { 0 } },
	{ "execveat", SYS_execveat, NONE, { -1 } },
	{ "ptrace", SYS_ptrace, NONE, { 0 } },
	{ "process_vm_readv", SYS_process_vm_readv, NONE, { 1 } },
	{ "process_vm_writev", SYS_process_vm_writev, NONE, { 1 } },
	{ "pidfd_getfd", SYS_pidfd_getfd, NONE, { -1 } },
	{ "prctl", SYS_prctl, NONE, { PR_SET_DUMPABLE, 1 } },
	{ "seccomp", SYS_seccomp, NONE, { 0 } },
	{ "personality", SYS_personality, NONE, { 0x0400000 } },
	{ "unshare", SYS_unshare, NONE, { CLONE_NEWUSER } },
	{ "setns", SYS_setns, NONE, { -1 } },
	{ "setresuid", SYS_setresuid, NONE, { 0 } },
	{ "capset", SYS_capset, NONE, { 0 } },
	{ "mount", SYS_mount, NONE, { 0 } },
	{ "fsopen", SYS_fsopen, NONE, { 0 } },
	{ "chroot", SYS_chroot, NONE, { 0 } },
	{ "bpf", SYS_bpf, NONE, { 0 } },
	{ "keyctl", SYS_keyctl, NONE, { 0 } },
	{ "perf_event_open", SYS_perf_event_open, NONE, { 0 } },
	{ "userfaultfd", SYS_userfaultfd, NONE, { 0 } },
	{ "io_uring_setup", SYS_io_uring_setup, NONE, { 1 } },
	{ "io_uring_register", SYS_io_uring_register, NONE, { -1 } },
	{ "prlimit64", SYS_prlimit64, NONE, { 0 } },
	{ "membarrier", SYS_membarrier, NONE, { 0 } },
	{ "exit", SYS_exit, ALL, { 0 } },
	{ "exit_group", SYS_exit_group, ALL, { 0 } },
#ifdef SYS_open
	{ "open", SYS_open, NONE, { 0 } },
	{ "epoll_wait", SYS_epoll_wait, DEVS, { -1 } },
	{ "fork", SYS_fork, NONE, { 0 } },
	{ "vfork", SYS_vfork, NONE, { 0 } },
	{ "arch_prctl", 158, NONE, { 0 } },
#endif
};

/* ---- a child that makes one call ---- */

static void child(enum jail_role role, const struct call *c)
{
	long a[6];

	for (int i = 0; i < 6; i++)
		a[i] = c->arg[i] == PID ? getpid() : c->arg[i];
	if (jail_watch("test", NULL) < 0 || jail_seal(role, NULL) < 0)
		_exit(99);
	syscall(c->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	syscall(SYS_exit_group, 0);
}

/* Returns the wait status; what the child wrote to stderr is in line. */
static int run(enum jail_role role, const struct call *c, char *line,
	       size_t room)
{
	int p[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(p[1], STDERR_FILENO);
		close(p[0]);
		close(p[1]);
		child(role, c);
	}
	close(p[1]);
	n = fd_read_full(p[0], line, room - 1);
	assert_true(n >= 0);
	line[n] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void refused(enum jail_role role, const struct call *c, int status,
		    const char *line)
{
	char want[128];

	snprintf(want, sizeof(want),
		 "vial-vmm test: system call %s (%ld) is not allowed in the "
		 "%s thread\n",
		 c->name, c->nr, role_names[role]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != JAIL_EXIT ||
	    strcmp(line, want) != 0)
		fail_msg("%s (first argument %ld) in %s: status %#x, line %s",
			 c->name, (long)c->arg[0], role_names[role],
			 (unsigned)status, line);
}

static void each_call_in_each_role(void **state)
{
	char line[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		for (int role = 0; role < JAIL_NROLES; role++) {
			const struct call *c = &calls[i];
			int status = run(role, c, line, sizeof(line));

			if (!(c->roles & (1u << role)))
				refused(role, c, status, line);
			else if (status != 0 || line[0])
				fail_msg("%s in %s: status %#x, line %s",
					 c->name, role_names[role],
					 (unsigned)status, line);
		}
	}
}

/* Is nr in the list above, for this role with some arguments? */
static bool listed(long nr, unsigned role)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (calls[i].nr == nr && (calls[i].roles & (1u << role)))
			return true;
#ifdef __x86_64__
	/* Kernels that have uretprobe and uprobe let them pass all filters;
	 * they do nothing outside of a probe. */
	if (nr == 335 || nr == 336)
		return true;
#endif
	return nr == SYS_rt_sigreturn;
}

static void nothing_else_is_allowed(void **state)
{
	struct call c = { .name = "?" };
	char line[512];

	(void)state;
	for (c.nr = 0; c.nr <= LAST_NR; c.nr++) {
		for (int role = 0; role < JAIL_NROLES; role++) {
			int status;

			if (listed(c.nr, role))
				continue;
			status = run(role, &c, line, sizeof(line));
			if (!WIFEXITED(status) ||
			    WEXITSTATUS(status) != JAIL_EXIT)
				fail_msg("call %ld in %s: status %#x", c.nr,
					 role_names[role], (unsigned)status);
		}
	}
}

static void unknown_numbers_have_a_line(void **state)
{
	struct call c = { .name = "?", .nr = 100000 };
	char line[512];

	(void)state;
	refused(JAIL_LOOP, &c, run(JAIL_LOOP, &c, line, sizeof(line)), line);
	c.nr = INT32_MAX - NUMBER_X32;
	refused(JAIL_VCPU, &c, run(JAIL_VCPU, &c, line, sizeof(line)), line);
	refused(JAIL_NET, &c, run(JAIL_NET, &c, line, sizeof(line)), line);
}

#ifdef __x86_64__
/* getpid() by the numbers of the other ABIs: no handler, no line, no life. */
static void foreign_abis_kill(void **state)
{
	struct call c = { .name = "x32", .nr = NUMBER_X32 | SYS_getpid };
	char line[512];
	int status = run(JAIL_LOOP, &c, line, sizeof(line));
	pid_t pid;

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
	pid = fork();
	if (pid == 0) {
		long r = 20;

		if (jail_seal(JAIL_VCPU, NULL) == 0)
			__asm__ volatile("int $0x80" : "+a"(r) : : "memory");
		syscall(SYS_exit_group, 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}
#endif

/* Even when all signals are blocked, as a loop with a signalfd does. */
static void blocked_sigsys_still_tells(void **state)
{
	const struct call c = { "getuid", SYS_getuid, NONE, { 0 } };
	sigset_t all, old;
	char line[512];

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	refused(JAIL_LOOP, &c, run(JAIL_LOOP, &c, line, sizeof(line)), line);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void a_sent_sigsys_is_no_system_call(void **state)
{
	int p[2], status;
	char line[128];
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		dup2(p[1], STDERR_FILENO);
		if (jail_watch("test", NULL) == 0 &&
		    jail_seal(JAIL_LOOP, NULL) == 0)
			syscall(SYS_tgkill, getpid(), getpid(), SIGSYS);
		syscall(SYS_exit_group, 99);
	}
	close(p[1]);
	n = fd_read_full(p[0], line, sizeof(line) - 1);
	assert_true(n >= 0);
	line[n] = '\0';
	close(p[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, JAIL_EXIT << 8);
	assert_string_equal(line, "vial-vmm test: SIGSYS sent by a process\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_in_each_role),
		cmocka_unit_test(nothing_else_is_allowed),
		cmocka_unit_test(unknown_numbers_have_a_line),
		cmocka_unit_test(blocked_sigsys_still_tells),
		cmocka_unit_test(a_sent_sigsys_is_no_system_call),
#ifdef __x86_64__
		cmocka_unit_test(foreign_abis_kill),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
