/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registries.h"

#include "base/auto.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SYSTEM "/etc/containers/registries.conf"
#define FILE_MAX (1u << 20)

/* 1: there is one. */
static int add_file(struct registries *r, const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			     ? 0
			     : err_sys(e, "open %s", path);
	n = fd_slurp(fd, &text, FILE_MAX);
	if (n < 0)
		return err_set(e, (int)-n, "read %s: %s", path,
			       strerror((int)-n));
	if (registries_add(r, text, (size_t)n, e) < 0)
		return err_wrap(e, "%s", path);
	return 1;
}

static int is_conf(const struct dirent *de)
{
	size_t n = strlen(de->d_name);

	return *de->d_name != '.' && n > 5 &&
	       strcmp(de->d_name + n - 5, ".conf") == 0;
}

/* path is that of the file, the folder is PATH.d. */
static int add_folder(struct registries *r, const char *path, struct err *e)
{
	char dir[PATH_MAX], file[PATH_MAX + NAME_MAX + 2];
	struct dirent **all = NULL;
	int n, status = 0;

	if (snprintf(dir, sizeof(dir), "%s.d", path) >= (int)sizeof(dir))
		return 0;
	n = scandir(dir, &all, is_conf, alphasort);
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, all[i]->d_name);
		if (status >= 0)
			status = add_file(r, file, e);
		free(all[i]);
	}
	free(all);
	return status;
}

int registries_load(struct registries *r, struct err *e)
{
	const char *named = getenv("CONTAINERS_REGISTRIES_CONF");
	const char *home = getenv("HOME");
	char own[PATH_MAX] = "";
	int n;

	*r = (struct registries){ 0 };
	if (home && *home)
		snprintf(own, sizeof(own),
			 "%.*s/.config/containers/registries.conf",
			 PATH_MAX - 64, home);
	n = named && *named ? add_file(r, named, e)
	  : *own	    ? add_file(r, own, e)
			    : 0;
	if (n == 0 && named && *named)
		n = err_set(e, ENOENT, "%.200s is not there", named);
	if (n == 0)
		n = add_file(r, SYSTEM, e);
	if (n >= 0)
		n = add_folder(r, SYSTEM, e);
	if (n >= 0 && *own)
		n = add_folder(r, own, e);
	if (n < 0)
		registries_fini(r);
	return n < 0 ? n : 0;
}

static bool is_listed(const struct ref *out, int n, const struct ref *ref)
{
	for (int i = 0; i < n; i++)
		if (strcmp(out[i].domain, ref->domain) == 0 &&
		    strcmp(out[i].path, ref->path) == 0)
			return true;
	return false;
}

int registries_local(const char *text, struct ref out[REGISTRIES_NAMES_MAX],
		     struct err *e)
{
	/* The files are looked at for short names only, and once. */
	static struct registries all;
	static bool loaded;
	struct err ignored = { 0 };
	struct ref plain;
	int n;

	if (ref_parse(text, &plain, e) < 0)
		return -e->code;
	if (!loaded && ref_is_short(text)) {
		loaded = true;
		(void)registries_load(&all, &ignored);
	}
	n = registries_names(&all, text, out, &ignored);
	if (n < 0)
		n = 0;
	if (n < REGISTRIES_NAMES_MAX && !is_listed(out, n, &plain))
		out[n++] = plain;
	return n;
}
