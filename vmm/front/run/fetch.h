/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h - pulls an image, by the program that talks to registries. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct fetch_how {
	const char *platform; /* NULL: this host's */
	bool quiet;	      /* print the image's whole name and nothing else */
	bool to_stderr;	      /* what is printed, where stdout is a command's */
};

/* Waits until it is in the store or cannot be; the reason is the registry's,
 * and the code EIO. The store must not be open here: gc would find it in use.
 * SIGINT of a terminal ends both. */
int fetch_image(const char *name, const struct fetch_how *how, struct err *e);
