/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/login.h"

#include "base/auto.h"
#include "fetch/auth.h"
#include "base/fd.h"
#include "fetch/conf.h"
#include "fetch/confine.h"
#include "fetch/creds.h"
#include "fetch/http.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HUB "docker.io"

struct attempt {
	const char *host; /* that answers */
	const char *scheme;
	struct http_conf conf;
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

	if ((r != -EIO && r != -EAGAIN) || !a->conf.plain)
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

/* In a process that may do nothing else: a helper that keeps the login is
 * started behind it, by us. What it says is why not. */
static int try_apart(struct attempt *a, const struct creds *c, struct err *e)
{
	int p[2], status = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0) {
		int r = confine(NULL, e);

		if (r == 0)
			r = try(a, c, e);
		if (r < 0)
			fd_write_full(p[1], e, sizeof(*e));
		_exit(r < 0);
	}
	close(p[1]);
	n = pid < 0 ? err_sys(e, "fork") : fd_read_full(p[0], e, sizeof(*e));
	close(p[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return (int)n;
	if (n == (ssize_t)sizeof(*e)) {
		e->msg[sizeof(e->msg) - 1] = '\0';
		return e->code > 0 ? -e->code
				   : err_set(e, EPROTO, "it does not say why");
	}
	return status == 0 ? 0 : err_set(e, EIO, "it ended (%d)", status);
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
		r = conf_find_host(host, &a.conf, e);
	if (r == 0)
		r = try_apart(&a, &c, e);
	if (r < 0)
		err_wrap(e, "login to %.100s", host);
	else
		r = creds_store(host, &c, e);
	http_conf_fini(&a.conf);
	creds_fini(&c);
	return r;
}

int login_erase(const char *host, struct err *e)
{
	return creds_erase(host, e);
}
