/* SPDX-License-Identifier: Apache-2.0 */
/* boxmounts.h - the host's side of a box's mounts, and what the guest is told.
 *
 * All folders of the host go through one share with the tag BOXMOUNTS_TAG, the
 * i-th of them as its i-th entry; the i-th volume is the disk with the serial
 * "v<i>". */
#pragma once

#include "base/err.h"
#include "proto/agent.pb-c.h"
#include "run/share.h"
#include "spec/mounts.h"

#define BOXMOUNTS_TAG "vial"
#define BOXMOUNTS_DISKS 7 /* the root is the eighth */

struct boxmounts {
	struct share share; /* fd -1: no folder of the host */
	int disk[BOXMOUNTS_DISKS]; /* owned */
	bool readonly[BOXMOUNTS_DISKS];
	/* What the guest writes to one that is read-only: ext4 wants to finish
	 * what a writer that was killed has begun. Nobody sees it. */
	int scratch[BOXMOUNTS_DISKS]; /* owned; -1: none */
	/* No disk of its own: what was written above the one before. */
	bool above[BOXMOUNTS_DISKS];
	unsigned ndisks;
};

#define BOXMOUNTS_INIT                                                         \
	{                                                                      \
		.share = SHARE_INIT                                            \
	}

/* Checks the sources, opens the volumes and starts the share. user is the box,
 * for others that want its volumes; those of a brief one that the user gave no
 * name never have one. Messages of the share go to log_fd, which may be -1. To
 * be called by the process that looks after the box (share.h). */
int boxmounts_open(struct boxmounts *b, const struct spec_mounts *m,
		   const char *user, bool brief, int log_fd, struct err *e);
/* The monitor has its copies of the descriptors. */
void boxmounts_hand_on(struct boxmounts *b);
/* Ends the share. */
void boxmounts_close(struct boxmounts *b);

/* Whether a volume that the box may write to is there after it. */
bool boxmounts_outlive(const struct spec_mounts *m, bool brief);
/* Removes the volumes that the user gave no name (`vial rm -v`), as far as
 * they are there and no other box mounts them. */
void boxmounts_remove_anonymous(const struct spec_mounts *m);

/* Setup.mounts. *room is freed by the caller behind the message. */
int boxmounts_setup(const struct spec_mounts *m, Vial__Agent__Setup *setup,
		    void **room, struct err *e);
