/* SPDX-License-Identifier: Apache-2.0 */
/* creds.h - who the user is at a registry, as docker and podman keep it.
 *
 * Looked for in this order: REGISTRY_AUTH_FILE; containers/auth.json below
 * XDG_RUNTIME_DIR and XDG_CONFIG_HOME (~/.config); config.json below
 * DOCKER_CONFIG (~/.docker). In each a helper (credHelpers, credsStore) comes
 * before what the file says itself, and the longest name that fits wins:
 * "host/path", "host". containers-auth.json(5). */
#pragma once

#include "base/err.h"

#include <stdbool.h>

struct creds {
	char *user, *password; /* NULL: nobody in particular */
	char *refresh;	       /* docker's identitytoken */
};

/* name: "docker.io/library/debian". 0 and empty when there are none. */
int creds_find(const char *name, struct creds *c, struct err *e);
void creds_fini(struct creds *c);
/* creds_write.c: kept, for the whole host. The file is REGISTRY_AUTH_FILE or
 * docker's; a helper that is named there is asked instead. */
int creds_store(const char *host, const struct creds *c, struct err *e);
/* -ENOENT: there are none. */
int creds_erase(const char *host, struct err *e);
/* "user:password" in base64; the caller frees it. NULL: no memory. */
char *creds_basic(const struct creds *c);
