/* SPDX-License-Identifier: Apache-2.0 */
/* shim.h - the small process that looks after one running box.
 *
 * It starts the monitor as its child, waits for it, and removes the directory
 * of a brief box. It is a fork of the keeper (keep.h) in a session of its own,
 * holds no descriptor of the user's, and does nothing while the box runs.
 *
 * The leash is a SOCK_SEQPACKET pair between keeper and shim. The shim says
 * READY or FAILED, and ENDED when the monitor is gone; the keeper ends its
 * side, as the kernel does when the keeper is killed. The shim then kills the
 * monitor, removes a brief box, and exits, which is the end of file the keeper
 * waits for.
 *
 *     killed         what happens
 *     keeper         leash ends: the shim kills the monitor, removes the box
 *     shim           parent-death signal kills the monitor, or the keeper
 *                    does by closing the plan socket; it removes the box
 *     monitor        the shim tells the keeper, which reports and ends
 *     keeper, shim   the plan socket closes: the monitor ends the guest; the
 *                    next command looks after what is left (state.h) */
#pragma once

#include "base/err.h"
#include "run/plan.h"
#include "box/state.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors of the monitor, by number: the plan names them. */
enum shim_fd {
	SHIM_FD_PLAN = 3,
	SHIM_FD_KVM,
	SHIM_FD_KERNEL,
	SHIM_FD_INITRAMFS,
	SHIM_FD_CONSOLE,
	SHIM_FD_CONTROL,
	SHIM_FD_VSOCK,
	SHIM_FD_LOCK,	/* never looked at; keeps the box alive */
	SHIM_FD_IMAGE,
	SHIM_FD_OVERLAY,
	SHIM_FD_SHARE,
	SHIM_FD_NET, /* the first of so many */
	SHIM_FD_VOLUME = SHIM_FD_NET + BOXNET_TAPS,
	SHIM_FD_SCRATCH = SHIM_FD_VOLUME + BOXMOUNTS_DISKS,
	SHIM_FD_END = SHIM_FD_SCRATCH + BOXMOUNTS_DISKS
};

enum shim_kind { SHIM_READY, SHIM_FAILED, SHIM_ENDED };

/* Both ends are the same program, so the struct crosses as it is. */
struct shim_msg {
	enum shim_kind kind;
	pid_t monitor;		/* READY */
	int wait_status;	/* ENDED: as waitpid() gives it */
	uint64_t cpu_us;	/* ENDED: of the monitor */
	uint64_t max_rss_bytes;
	struct err err;		/* FAILED */
};

struct shim_conf {
	const struct plan *plan;
	struct box box;		/* locked */
	bool brief;		/* remove it at the end */
	int leash;		/* the shim's end */
	int plan_fd;		/* the monitor's end */
};

/* The rest of a forked process's life. */
void shim_main(struct shim_conf *c) __attribute__((noreturn));
