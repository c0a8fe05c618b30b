/* SPDX-License-Identifier: Apache-2.0 */
/* each.h - commands that do one thing to each of the boxes they are given. */
#pragma once

#include "base/err.h"
#include "box/state.h"

/* One box, by what the user called it. Returns 0, or -errno with the reason;
 * 1: it went well, and nothing is to be printed. */
typedef int each_fn(void *arg, const char *what, struct err *e);

/* Calls fn for each word and prints the word when it went well; -ENOENT of one
 * does not keep the others. Returns the command's exit status. */
int each_box(char **words, int n, each_fn *fn, void *arg);

/* The box, open. */
int each_open(const char *what, struct box_info *info, struct box *b,
	      struct err *e);
/* -ESRCH unless it runs. doing: "kill". */
int each_running(const struct box_info *info, const char *doing, struct err *e);
