/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - the keys by which a terminal is taken off a command.
 *
 * What is typed goes through keys_feed(). The beginning of the sequence is held
 * back until it is whole, which is the wish to leave, or something else, which
 * is let through then. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define KEYS_MAX 16

struct keys {
	unsigned char key[KEYS_MAX];
	int n;	     /* 0: nothing takes it off */
	int matched; /* of what is typed, and held back */
};

/* "a,ctrl-x"; NULL: ctrl-p,ctrl-q; "": none. -EINVAL when it makes no sense. */
int keys_parse(struct keys *k, const char *text, struct err *e);

/* From len typed bytes to those that are the command's: *outlen of them, up to
 * len + KEYS_MAX. True when the sequence is whole; what comes behind it is
 * dropped. */
bool keys_feed(struct keys *k, const unsigned char *in, size_t len,
	       unsigned char *out, size_t *outlen);
