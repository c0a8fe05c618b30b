/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h - how registries are reached: certificates and exceptions.
 *
 * A registry on this host may speak http, as docker has it. Others: insecure =
 * true for a location in registries.conf (containers-registries.conf(5)), of
 * which only [[registry]] with location or prefix, insecure and blocked is
 * read: ~/.config/containers/registries.conf, else /etc/containers/
 * registries.conf. Certificates: HOST[:PORT]/ca.crt, client.cert and client.key
 * below /etc/docker/certs.d, /etc/containers/certs.d and
 * ~/.config/containers/certs.d. */
#pragma once

#include "base/err.h"
#include "fetch/http.h"

/* host: "registry.example:5000". paths own the strings of c: ca, cert, key. */
int conf_find(const char *host, struct http_conf *c, char *paths[3],
	      struct err *e);

/* For tests: what text, a registries.conf, says of host. */
struct conf_says {
	bool insecure, blocked;
};
void conf_read(const char *text, const char *host, struct conf_says *says);
