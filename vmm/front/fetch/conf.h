/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - how registries are reached: http or https, certificates.
 *
 * A registry on this host may speak http, as docker has it, and others where
 * registries.conf calls them insecure (image/registries.h). Certificates are
 * below certs.d/HOST[:PORT], of ~/.config/containers, /etc/containers or
 * /etc/docker, the first that has the folder: *.crt are authorities that are
 * trusted besides the system's, NAME.cert and NAME.key say who we are.
 * containers-certs.d(5). */
#pragma once

#include "base/err.h"
#include "fetch/http.h"

#include <stdbool.h>

/* host: "registry.example:5000". c is zeroed; http_conf_fini() afterwards. */
int conf_find(const char *host, bool insecure, struct http_conf *c,
	      struct err *e);
/* The same by registries.conf, for a host as a whole. */
int conf_find_host(const char *host, struct http_conf *c, struct err *e);
