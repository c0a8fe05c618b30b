/* SPDX-License-Identifier: Apache-2.0 */
/* network.h - networks of several boxes, as they are written down: a file
 * each, networks/NAME.json below the data directory (where.h). What is there of
 * one on the host is there while a box is on it, and made by vial-netd
 * (net/lan.h). */
#pragma once

#include "base/err.h"
#include "spec/strv.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETWORK_NAME_MAX 63
#define NETWORK_ID_LEN	 64

struct network {
	char name[NETWORK_NAME_MAX + 1];
	char id[NETWORK_ID_LEN + 1];
	uint8_t subnet[4];
	unsigned prefix;
	bool internal; /* no way out but to each other */
	int64_t created;
	struct strv labels; /* NAME=VALUE */
};

int network_name_check(const char *name, struct err *e);
/* subnet "10.1.2.0/24" or NULL: one that nobody has. n has name, internal and
 * labels, and gets the rest. -EEXIST: there is one of that name. */
int network_create(struct network *n, const char *subnet, struct err *e);
/* By its name, or the begin of its id. -ENOENT. */
int network_get(const char *what, struct network *n, struct err *e);
/* The same: does what call it? */
bool network_called(const struct network *n, const char *what);
int network_remove(const struct network *n, struct err *e);
/* Of all, sorted; the caller frees with strv_fini(). */
int network_names(struct strv *names, struct err *e);
void network_fini(struct network *n);

/* Boxes whose spec names it, and those that are there by another's name.
 * address is "" where none runs. The caller frees the list. */
struct network_user {
	char name[64], id[65], address[16], mac[18];
	bool runs;
};
int network_users(const struct network *n, struct network_user **users,
		  size_t *count, struct err *e);
