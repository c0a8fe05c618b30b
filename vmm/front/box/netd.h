/* SPDX-License-Identifier: Apache-2.0 */
/* netd.h - vial-netd, started and asked; boxnet.h. */
#pragma once

#include "base/err.h"
#include "box/boxnet.h"
#include "box/network.h"
#include "spec/spec.h"

/* What a network of several boxes adds; net NULL: nothing. */
struct netd_lan {
	const struct network *net;
	const char *name; /* of the box */
};

/* n->info.mode and mac say what is wanted; the rest of info, pid, sock and tap
 * are the answer. On failure nothing is left. */
int netd_start(struct boxnet *n, const struct spec *s,
	       const struct netd_lan *lan, const char *id, int log,
	       struct err *e);

struct netegress;

/* The program, as vial-netd HOW; NULL: that of a box. *sock is its life. */
int netd_spawn(const char *how, int log, const struct netegress *g, pid_t *pid,
	       int *sock, struct err *e);

struct chan;
typedef struct Vial__Net__Answer Vial__Net__Answer;

/* Its next answer, at most a minute from now: who asks may have a box to keep.
 * fd: takes n descriptors that come in front of it, -1 where there is none,
 * also where an error is told; n 0: nothing comes in front. */
int netd_hear(int sock, struct chan *c, int *fd, size_t n,
	      Vial__Net__Answer **said, struct err *e);

/* The vial-netd of a box that runs, from whom nothing is on its way, is told
 * and has answered. fd goes with it, -1: none; fds as above. */
typedef struct Vial__Net__Change Vial__Net__Change;
int netd_change(int sock, const Vial__Net__Change *m, int fd, int *fds,
		size_t nfds, struct err *e);
