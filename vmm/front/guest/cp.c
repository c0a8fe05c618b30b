/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/cp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), n = strlen(end);

	return len >= n && strcmp(s + len - n, end) == 0;
}

const char *cp_split(const char *word, char *box, unsigned room)
{
	const char *colon = strchr(word, ':');

	*box = '\0';
	if (!colon || *word == '/' || *word == '.' || colon == word)
		return word;
	if ((size_t)(colon - word) >= room)
		return NULL;
	memcpy(box, word, (size_t)(colon - word));
	box[colon - word] = '\0';
	return colon + 1;
}

static int too_long(const char *path, struct err *e)
{
	return err_set(e, ENAMETOOLONG, "%.64s...: name too long", path);
}

/* One component behind what is in out; ".." takes one away. */
static bool add(char *out, size_t *len, const char *name, size_t n)
{
	if (n == 0 || (n == 1 && *name == '.'))
		return true;
	if (n == 2 && name[0] == '.' && name[1] == '.') {
		while (*len > 0 && out[--*len] != '/')
			;
		return true;
	}
	/* The end may grow by two more. */
	if (n > NAME_MAX || *len + n + 4 > PATH_MAX)
		return false;
	out[(*len)++] = '/';
	memcpy(out + *len, name, n);
	*len += n;
	return true;
}

static bool add_all(char *out, size_t *len, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (!add(out, len, path, n))
			return false;
		path += n;
		path += strspn(path, "/");
	}
	return true;
}

int cp_clean(const char *from, const char *path, char out[PATH_MAX],
	     struct err *e)
{
	const char *end = "";
	size_t len = 0;

	if (ends_with(path, "/.") || strcmp(path, ".") == 0)
		end = "/.";
	else if (ends_with(path, "/"))
		end = "/";
	if ((*path != '/' && !add_all(out, &len, from)) ||
	    !add_all(out, &len, path))
		return too_long(path, e);
	/* "/" says it already. */
	if (len == 0 && strcmp(end, "/.") != 0)
		end = "/";
	snprintf(out + len, PATH_MAX - len, "%s", end);
	return 0;
}

/* The length of path without what its end says. */
static size_t plain_len(const char *path)
{
	size_t len = strlen(path);

	if (ends_with(path, "/."))
		len -= 2;
	else if (ends_with(path, "/"))
		len--;
	return len;
}

void cp_parent(const char *path, char out[PATH_MAX])
{
	size_t len = plain_len(path);

	while (len > 0 && path[len - 1] != '/')
		len--;
	while (len > 1 && path[len - 1] == '/')
		len--;
	snprintf(out, PATH_MAX, "%.*s", (int)len, path);
	if (len == 0)
		snprintf(out, PATH_MAX, "/");
}

/* The last component, whatever is said behind it. */
static void last(const char *path, char out[NAME_MAX + 1])
{
	size_t len = plain_len(path), at = len;

	while (at > 0 && path[at - 1] != '/')
		at--;
	snprintf(out, NAME_MAX + 1, "%.*s", (int)(len - at), path + at);
	if (len == at)
		snprintf(out, NAME_MAX + 1, ".");
}

void cp_base(const char *path, char out[NAME_MAX + 1])
{
	if (ends_with(path, "/."))
		snprintf(out, NAME_MAX + 1, ".");
	else
		last(path, out);
}

int cp_follow(const char *path, const char *target, char out[PATH_MAX],
	      struct err *e)
{
	char parent[PATH_MAX];

	cp_parent(path, parent);
	return cp_clean(parent, target, out, e);
}

int cp_aim(const struct cp_end *src, const struct cp_end *dst,
	   struct cp_target *out, struct err *e)
{
	bool says_dir = ends_with(dst->path, "/") || ends_with(dst->path, "/.");

	out->parent = !(dst->exists && dst->is_dir);
	if (!out->parent) {
		snprintf(out->dir, sizeof(out->dir), "%s", dst->path);
		cp_base(src->path, out->name);
		return 0;
	}
	if (dst->exists && src->is_dir)
		return err_set(e, ENOTDIR,
			       "cannot copy directory: %s is a file",
			       dst->path);
	if (says_dir && !src->is_dir)
		return err_set(e, ENOENT, "no such directory: %s", dst->path);
	cp_parent(dst->path, out->dir);
	last(dst->path, out->name);
	return 0;
}
