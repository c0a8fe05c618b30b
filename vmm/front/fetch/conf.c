/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/conf.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/registries.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define FILE_MAX (1u << 20)

/* ---- certificates ---- */

static bool ends(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* What is in the file goes behind *out. */
static int append(const char *dir, const char *name, char **out, struct err *e)
{
	char path[PATH_MAX + NAME_MAX + 2];
	autofree char *text = NULL;
	autoclose int fd = -1;
	char *both = NULL;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open %s", path);
	n = fd_slurp(fd, &text, FILE_MAX);
	if (n < 0)
		return err_set(e, (int)-n, "read %s: %s", path,
			       strerror((int)-n));
	if (asprintf(&both, "%s%s\n", *out ? *out : "", text) < 0)
		return err_set(e, ENOMEM, "out of memory");
	free(*out);
	*out = both;
	return 0;
}

static int client(const char *dir, const char *name, struct http_conf *c,
		  struct err *e)
{
	char key[NAME_MAX + 1];

	/* One is sent; the first by name. */
	if (c->cert)
		return 0;
	snprintf(key, sizeof(key), "%.*s.key",
		 (int)MIN(strlen(name) - 5, (size_t)NAME_MAX - 4), name);
	if (append(dir, name, &c->cert, e) < 0)
		return -e->code;
	if (append(dir, key, &c->key, e) < 0)
		return err_wrap(e, "the key of %.100s", name);
	return 0;
}

static int is_file(const struct dirent *de)
{
	return ends(de->d_name, ".crt") || ends(de->d_name, ".cert");
}

/* 1: the folder is there. */
static int read_folder(const char *dir, struct http_conf *c, struct err *e)
{
	struct dirent **all = NULL;
	int n = scandir(dir, &all, is_file, alphasort), r = n < 0 ? 0 : 1;

	for (int i = 0; i < n; i++) {
		const char *name = all[i]->d_name;

		if (r < 0)
			;
		else if (ends(name, ".crt"))
			r = append(dir, name, &c->ca, e) < 0 ? -e->code : 1;
		else
			r = client(dir, name, c, e) < 0 ? -e->code : 1;
		free(all[i]);
	}
	free(all);
	return r;
}

static int certificates(const char *host, struct http_conf *c, struct err *e)
{
	static const char *const below[] = { "/etc/containers/certs.d",
					     "/etc/docker/certs.d" };
	const char *home = getenv("HOME");
	char dir[PATH_MAX];
	int r = 0;

	if (home && *home &&
	    snprintf(dir, sizeof(dir), "%s/.config/containers/certs.d/%s", home,
		     host) < (int)sizeof(dir))
		r = read_folder(dir, c, e);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(below); i++) {
		snprintf(dir, sizeof(dir), "%s/%.300s", below[i], host);
		r = read_folder(dir, c, e);
	}
	return r < 0 ? r : 0;
}

/* ---- http ---- */

static bool is_local(const char *host)
{
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	return (len == 9 && strncmp(host, "localhost", len) == 0) ||
	       (strncmp(host, "127.", 4) == 0 &&
		strspn(host, "0123456789.") == len) ||
	       (len == 5 && strncmp(host, "[::1]", len) == 0);
}

int conf_find(const char *host, bool insecure, struct http_conf *c,
	      struct err *e)
{
	c->plain = insecure || is_local(host);
	c->unverified = insecure;
	return certificates(host, c, e);
}

int conf_find_host(const char *host, struct http_conf *c, struct err *e)
{
	struct registries all;
	int r = registries_load(&all, e);

	if (r < 0)
		return r;
	r = registries_host(&all, host, e);
	registries_fini(&all);
	return r < 0 ? r : conf_find(host, r > 0, c, e);
}
