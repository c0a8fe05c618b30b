/* SPDX-License-Identifier: Apache-2.0 */
/* transfer_priv.h - one copy under way, shared by transfer.c, which talks to
 * the agent, and transfer_host.c, which knows this side's files. */
#pragma once

#include "guest/copy.h"
#include "guest/cp.h"
#include "guest/guest.h"
#include "guest/pack.h"
#include "run/run.h"
#include "run/transfer.h"
#include "guest/unpack.h"

/* What the child counts, in memory it shares with us. */
struct moved {
	struct pack_stats in;
	struct unpack_stats out;
	uint64_t raw;
};

/* The agent's answer to a Stat. */
struct seen {
	int error;
	uint32_t mode, resolved_mode;
	uint64_t size;
	char link[PATH_MAX], resolved[PATH_MAX];
};

struct work {
	struct transfer *t;
	struct loop *loop;
	struct guest agent;
	int boxdir;
	const struct box *box;	       /* NULL: it is visited */
	const struct run_visit *visit; /* NULL: the box runs */
	uint64_t key;		       /* of what the agent was asked */
	bool answered;
	struct seen seen;
	struct err failed, lost;
	struct copy copy;
	struct moved *moved;
	uint64_t total;
	/* Whole paths. What is copied: */
	char here[PATH_MAX], there[PATH_MAX];
	char top[NAME_MAX + 1];	 /* out: as the agent's archive calls it */
	char name[NAME_MAX + 1]; /* as it is called where it goes */
};

/* A tar stream of the user's, instead of files of the host. */
bool work_raw(const struct work *w);
/* in: the host's side; here is clean after. */
int work_look_here(struct work *w, struct cp_end *src, struct err *e);
/* out: here becomes the folder to unpack into, name what src is called. */
int work_aim_here(struct work *w, const struct cp_end *src, struct err *e);

int work_share(struct work *w, struct err *e);
void work_unshare(struct work *w);
uint64_t work_moved(const struct work *w);
/* What the child does; it is given w. */
copy_job *work_job(const struct work *w);
