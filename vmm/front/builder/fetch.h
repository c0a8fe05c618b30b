/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h - pulls images and logs in, by the program that talks to registries.
 *
 * All wait until it is done or cannot be; the reason is the registry's, and
 * the code EIO. */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct fetch_how {
	const char *platform; /* NULL: this host's */
	bool quiet;	      /* print the image's whole name and nothing else */
	bool to_stderr;	      /* what is printed, where stdout is a command's */
	bool all_tags;	      /* of a name that comes without one */
};

/* The store must not be open here: gc would find it in use. SIGINT of a
 * terminal ends both. */
int fetch_image(const char *name, const struct fetch_how *how, struct err *e);

/* To where its name says; with all_tags all that the name has. */
int fetch_push(const char *name, bool all_tags, bool quiet, struct err *e);

/* What the registry accepts is kept. host: "docker.io". */
int fetch_login(const char *host, const char *user, const char *password,
		struct err *e);
int fetch_logout(const char *host, struct err *e);
