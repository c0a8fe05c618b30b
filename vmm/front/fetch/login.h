/* SPDX-License-Identifier: Apache-2.0 */
/* login.h - who the user is at a registry: tried, then kept. */
#pragma once

#include "base/err.h"

/* Asks the registry; what it accepts is kept where docker looks for it (or in
 * REGISTRY_AUTH_FILE, or with the helper that is configured). */
int login_store(const char *host, const char *user, const char *password,
		struct err *e);
/* -ENOENT: "not logged in". */
int login_erase(const char *host, struct err *e);
