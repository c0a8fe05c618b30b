/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool colour_wanted(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (!no || !*no) && term && *term && strcmp(term, "dumb") != 0 &&
	       isatty(fd);
}

const char *colour(int fd, enum colour c)
{
	static const char *const sequences[] = {
		[COLOUR_PLAIN] = "\033[0m",   [COLOUR_BOLD] = "\033[1m",
		[COLOUR_RED] = "\033[31m",    [COLOUR_GREEN] = "\033[32m",
		[COLOUR_YELLOW] = "\033[33m",
	};

	return colour_wanted(fd) ? sequences[c] : "";
}
