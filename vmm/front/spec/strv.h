/* SPDX-License-Identifier: Apache-2.0 */
/* strv.h - a list of strings it owns, NULL behind the last one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct strv {
	char **v;	/* NULL while empty */
	size_t n;
};

void strv_fini(struct strv *s);
/* Appends a copy; -ENOMEM. */
int strv_add(struct strv *s, const char *text);
/* NAME=value entries: replaces the one with the same NAME, or appends. */
int strv_put_env(struct strv *s, const char *text);
