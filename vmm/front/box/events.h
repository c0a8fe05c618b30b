/* SPDX-License-Identifier: Apache-2.0 */
/* events.h - what has happened to boxes, for those who watch.
 *
 * A file of lines in the runtime directory, each an object as docker's events
 * have it. Whoever changes a box's state adds one line with one write. At its
 * limit `events` becomes `events.1`, and the one before that goes, so that it
 * is a window and not an archive. Events are told, not promised: a host that
 * has no room for one goes on without. */
#pragma once

#include "base/err.h"
#include "box/state.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* "create", "start", "die", "destroy", ...; key, when not NULL, is one more
 * attribute. */
void boxevents_add(const struct box_info *info, const char *action,
		   const char *key, const char *value);
/* "oom", if that is what it was, and "die" with its exit status. */
void boxevents_ended(const struct box_info *info);
/* What the difference says: pause, unpause, health_status. */
void boxevents_changed(const struct box_info *before,
		       const struct box_info *after);

struct boxevents_read {
	int64_t since_ms; /* CLOCK_REALTIME; 0: only what is yet to come */
	int64_t until_ms; /* 0: for ever */
	/* line is the text of event. Negative: stop, with that as result. */
	int (*each)(void *arg, json_t *event, const char *line, struct err *e);
	void *arg;
};

/* Returns 0 when until_ms has come, or what each() said. */
int boxevents_read(const struct boxevents_read *how, struct err *e);
