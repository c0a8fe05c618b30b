/* SPDX-License-Identifier: Apache-2.0 */
/* opt.h - option tables and the parser that reads a command line by them.
 *
 * The words are docker's: "-it" is two flags, "-eA=b" and "-e A=b", "--env=A=b"
 * and "--env A=b" are the same, a flag may be given "=false", and options end
 * at the first word that is none (or at "--"), so that a command's own options
 * are never taken for ours. The same tables make the help and the completion
 * of shells, which tells by opt.arg what a value is (see opt_takes()).
 *
 * docker's callers pass flags that mean nothing to a box. OPT_IGNORED accepts
 * one with a warning, OPT_REFUSED ends with the reason; both know values that
 * ask for nothing and pass without a word. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum opt_kind {
	OPT_KIND_OWN,
	OPT_KIND_IGNORED,
	OPT_KIND_REFUSED,
	OPT_KIND_GROUP, /* a heading: help is its text, name is "" */
};

struct opt {
	const char *name; /* without "--"; NULL ends the table */
	char letter;	  /* 0: none */
	enum opt_kind kind;
	bool many;	  /* may be repeated, all of them count */
	const char *arg;  /* what follows, for the help; NULL: a flag */
	const char *help; /* of those ignored or refused: why */
	const char *fine; /* their values that need no word: "no|private" */
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
/* The same for one that may be repeated. */
#define OPT_LIST(l, n, fn, a, h)                                               \
	{                                                                      \
		.name = (n), .letter = (l), .many = true, .arg = (a),          \
		.help = (h), .set = (fn)                                       \
	}
/* a is NULL for a flag, "" counts among the values of f. */
#define OPT_IGNORED(l, n, a, f, why)                                           \
	{                                                                      \
		.name = (n), .letter = (l), .kind = OPT_KIND_IGNORED,          \
		.arg = (a), .help = (why), .fine = (f)                         \
	}
/* One whose value is looked at all the same; the warning is its owner's. */
#define OPT_JUDGED(l, n, fn, a, f, why)                                        \
	{                                                                      \
		.name = (n), .letter = (l), .kind = OPT_KIND_IGNORED,          \
		.arg = (a), .help = (why), .fine = (f), .set = (fn)            \
	}
#define OPT_REFUSED(l, n, a, f, why)                                           \
	{                                                                      \
		.name = (n), .letter = (l), .kind = OPT_KIND_REFUSED,          \
		.arg = (a), .help = (why), .fine = (f)                         \
	}
#define OPT_GROUP(title)                                                       \
	{                                                                      \
		.name = "", .kind = OPT_KIND_GROUP, .help = (title)            \
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
/* The same for commands whose words are no command of the user's: options are
 * also found behind words. These are moved to the end of argv, in order. */
int opt_parse_mixed(const struct opt *table, int argc, char **argv, void *what,
		    bool *help, struct err *e);

/* One line for each option, below the headings of the table; those that are
 * ignored share one. bold and plain are put around headings. */
void opt_help(const struct opt *table, FILE *out);
void opt_help_styled(const struct opt *table, FILE *out, const char *bold,
		     const char *plain);

/* What a word of the help stands for: "FILE", "HOST:GUEST", "BOX...". */
enum opt_value {
	OPT_VALUE_NONE, /* a flag */
	OPT_VALUE_TEXT, /* nothing that could be listed */
	OPT_VALUE_FILE,
	OPT_VALUE_DIR,
	OPT_VALUE_BOX,
	OPT_VALUE_IMAGE,
	OPT_VALUE_VOLUME,
	OPT_VALUE_SIGNAL,
};
enum opt_value opt_takes(const char *word);

/* Of count names (NULL ones are skipped) the one most like word, or NULL when
 * none is near. */
const char *opt_nearest(const char *word, const char *const *names,
			size_t count);
