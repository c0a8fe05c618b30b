/* SPDX-License-Identifier: Apache-2.0 */
/* plan.h - a spec resolved: every file open, every size known.
 *
 * Opening a plan changes nothing anyone can see. The directory of the box and
 * its sockets are state.h's and launch.h's. */
#pragma once

#include "base/err.h"
#include "run/boxmounts.h"
#include "run/sockets.h"
#include "box/boxnet.h"
#include "spec/spec.h"

#include <limits.h>
#include <stdint.h>

struct plan {
	unsigned vcpus;
	uint64_t ram_bytes;
	struct limits limits; /* its strings are the spec's */
	const char *cmdline;
	bool verbose;
	int kvm, kernel, initramfs; /* owned */
	int image, overlay; /* the root disk; owned; -1: there is none */
	/* of who looks after the box; or NULL */
	const struct boxmounts *mounts;
	const struct boxnet *net;
	const struct sockets *sockets;
	char vmm[PATH_MAX];
};

#define PLAN_INIT                                                              \
	{                                                                      \
		.kvm = -1, .kernel = -1, .initramfs = -1, .image = -1,         \
		.overlay = -1                                                  \
	}

int plan_open(struct plan *p, const struct spec *s, struct err *e);
/* The machine that unpacks an image: no root disk. */
int plan_open_builder(struct plan *p, struct err *e);
/* The file that takes what the box writes: its own one, or, boxdir -1, one
 * without a name. */
int plan_open_disk(struct plan *p, int boxdir, struct err *e);
void plan_close(struct plan *p);

/* /dev/kvm, or the reason why not with what to do about it. */
int plan_open_kvm(struct err *e);
/* The number of CPUs this process may use. */
unsigned plan_host_cpus(void);
/* Of the whole host and what is left; 0: unknown. */
void plan_host_memory(uint64_t *total, uint64_t *available);
