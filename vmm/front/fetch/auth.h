/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - what a registry wants to hear before it answers.
 *
 * RFC 7235 challenges; docker's token service (distribution-spec, "Token
 * Authentication"). Credentials are sent to the registry, and to the service
 * that it names, over https only, unless the user allowed http there. */
#pragma once

#include "base/err.h"
#include "fetch/creds.h"
#include "fetch/http.h"

#include <stdbool.h>

/* What a challenge says. */
struct auth_want {
	bool bearer, basic;
	char realm[1024], service[256], scope[512];
};

/* Of WWW-Authenticate; neither bearer nor basic when it is not understood. */
void auth_parse(const char *challenge, struct auth_want *w);

/* The value of Authorization that answers the challenge; the caller frees it.
 * scope is used when the challenge names none. -EACCES: it wants a login. */
int auth_answer(const struct http_conf *conf, const char *challenge,
		const char *scope, const struct creds *c, char **out,
		struct err *e);
