/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - boxes as directories.
 *
 * A box is a directory named by its id, in one of two places: what is removed
 * when it ends (--rm) lives in the runtime directory, $XDG_RUNTIME_DIR/vial/
 * boxes (root: /run/vial, neither: /tmp/vial-UID), what is kept in the data
 * directory, and so survives a reboot. It holds
 *
 *   state.json    struct box_info, replaced as a whole
 *   config.json   the spec it was created from (spec/json.h)
 *   disk          what the box has written; kept boxes only
 *   lock          held (flock) by whoever keeps the box alive
 *   keep.sock     its keeper (keep.h)
 *   vsock.sock    the guest's streams, "CONNECT port"
 *   control.sock  the monitor, control.proto
 *   log, log.1    the command's output (box/log.h)
 *   console.log   what the guest's kernel printed
 *   vmm.log       what the monitor printed
 *
 * Who holds the lock may write state.json. A box whose state says that it runs
 * while nobody holds its lock was killed with everything that looked after it:
 * whoever looks next writes down its end, or removes it if it was not to be
 * kept. Creation, removal and that happen under one lock of each place, so a
 * half-made box is never touched. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOX_ID_LEN 64
#define BOX_SHORT_LEN 12 /* what people are shown */

/* status: "created", "running", "paused" or "exited". */
struct box_info {
	char id[BOX_ID_LEN + 1];
	char name[64];
	char status[16];
	char image[512];
	char command[256];		    /* for people */
	int64_t created, started, finished; /* CLOCK_REALTIME ms, 0: not yet */
	int exit_status;
	int pid;	 /* of the monitor; 0: none */
	bool brief;	 /* removed when it ends */
	bool oom_killed; /* so its command ended */
	char health[16]; /* "starting", "healthy", "unhealthy"; "": unchecked */
	unsigned health_failures;
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
/* CLOCK_REALTIME in milliseconds. */
int64_t state_now(void);

/* Makes the directory of info->id in its place, takes its lock and writes
 * info. An empty name or status and a zero created are filled in; a name that
 * is taken is refused with -EEXIST. */
int state_create(struct box *b, struct box_info *info, struct err *e);
/* Opens an existing one by id; does not take the lock. */
int state_open(struct box *b, const char *id, struct err *e);
/* Takes the lock; -EBUSY when somebody has it. */
int state_lock(struct box *b, struct err *e);
/* The same for what is to be done to a box, whether it runs or not: whoever
 * starts or ends it is waited for, as long as that may take. 1: it runs. info
 * is what it has become. */
int state_take(struct box *b, struct box_info *info, struct err *e);
void state_close(struct box *b);
/* Removes the directory and closes. Silent when it is gone already. */
void state_remove(struct box *b);

/* As it is written down; alive is false. */
int state_read(const struct box *b, struct box_info *info, struct err *e);
int state_write(const struct box *b, const struct box_info *info,
		struct err *e);
/* Another name, unless it is taken (-EEXIST). For who holds the box's lock. */
int state_rename(const struct box *b, struct box_info *info, const char *name,
		 struct err *e);

/* All boxes, newest first; the caller frees *out. Returns how many. */
int state_list(struct box_info **out, struct err *e);
/* By name, id or a beginning of an id that only one box has. */
int state_find(const char *what, struct box_info *info, struct err *e);
/* Whether somebody holds the box's lock. */
bool state_alive(const struct box *b);
bool state_is(const struct box_info *info, const char *status);

/* A whole file of the box, NUL behind it; NULL when there is none or it is
 * larger than max. */
char *state_slurp(const struct box *b, const char *file, size_t max);
/* Replaces a file of the box as a whole. */
int state_put(const struct box *b, const char *file, const char *text,
	      struct err *e);
/* The end of a file of the box, at most max bytes; NULL when there is none.
 * The caller frees it. */
char *state_tail(const struct box *b, const char *file, size_t max);
