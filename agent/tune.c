/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/tune.h"

#include "base/auto.h"
#include "base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* More than this is no list of hosts. */
#define HOSTS_MAX (4 << 20)

static int tune_sysctl(const char *dir, const char *name, const char *value,
		       struct err *e)
{
	autoclose int fd = -1;
	char path[PATH_MAX];
	size_t at = strlen(dir) + 1;
	int r;

	if (!*name || snprintf(path, sizeof(path), "%s/%s", dir, name) >=
			      (int)sizeof(path))
		return err_set(e, EINVAL, "sysctl \"%.64s\": not a name", name);
	for (char *p = path + at; *p; p++)
		if (*p == '.')
			*p = '/';
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT,
			       "sysctl %.64s: the guest's kernel has no such "
			       "setting",
			       name);
	if (fd < 0)
		return err_sys(e, "sysctl %.64s", name);
	r = fd_write_full(fd, value, strlen(value));
	if (r < 0)
		return err_set(e, -r, "sysctl %.64s=%.64s: %s", name, value,
			       strerror(-r));
	return 0;
}

int tune_sysctls(const char *dir, Vial__Agent__Sysctl *const *all, size_t n,
		 struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (tune_sysctl(dir, all[i]->name, all[i]->value, e) < 0)
			return -e->code;
	return 0;
}

/* One word: what has a space or a line's end in it would be another entry. */
static bool tune_is_word(const char *s)
{
	if (!*s || *s == '#')
		return false;
	for (; *s; s++)
		if (isspace((unsigned char)*s) || iscntrl((unsigned char)*s))
			return false;
	return true;
}

static bool tune_has_line(const char *text, const char *line)
{
	const char *at = text;

	while ((at = strstr(at, line))) {
		if (at == text || at[-1] == '\n')
			return true;
		at++;
	}
	return false;
}

static int tune_host(int fd, const char *text, bool *open_line,
		     const Vial__Agent__Host *h, struct err *e)
{
	char line[512];
	int r;

	if (!tune_is_word(h->name) || !tune_is_word(h->address) ||
	    snprintf(line, sizeof(line), "\n%s\t%s\n", h->address, h->name) >=
		    (int)sizeof(line))
		return err_set(e, EINVAL, "host \"%.64s:%.64s\": not a name",
			       h->name, h->address);
	if (tune_has_line(text, line + 1))
		return 0;
	r = fd_write_full(fd, line + !*open_line, strlen(line + !*open_line));
	if (r < 0)
		return err_set(e, -r, "write: %s", strerror(-r));
	*open_line = false;
	return 0;
}

int tune_hosts(const char *path, Vial__Agent__Host *const *all, size_t n,
	       struct err *e)
{
	autoclose int fd = -1;
	autofree char *text = NULL;
	struct stat st;
	bool open_line;
	ssize_t len;

	if (n == 0)
		return 0;
	fd = open(path,
		  O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK |
			  O_NOCTTY,
		  0644);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: not a file", path);
	len = fd_slurp(fd, &text, HOSTS_MAX);
	if (len < 0)
		return err_set(e, (int)-len, "%s: %s", path,
			       strerror((int)-len));
	open_line = len > 0 && text[len - 1] != '\n';
	for (size_t i = 0; i < n; i++)
		if (tune_host(fd, text, &open_line, all[i], e) < 0)
			return err_wrap(e, "%s", path);
	return 0;
}

int tune_root_readonly(struct err *e)
{
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return err_sys(e, "root: make read-only");
	return 0;
}
