/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/conf.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)

/* ---- registries.conf ---- */

/* KEY = VALUE of one line of TOML; quotes are taken off. */
static bool pair(char *line, char **key, char **value)
{
	char *eq = strchr(line, '='), *end;

	if (!eq)
		return false;
	*key = line + strspn(line, " \t");
	(*key)[strcspn(*key, " \t=")] = '\0';
	*value = eq + 1 + strspn(eq + 1, " \t");
	if (**value == '"' || **value == '\'') {
		char quote = *(*value)++;

		end = strchr(*value, quote);
		if (!end)
			return false;
		*end = '\0';
	} else {
		(*value)[strcspn(*value, " \t#\r")] = '\0';
	}
	return true;
}

/* "host", "host/path" and "*.host" are about host. */
static bool is_about(const char *location, const char *host)
{
	size_t len = strcspn(location, "/"), n = strlen(host);

	if (strncmp(location, "*.", 2) == 0)
		return n >= len && strncmp(host + n - (len - 1), location + 1,
					   len - 1) == 0;
	return len == n && strncmp(location, host, len) == 0;
}

struct table {
	bool about; /* the host that is asked for */
	struct conf_says says;
};

static void finish(struct table *t, struct conf_says *says)
{
	if (t->about) {
		says->insecure |= t->says.insecure;
		says->blocked |= t->says.blocked;
	}
	*t = (struct table){ 0 };
}

void conf_read(const char *text, const char *host, struct conf_says *says)
{
	autofree char *copy = strdup(text);
	struct table t = { 0 };
	bool ours = false;
	char *rest = copy, *line, *key, *value;

	*says = (struct conf_says){ 0 };
	while (copy && (line = strsep(&rest, "\n"))) {
		line += strspn(line, " \t");
		if (*line == '[') {
			finish(&t, says);
			ours = strncmp(line, "[[registry]]", 12) == 0;
			continue;
		}
		if (!ours || *line == '#' || !pair(line, &key, &value))
			continue;
		if (strcmp(key, "location") == 0 || strcmp(key, "prefix") == 0)
			t.about |= is_about(value, host);
		else if (strcmp(key, "insecure") == 0)
			t.says.insecure = strcmp(value, "true") == 0;
		else if (strcmp(key, "blocked") == 0)
			t.says.blocked = strcmp(value, "true") == 0;
	}
	finish(&t, says);
}

static int read_file(const char *path, const char *host, struct conf_says *says,
		     struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			     ? -ENOENT
			     : err_sys(e, "open %s", path);
	n = fd_slurp(fd, &text, FILE_MAX);
	if (n < 0)
		return err_set(e, (int)-n, "read %s", path);
	conf_read(text, host, says);
	return 0;
}

/* ---- certificates ---- */

static void certificate(const char *dir, const char *host, const char *file,
			char **out)
{
	char *path = NULL;

	if (*out || asprintf(&path, "%s/%s/%s", dir, host, file) < 0)
		return;
	if (access(path, R_OK) == 0)
		*out = path;
	else
		free(path);
}

static bool is_local(const char *host)
{
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	return (len == 9 && strncmp(host, "localhost", len) == 0) ||
	       (strncmp(host, "127.", 4) == 0 &&
		strspn(host, "0123456789.") == len) ||
	       (len == 5 && strncmp(host, "[::1]", len) == 0);
}

int conf_find(const char *host, struct http_conf *c, char *paths[3],
	      struct err *e)
{
	static const char *const files[] = { "ca.crt", "client.cert",
					     "client.key" };
	const char *home = getenv("HOME");
	struct conf_says says = { 0 };
	char own[PATH_MAX] = "";
	int r = -ENOENT;

	if (home && *home) {
		snprintf(own, sizeof(own),
			 "%s/.config/containers/registries.conf", home);
		r = read_file(own, host, &says, e);
	}
	if (r == -ENOENT)
		r = read_file("/etc/containers/registries.conf", host, &says,
			      e);
	if (r < 0 && r != -ENOENT)
		return r;
	if (says.blocked)
		return err_set(e, EPERM,
			       "the registry %.100s is blocked by "
			       "registries.conf",
			       host);
	c->plain = says.insecure || is_local(host);
	c->unverified = says.insecure;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (home && *home) {
			snprintf(own, sizeof(own),
				 "%s/.config/containers/certs.d", home);
			certificate(own, host, files[i], &paths[i]);
		}
		certificate("/etc/containers/certs.d", host, files[i],
			    &paths[i]);
		certificate("/etc/docker/certs.d", host, files[i], &paths[i]);
	}
	c->ca = paths[0];
	c->cert = paths[1];
	c->key = paths[2];
	return 0;
}
