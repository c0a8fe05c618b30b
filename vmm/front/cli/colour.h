/* SPDX-License-Identifier: Apache-2.0 */
/* colour.h - colours where a person looks.
 *
 * On a terminal, unless NO_COLOR is set or TERM is "dumb" or missing. Where
 * there are to be none, every sequence is the empty string. */
#pragma once

#include <stdbool.h>

enum colour {
	COLOUR_PLAIN, /* ends the others */
	COLOUR_BOLD,
	COLOUR_RED,
	COLOUR_GREEN,
	COLOUR_YELLOW,
};

/* What to write to fd to get it. */
const char *colour(int fd, enum colour c);
bool colour_wanted(int fd);
