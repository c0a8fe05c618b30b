/* SPDX-License-Identifier: Apache-2.0 */
/* opt.h - option tables and the parser that reads a command line by them.
 *
 * The words are docker's: "-it" is two flags, "-eA=b" and "-e A=b", "--env=A=b"
 * and "--env A=b" are the same, a flag may be given "=false", and options end
 * at the first word that is none (or at "--"), so that a command's own options
 * are never taken for ours. The same tables make the help. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct opt {
	const char *name; /* without "--"; NULL ends the table */
	char letter;	  /* 0: none */
	const char *arg;  /* what follows, for the help; NULL: a flag */
	const char *help;
	/* One of the three: a bool or const char * member of what is filled,
	 * or a function for a value. */
	size_t flag, str; /* OPT_AT(), 0: none */
	int (*set)(void *what, const char *value, struct err *e);
};

#define OPT_AT(type, member) (offsetof(type, member) + 1)
#define OPT_FLAG(l, n, type, member, h)                                        \
	{                                                                      \
		.name = (n), .letter = (l), .help = (h),                       \
		.flag = OPT_AT(type, member)                                   \
	}
#define OPT_STR(l, n, type, member, a, h)                                      \
	{                                                                      \
		.name = (n), .letter = (l), .arg = (a), .help = (h),           \
		.str = OPT_AT(type, member)                                    \
	}
#define OPT_SET(l, n, fn, a, h)                                                \
	{                                                                      \
		.name = (n), .letter = (l), .arg = (a), .help = (h),           \
		.set = (fn)                                                    \
	}
#define OPT_END                                                                \
	{                                                                      \
		.name = NULL                                                   \
	}

/* Fills what from argv[1] on. Returns the index of the first word that is no
 * option, or -EINVAL with the reason. --help (and -h where the table has no
 * other use for it) sets *help and returns at once. Values stay in argv. */
int opt_parse(const struct opt *table, int argc, char **argv, void *what,
	      bool *help, struct err *e);

/* One line for each option. */
void opt_help(const struct opt *table, FILE *out);

/* Of count names (NULL ones are skipped) the one most like word, or NULL when
 * none is near. */
const char *opt_nearest(const char *word, const char *const *names,
			size_t count);
