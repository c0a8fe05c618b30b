/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/creds.h"

#include "base/auto.h"
#include "base/fd.h"
#include "fetch/creds_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where it is kept: one file, others are only read. */
static int own_file(char path[PATH_MAX], struct err *e)
{
	const char *file = getenv("REGISTRY_AUTH_FILE");
	const char *docker = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	size_t len;

	if (file && *file) {
		snprintf(path, PATH_MAX, "%s", file);
		return 0;
	}
	if (docker && *docker) {
		snprintf(path, PATH_MAX, "%s", docker);
	} else {
		if (!home || !*home)
			return err_set(e, ENOENT,
				       "HOME is not set: where should it be "
				       "kept?");
		snprintf(path, PATH_MAX, "%s/.docker", home);
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make %s", path);
	len = strlen(path);
	if (len + sizeof("/config.json") > PATH_MAX)
		return err_set(e, ENAMETOOLONG, "%.100s: too long", path);
	snprintf(path + len, PATH_MAX - len, "/config.json");
	return 0;
}

/* What is in it; a new object when it is not there. */
static int load(const char *path, json_t **root, struct err *e)
{
	*root = NULL;
	if (creds_load(path, root, e) < 0)
		return -e->code;
	if (!*root)
		*root = json_object();
	return *root ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int write_text(const char *path, const char *text, struct err *e)
{
	autofree char *tmp = NULL;
	autoclose int fd = -1;
	int r;

	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		return err_set(e, ENOMEM, "out of memory");
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "make %s", tmp);
	r = fd_write_full(fd, text, strlen(text));
	if (r < 0)
		err_set(e, -r, "write %s: %s", path, strerror(-r));
	else if (fsync(fd) < 0 || rename(tmp, path) < 0)
		r = err_sys(e, "write %s", path);
	if (r < 0)
		unlink(tmp);
	return r;
}

static int save(const char *path, json_t *root, struct err *e)
{
	autofree char *text = json_dumps(root, JSON_INDENT(1));
	int r;

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	r = write_text(path, text, e);
	explicit_bzero(text, strlen(text));
	return r;
}

static int put(json_t *root, const char *host, const struct creds *c,
	       struct err *e)
{
	autofree char *basic = creds_basic(c);
	json_t *auths = json_object_get(root, "auths");

	if (!basic)
		return err_set(e, ENOMEM, "out of memory");
	if (!json_is_object(auths)) {
		json_object_set_new(root, "auths", json_object());
		auths = json_object_get(root, "auths");
	}
	json_object_set_new(auths, creds_server(host),
			    json_pack("{s:s}", "auth", basic));
	explicit_bzero(basic, strlen(basic));
	return 0;
}

static int to_helper(const char *helper, const char *host,
		     const struct creds *c, struct err *e)
{
	json_t *o = json_pack("{s:s, s:s, s:s}", "ServerURL",
			      creds_server(host), "Username", c->user, "Secret",
			      c->password);
	autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	json_t *answer = NULL;
	int r = text ? creds_helper(helper, "store", text, &answer) : -ENOMEM;

	if (text)
		explicit_bzero(text, strlen(text));
	json_decref(o);
	json_decref(answer);
	if (r < 0)
		return err_set(e, -r,
			       "docker-credential-%.60s does not keep "
			       "it",
			       helper);
	return 0;
}

int creds_store(const char *host, const struct creds *c, struct err *e)
{
	char path[PATH_MAX];
	const char *helper;
	json_t *root;
	int r;

	if (own_file(path, e) < 0 || load(path, &root, e) < 0)
		return -e->code;
	helper = creds_helper_of(root, host);
	if (helper)
		r = to_helper(helper, host, c, e);
	else if ((r = put(root, host, c, e)) == 0)
		r = save(path, root, e);
	json_decref(root);
	return r;
}

int creds_erase(const char *host, struct err *e)
{
	char path[PATH_MAX];
	const char *helper;
	json_t *root, *auths, *answer = NULL;
	bool had;
	int r;

	if (own_file(path, e) < 0 || load(path, &root, e) < 0)
		return -e->code;
	auths = json_object_get(root, "auths");
	had = json_object_del(auths, creds_server(host)) == 0;
	helper = creds_helper_of(root, host);
	r = had ? save(path, root, e) : 0;
	if (r == 0 && helper &&
	    creds_helper(helper, "erase", creds_server(host), &answer) == 0)
		had = true;
	json_decref(answer);
	json_decref(root);
	if (r == 0 && !had)
		r = err_set(e, ENOENT, "Not logged in to %.100s", host);
	return r;
}
