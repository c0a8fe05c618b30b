/* SPDX-License-Identifier: Apache-2.0 */
/* jail.h - giving up rights.
 *
 * THEORY OF OPERATION
 *
 * The monitor talks to the guest, so it must be able to do nothing else. It
 * starts with every descriptor it will ever have. Two steps:
 *
 * jail_enter() takes away the world, before any byte of the guest is looked
 * at, single-threaded: mount, network, ipc, uts and cgroup namespaces of its
 * own, an empty read-only root, a user that nobody else is (ids.h), no
 * capabilities in any set, no_new_privs, no dumps. There is no pid namespace:
 * unshare() could only make one for children, which would forbid threads,
 * and there will be no children; signals to others end at the uid (as root)
 * and at the table (always).
 *
 * jail_seal() takes away the system calls: each thread closes its own table
 * for its role as the last step before guest code runs; the loop thread closes
 * last, and after that no thread can be started.
 *
 * The tables are generated at build time with libseccomp (seccomp/) into BPF
 * arrays, so nothing is compiled at start and the library is not linked in.
 *
 *     ids.c   which user          ns.c       namespaces and root
 *     caps.c  capabilities        seccomp.c  tables and the handler
 *     seccomp/rules.c             the calls each role keeps */
#pragma once

#include "base/err.h"

#include <stdbool.h>

enum jail_role {
	JAIL_LOOP, /* owns devices, disk and socket I/O */
	JAIL_VCPU, /* KVM_RUN and the machine's lock */
	JAIL_NET,  /* a pair of a network device's queues */
	JAIL_NROLES
};

/* Namespaces, root, user, capabilities, no_new_privs. What the host does not
 * allow (no user namespaces for an unprivileged user) fails with the reason
 * and the setting that allows it; nothing is skipped silently.
 *
 * The change of user clears the parent-death signal, so it is set (again): the
 * process is killed with its parent. /proc is gone behind it.
 *
 * May after:      everything on fds already open; threads; mmap.
 * May not after:  reach any path, network or process of the host. */
int jail_enter(struct err *e);

/* Last step of the calling thread before guest code runs.
 *
 * JAIL_LOOP: may read, write, accept, epoll, io_uring_enter, fsync, fallocate,
 * futex, exit. JAIL_VCPU: may ioctl(KVM_RUN), futex, read, write eventfds.
 * JAIL_NET: epoll, futex, read and write, of any descriptor that is open.
 * May not: open, socket, connect, fork, exec, PROT_EXEC, ptrace, new threads.
 *
 * A call outside the table ends the process: one line on stderr naming the
 * call and the role, exit status JAIL_EXIT. */
int jail_seal(enum jail_role role, struct err *e);

/* Installs the SIGSYS handler, and keeps malloc() to one arena; once, before
 * the first thread. id names the box: "vial-vmm ID: system call ...". */
int jail_watch(const char *id, struct err *e);

#define JAIL_EXIT 159 /* 128 + SIGSYS */
