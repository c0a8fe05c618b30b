/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/login.h"

#include "base/auto.h"
#include "fetch/auth.h"
#include "fetch/conf.h"
#include "fetch/creds.h"
#include "fetch/http.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HUB "docker.io"

struct attempt {
	const char *host; /* that answers */
	const char *scheme;
	struct http_conf conf;
	char *paths[3];
};

static int get(struct attempt *a, const char *authorization,
	       struct http_res *res, struct err *e)
{
	const char *headers[] = { authorization, NULL };
	char url[400];
	struct http_req req = { .url = url, .headers = headers };

	snprintf(url, sizeof(url), "%s://%s/v2/", a->scheme, a->host);
	return http_do(&a->conf, &req, res, e);
}

static int first(struct attempt *a, struct http_res *res, struct err *e)
{
	int r = get(a, NULL, res, e);

	if (r == 0 || !a->conf.plain)
		return r;
	a->scheme = "http";
	return get(a, NULL, res, e);
}

static int again(struct attempt *a, const char *challenge,
		 const struct creds *c, struct err *e)
{
	char *authorization = NULL;
	struct http_res res;
	int r = auth_answer(&a->conf, challenge, "", c, &authorization, e);

	if (r < 0)
		return r;
	r = get(a, authorization, &res, e);
	explicit_bzero(authorization, strlen(authorization));
	free(authorization);
	if (r == 0 && res.status != 200)
		r = err_set(e, EACCES,
			    "unauthorized: incorrect username or password");
	return r;
}

static int try(struct attempt *a, const struct creds *c, struct err *e)
{
	struct http_res res;

	if (first(a, &res, e) < 0)
		return -e->code;
	if (res.status == 200)
		return 0;
	if (res.status != 401 || !*res.challenge)
		return err_set(e, EPROTO, "it is no registry: it says %ld",
			       res.status);
	return again(a, res.challenge, c, e);
}

int login_store(const char *host, const char *user, const char *password,
		struct err *e)
{
	struct attempt a = { .host = host, .scheme = "https" };
	struct creds c = { .user = strdup(user), .password = strdup(password) };
	int r = c.user && c.password ? 0 : err_set(e, ENOMEM, "out of memory");

	if (strcmp(host, HUB) == 0)
		a.host = "registry-1.docker.io";
	if (r == 0)
		r = conf_find(host, &a.conf, a.paths, e);
	if (r == 0)
		r = try(&a, &c, e);
	if (r < 0)
		err_wrap(e, "login to %.100s", host);
	else
		r = creds_store(host, &c, e);
	for (size_t i = 0; i < ARRAY_LEN(a.paths); i++)
		free(a.paths[i]);
	creds_fini(&c);
	return r;
}

int login_erase(const char *host, struct err *e)
{
	return creds_erase(host, e);
}
