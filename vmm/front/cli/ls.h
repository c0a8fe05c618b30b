/* SPDX-License-Identifier: Apache-2.0 */
/* ls.h - what the commands that list things have in common. */
#pragma once

#include "cli/cmd.h"
#include "cli/table.h"

/* cmd_parse() of one that takes no words: 0, or -1 and *status. */
int ls_parse(const struct cmd *c, int argc, char **argv, void *what,
	     int *status);

/* Fills the table by itself, and prints it, or what stands for it. */
typedef int ls_list(void *what, struct table *t, struct err *e);
/* With a table of that kind and the user's format, which may be NULL. Returns
 * the exit status. */
int ls_run(const struct cmd *c, const struct table_kind *kind,
	   const char *format, ls_list *list, void *what);
