/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - what an image says of itself: how it is run, how it came to be.
 *
 * OCI image-spec config.md, and docker's Healthcheck, Shell, StopTimeout. */
#pragma once

#include "base/err.h"
#include "image/digest.h"
#include "image/manifest.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_history {
	const char *created, *created_by, *comment; /* NULL: not said */
	bool empty;				    /* it made no layer */
};

struct config_health {
	const char **test; /* {"CMD", ...}, {"CMD-SHELL", x}, {"NONE"}, NULL */
	size_t ntest;
	uint64_t interval_ns, timeout_ns, start_period_ns, retries;
};

/* Strings point into json, which it owns; lists end with NULL, and are NULL
 * where the image says nothing. */
struct config {
	json_t *json; /* all of it, as it was */
	struct platform platform;
	const char *created, *author;	      /* RFC 3339; NULL: not said */
	const char *user, *cwd, *stop_signal; /* NULL or "": not said */
	const char **entrypoint, **cmd, **env;
	size_t nentrypoint, ncmd, nenv;
	json_t *labels, *volumes, *ports; /* objects, or NULL */
	struct config_health health;
	struct digest *diff_ids;
	size_t ndiff_ids;
	struct config_history *history;
	size_t nhistory;
};

/* c is zeroed or finished; on an error it is zeroed. */
int config_parse(const char *text, size_t len, struct config *c, struct err *e);
void config_fini(struct config *c);

/* OCI's chain ID of the first n layers: what the tree they make is called.
 * "" for none. */
void config_chain(const struct config *c, size_t n, struct digest *out);

/* When an image is made, as "created" has it. SOURCE_DATE_EPOCH: the same input
 * makes the same image. */
#define CONFIG_TIME 40
void config_now(char out[CONFIG_TIME]);
