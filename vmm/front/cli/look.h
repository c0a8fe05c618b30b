/* SPDX-License-Identifier: Apache-2.0 */
/* look.h - what the inspect commands have in common. */
#pragma once

#include "cli/cmd.h"

#include <jansson.h>

/* cmd_parse() of one that needs a word, which is called "a VOLUME" say, and has
 * a template at *format, or NULL: a bad one is refused. */
int look_parse(const struct cmd *c, int argc, char **argv, const char *needs,
	       void *what, const char *const *format, int *status);

/* What there is to know of one: the caller owns it; NULL, and the reason. */
typedef json_t *look_at(void *arg, const char *word, struct err *e);
/* Prints all that are there. Those that are not say so: as docker does with
 * -ENOENT. Returns the exit status. */
int look_run(char **words, int n, const char *format, look_at *at, void *arg);

/* A command with no other option: LOOK_OPTS is its table. */
struct look {
	const char *format;
};

#define LOOK_OPTS                                                              \
	{                                                                      \
		OPT_STR('f', "format", struct look, format, "TEMPLATE",        \
			"A Go template, or 'json'"),                           \
			OPT_END                                                \
	}

int look_main(const struct cmd *c, int argc, char **argv, const char *needs,
	      look_at *at);
