/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include "base/auto.h"

#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <sys/mman.h>

#define CALL(roles_, name, weight_)                                            \
	{                                                                      \
		.roles = (roles_), .nr = SCMP_SYS(name), .weight = (weight_)   \
	}
#define CALL_IF(roles_, name, weight_, arg)                                    \
	{                                                                      \
		.roles = (roles_), .nr = SCMP_SYS(name), .weight = (weight_),  \
		.nargs = 1, .args = {                                          \
			arg                                                    \
		}                                                              \
	}
#define ARG_IS(n, value) SCMP_CMP(n, SCMP_CMP_EQ, (value), 0)
#define ARG_WITHOUT(n, bits) SCMP_CMP(n, SCMP_CMP_MASKED_EQ, (bits), 0)

/* A call is here because something after jail_seal() makes it. A vCPU thread
 * runs the guest and answers register accesses from memory; whatever needs a
 * descriptor it hands to the loop through an eventfd. */
const struct rule rules[] = {
	/* the guest, and the descriptors of devices */
	CALL_IF(FOR_VCPU, ioctl, 255, ARG_IS(1, KVM_RUN)),
	CALL_IF(FOR_DEVS, ioctl, 245, ARG_IS(1, KVM_IRQ_LINE)),
	CALL(FOR_ALL, read, 250),
	CALL(FOR_ALL, write, 250),
	CALL(FOR_DEVS, epoll_wait, 240),
	CALL(FOR_DEVS, epoll_pwait, 240),
	CALL(FOR_LOOP, io_uring_enter, 240),
	CALL(FOR_ALL, futex, 230),
	CALL(FOR_DEVS, readv, 200),
	CALL(FOR_ALL, writev, 200), /* abort() says why with it */
	CALL(FOR_LOOP, recvmsg, 200),
	CALL(FOR_LOOP, sendmsg, 200),
	CALL(FOR_LOOP, recvfrom, 200),
	/* connected sockets only: an address names somebody else */
	CALL_IF(FOR_LOOP, sendto, 200, ARG_IS(4, 0)),
	CALL(FOR_DEVS, epoll_ctl, 180),
	CALL(FOR_LOOP, timerfd_settime, 180),

	/* disks, and the console's file, without io_uring */
	CALL(FOR_LOOP, pread64, 160),
	CALL(FOR_LOOP, pwrite64, 160),
	CALL(FOR_LOOP, preadv, 160),
	CALL(FOR_LOOP, pwritev, 160),
	CALL(FOR_LOOP, fdatasync, 160),
	CALL(FOR_LOOP, fsync, 160),
	CALL(FOR_LOOP, fallocate, 160),
	CALL(FOR_LOOP, ftruncate, 160),

	/* connections: made by the host, given to us */
	CALL(FOR_LOOP, accept4, 140),
	CALL(FOR_LOOP, shutdown, 140),
	CALL(FOR_LOOP, close, 140),

	/* what a guest's network driver wants a tap to leave to it */
	CALL_IF(FOR_LOOP, ioctl, 60, ARG_IS(1, TUNSETOFFLOAD)),

	/* entropy, time, numbers for `vial stats` */
	CALL(FOR_LOOP, getrandom, 120),
	CALL(FOR_ALL, clock_gettime, 120),
	CALL(FOR_LOOP, getrusage, 100),

	/* memory: malloc, stacks; never code */
	CALL_IF(FOR_ALL, mmap, 100, ARG_WITHOUT(2, PROT_EXEC)),
	CALL_IF(FOR_ALL, mprotect, 100, ARG_WITHOUT(2, PROT_EXEC)),
	CALL(FOR_ALL, munmap, 100),
	CALL(FOR_ALL, madvise, 100),
	CALL(FOR_ALL, mremap, 80),
	CALL(FOR_ALL, brk, 80),

	/* threads and signals, as the C library does them; abort() too */
	CALL(FOR_ALL, rt_sigreturn, 80),
	CALL(FOR_ALL, rt_sigprocmask, 80),
	CALL(FOR_ALL, restart_syscall, 80),
	CALL(FOR_ALL, sched_yield, 80),
	CALL(FOR_ALL, getpid, 60),
	CALL(FOR_ALL, gettid, 60),
	CALL_IF(FOR_ALL, tgkill, 60, ARG_IS(0, PID_MARK)),
	CALL(FOR_ALL, exit, 10),
	CALL(FOR_ALL, exit_group, 10),
};
const size_t nrules = ARRAY_LEN(rules);
