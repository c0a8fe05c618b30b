/* SPDX-License-Identifier: Apache-2.0 */
/* volume_use.h - which boxes mount which volumes.
 *
 * A volume's lock (volume.h) says whether a box that runs has it open. One that
 * was only created, or has ended, may be started again and wants its volume
 * then: it counts as well, as docker has it. */
#pragma once

#include "base/err.h"
#include "box/state.h"
#include "box/volume.h"

#include <stdbool.h>
#include <stddef.h>

struct volume_use {
	char volume[VOLUME_NAME_MAX + 1];
	char box[BOX_ID_LEN + 1], name[64];
	bool alive;
};

/* Zeroed is empty. */
struct volume_uses {
	struct volume_use *v;
	size_t n;
};

/* All of them; reads the configuration of every box. */
int volume_use_scan(struct volume_uses *u, struct err *e);
void volume_use_fini(struct volume_uses *u);

/* How many boxes mount it. */
unsigned volume_use_count(const struct volume_uses *u, const char *volume);
/* Names of those of them that run, but for one: "a, b". False: none. */
bool volume_use_running(const struct volume_uses *u, const char *volume,
			const char *but, char *names, size_t size);
/* -EBUSY and the boxes, unless there are none. */
int volume_use_check(const struct volume_uses *u, const char *volume,
		     struct err *e);
