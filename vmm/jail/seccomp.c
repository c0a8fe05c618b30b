/* SPDX-License-Identifier: Apache-2.0 */
#include "jail/jail.h"

#include "base/auto.h"
#include "jail/tables.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	const char *name;
	const struct sock_filter *insns;
	unsigned short n;
} roles[] = {
	[JAIL_LOOP] = { "loop", jail_loop, ARRAY_LEN(jail_loop) },
	[JAIL_VCPU] = { "vcpu", jail_vcpu, ARRAY_LEN(jail_vcpu) },
	[JAIL_NET] = { "net", jail_net, ARRAY_LEN(jail_net) },
};
static_assert(ARRAY_LEN(roles) == JAIL_NROLES, "a role has no table");

/* SYS_SECCOMP of <asm-generic/siginfo.h>, which the C library leaves out. */
#define FROM_SECCOMP 1

#define MAX_INSNS                                                              \
	MAX(ARRAY_LEN(jail_loop),                                              \
	    MAX(ARRAY_LEN(jail_vcpu), ARRAY_LEN(jail_net)))

/* For the handler: written before the first seal and by each thread for
 * itself, read when that thread dies. */
static char watch_id[80];
static __thread const char *watch_role = "unsealed";
static atomic_flag watch_dying = ATOMIC_FLAG_INIT;

/* ---- the handler: nothing in it but memory, write and exit_group ---- */

struct line {
	char text[256];
	size_t len;
};

static void line_text(struct line *l, const char *s)
{
	while (*s && l->len < sizeof(l->text) - 1)
		l->text[l->len++] = *s++;
}

static void line_number(struct line *l, unsigned n)
{
	char digits[12];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	line_text(l, digits + at);
}

static const char *call_name(unsigned nr)
{
	return jail_names +
	       (nr < ARRAY_LEN(jail_name_at) ? jail_name_at[nr] : 0);
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	struct line l = { .len = 0 };
	unsigned nr = (unsigned)info->si_syscall;

	(void)sig;
	(void)context;
	/* The first to die tells; the others wait for its exit_group(). */
	while (atomic_flag_test_and_set(&watch_dying))
		syscall(SYS_sched_yield);
	line_text(&l, watch_id);
	if (info->si_code == FROM_SECCOMP) {
		line_text(&l, ": system call ");
		line_text(&l, call_name(nr));
		line_text(&l, " (");
		line_number(&l, nr);
		line_text(&l, ") is not allowed in the ");
		line_text(&l, watch_role);
		line_text(&l, " thread\n");
	} else {
		line_text(&l, ": SIGSYS sent by a process\n");
	}
	/* Through the kernel: the library's write() is a place to be
	 * cancelled, and a full pipe changes nothing here. */
	syscall(SYS_write, STDERR_FILENO, l.text, l.len);
	syscall(SYS_exit_group, JAIL_EXIT);
}

int jail_watch(const char *id, struct err *e)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigsys,
		.sa_flags = SA_SIGINFO,
	};

	/* One arena: a thread's own would be trimmed by free(), which reads
	 * /proc/sys/vm/overcommit_memory for that. Nothing allocates much. */
	mallopt(M_ARENA_MAX, 1);
	snprintf(watch_id, sizeof(watch_id), "vial-vmm %s", id);
	sigfillset(&sa.sa_mask);
	if (sigaction(SIGSYS, &sa, NULL) < 0)
		return err_sys(e, "sigaction SIGSYS");
	return 0;
}

/* ---- the table ---- */

int jail_seal(enum jail_role role, struct err *e)
{
	struct sock_filter insns[MAX_INSNS];
	struct sock_fprog prog = { .len = roles[role].n, .filter = insns };
	sigset_t sigsys;

	memcpy(insns, roles[role].insns, roles[role].n * sizeof(*insns));
	for (unsigned i = 0; i < roles[role].n; i++)
		if (insns[i].k == JAIL_PID_MARK)
			insns[i].k = (unsigned)getpid();
	watch_role = roles[role].name;
	/* A blocked SIGSYS would end the process without its line. */
	sigemptyset(&sigsys);
	sigaddset(&sigsys, SIGSYS);
	pthread_sigmask(SIG_UNBLOCK, &sigsys, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	/* For this thread only, and no flags: the speculation guards that
	 * come with a filter stay on. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_sys(e, "system-call table of the %s thread",
			       roles[role].name);
	return 0;
}
