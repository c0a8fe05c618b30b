/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - boxes as directories.
 *
 * A box is a directory below $XDG_RUNTIME_DIR/vial/boxes (root: /run/vial,
 * neither: /tmp/vial-UID), named by its id:
 *
 *   state.json    struct box_info, replaced as a whole
 *   lock          held (flock) by whoever keeps the box alive
 *   vsock.sock    the guest's streams, "CONNECT port"
 *   control.sock  the monitor, control.proto
 *   console.log   what the guest's kernel printed
 *   vmm.log       what the monitor printed
 *
 * A directory whose lock nobody holds and whose state is not "exited" belongs
 * to a box that was killed with everything that looked after it; state_create()
 * and state_list() remove such directories. Creation, removal and sweeping
 * happen under one lock of the folder, so a half-made box is never swept. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOX_ID_LEN 12

struct box_info {
	char id[BOX_ID_LEN + 1];
	char name[64];
	char status[16]; /* "running", "exited" */
	char image[512];
	char command[256];	   /* for people */
	int64_t created, finished; /* CLOCK_REALTIME seconds, 0: not yet */
	int exit_status;
	char reason[400];
	bool alive; /* somebody holds the lock; not stored */
};

/* Descriptors are -1 when closed. */
struct box {
	char id[BOX_ID_LEN + 1];
	int root; /* the folder of all boxes */
	int dir;
	int lock; /* held while open here or in a child */
};

#define BOX_INIT                                                               \
	{                                                                      \
		.root = -1, .dir = -1, .lock = -1                              \
	}

/* A fresh id; not yet taken by anything. */
void state_new_id(char id[BOX_ID_LEN + 1]);

/* Makes the directory of info->id, takes its lock and writes info. An empty
 * info->name and a zero info->created are filled in; one that is taken is refused with -EEXIST. */
int state_create(struct box *b, struct box_info *info, struct err *e);
/* Opens an existing one by id; does not take the lock. */
int state_open(struct box *b, const char *id, struct err *e);
void state_close(struct box *b);
/* Removes the directory and closes. Silent when it is gone already. */
void state_remove(struct box *b);

int state_read(const struct box *b, struct box_info *info, struct err *e);
int state_write(const struct box *b, const struct box_info *info,
		struct err *e);

/* All boxes, newest first; the caller frees *out. Sweeps. Returns how many. */
int state_list(struct box_info **out, struct err *e);
/* By name, id or a beginning of an id that only one box has. */
int state_find(const char *what, struct box_info *info, struct err *e);
/* Whether somebody holds the box's lock. */
bool state_alive(const struct box *b);

/* The end of a file of the box, at most max bytes; NULL when there is none.
 * The caller frees it. */
char *state_tail(const struct box *b, const char *file, size_t max);
