/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/diff.h"

#include "agent/unpack/same.h"
#include "base/auto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder on the way down. */
struct level {
	struct level *up;
	size_t len; /* of the path that names it */
	bool told;
};

/* A name of a file that has several. */
struct link {
	uint64_t ino;
	char *path;
	bool changed;
};

struct walk {
	struct diff *d;
	char path[PATH_MAX];
	unsigned depth;
	struct link *links;
	size_t nlinks, links_room;
};

struct names {
	char **v;
	size_t n, room;
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* The list with room for one more; NULL: no memory, and it is as it was. */
static void *grown(void *v, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 64;
	void *p;

	if (n < *room)
		return v;
	p = reallocarray(v, more, size);
	if (p)
		*room = more;
	return p;
}

/* ---- what is found ---- */

static int put(struct diff *d, const char *path, enum diff_kind kind,
	       bool linked, struct err *e)
{
	struct diff_entry *v = grown(d->v, d->n, &d->room, sizeof(*v));
	char *copy = strdup(path);

	d->v = v ? v : d->v;
	if (!copy || !v) {
		free(copy);
		return no_memory(e);
	}
	d->v[d->n++] = (struct diff_entry){ copy, kind, linked };
	return 0;
}

/* The folders above first, from the top. */
static int tell_folders(struct walk *w, struct level *l, struct err *e)
{
	char was = w->path[l->len];
	int r;

	if (l->told)
		return 0;
	l->told = true;
	if (l->up && tell_folders(w, l->up, e) < 0)
		return -e->code;
	/* The root is not an entry of anything. */
	if (l->len == 0)
		return 0;
	w->path[l->len] = '\0';
	r = put(w->d, w->path, DIFF_CHANGE, false, e);
	w->path[l->len] = was;
	return r;
}

static int tell(struct walk *w, struct level *l, enum diff_kind kind,
		struct err *e)
{
	if (tell_folders(w, l, e) < 0)
		return -e->code;
	return put(w->d, w->path, kind, false, e);
}

static int note_link(struct walk *w, uint64_t ino, bool changed, struct err *e)
{
	struct link *at =
		grown(w->links, w->nlinks, &w->links_room, sizeof(*at));

	if (!at)
		return no_memory(e);
	w->links = at;
	at += w->nlinks;
	*at = (struct link){ ino, strdup(w->path), changed };
	if (!at->path)
		return no_memory(e);
	w->nlinks++;
	return 0;
}

/* ---- folders ---- */

static void names_fini(struct names *l)
{
	while (l->n > 0)
		free(l->v[--l->n]);
	free(l->v);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(struct names *l, const char *name, struct err *e)
{
	char **v = grown(l->v, l->n, &l->room, sizeof(*v));
	char *copy = strdup(name);

	l->v = v ? v : l->v;
	if (!copy || !v) {
		free(copy);
		return no_memory(e);
	}
	l->v[l->n++] = copy;
	return 0;
}

/* fd stays open; -1: there is no such folder, and so no names. */
static int names_read(struct names *l, int fd, const char *path, struct err *e)
{
	int again = fd < 0
			  ? -1
			  : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	const struct dirent *de;
	int r = 0;

	if (fd < 0)
		return 0;
	if (!dir) {
		err_sys(e, "'%.128s'", path);
		if (again >= 0)
			close(again);
		return -e->code;
	}
	while (r == 0 && (errno = 0, de = readdir(dir)))
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			r = names_add(l, de->d_name, e);
	if (r == 0 && errno)
		r = err_sys(e, "'%.128s'", path);
	closedir(dir);
	if (r == 0 && l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	return r;
}

static int enter(int dir, const char *name, const char *path, struct err *e)
{
	int fd = openat(dir, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, "'%.128s'", path) : fd;
}

/* ---- down the trees ---- */

static int walk_folder(struct walk *w, int old, int new, struct level *l,
		       struct err *e);

/* Both or, with old -1, one of them. */
static int descend(struct walk *w, int old, int new, const char *name,
		   struct level *l, struct err *e)
{
	autoclose int in_old = -1, in_new = -1;

	if (w->depth == DIFF_DEPTH)
		return err_set(e, ELOOP,
			       "'%.128s': more than %d folders inside each "
			       "other",
			       w->path, DIFF_DEPTH);
	if (old >= 0) {
		in_old = enter(old, name, w->path, e);
		if (in_old < 0)
			return in_old;
	}
	in_new = enter(new, name, w->path, e);
	if (in_new < 0)
		return in_new;
	return walk_folder(w, in_old, in_new, l, e);
}

/* A name that both have, or, o NULL, the new one alone. */
static int walk_name(struct walk *w, int old, int new, const char *name,
		     struct level *up, const struct stat *o, struct err *e)
{
	struct level l = { .up = up, .len = strlen(w->path) };
	struct stat n;
	int same = 0;

	if (fstatat(new, name, &n, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "'%.128s'", w->path);
	if (w->d->skip && w->d->skip(w->path, !o))
		return 0;
	if (o) {
		const struct same_file a = { old, name, o };
		const struct same_file b = { new, name, &n };

		same = same_files(&a, &b, e);
		if (same < 0)
			return err_wrap(e, "'%.96s'", w->path);
	}
	if (!S_ISDIR(n.st_mode) && n.st_nlink > 1 &&
	    note_link(w, n.st_ino, !same, e) < 0)
		return -e->code;
	if (!same && tell(w, up, o ? DIFF_CHANGE : DIFF_ADD, e) < 0)
		return -e->code;
	l.told = !same;
	if (!S_ISDIR(n.st_mode))
		return 0;
	return descend(w, o && S_ISDIR(o->st_mode) ? old : -1, new, name, &l,
		       e);
}

static int walk_gone(struct walk *w, struct level *up, struct err *e)
{
	if (w->d->skip && w->d->skip(w->path, false))
		return 0;
	return tell(w, up, DIFF_DELETE, e);
}

/* Which of the two trees have the name. */
enum where { IN_OLD = 1, IN_NEW = 2, IN_BOTH = IN_OLD | IN_NEW };

static int walk_pair(struct walk *w, int old, int new, const char *name,
		     enum where where, struct level *up, struct err *e)
{
	size_t len = up->len, need = strlen(name) + 2;
	struct stat o;
	int r;

	if (len + need > sizeof(w->path))
		return err_set(e, ENAMETOOLONG,
			       "'%.64s...': the name is longer than %d bytes",
			       w->path, PATH_MAX - 1);
	if (len > 0)
		w->path[len++] = '/';
	memcpy(w->path + len, name, need - 1);
	if ((where & IN_OLD) && fstatat(old, name, &o, AT_SYMLINK_NOFOLLOW) < 0)
		r = err_sys(e, "'%.128s'", w->path);
	else if (where & IN_NEW)
		r = walk_name(w, old, new, name, up, where & IN_OLD ? &o : NULL,
			      e);
	else
		r = walk_gone(w, up, e);
	w->path[up->len] = '\0';
	return r;
}

static int walk_folder(struct walk *w, int old, int new, struct level *l,
		       struct err *e)
{
	struct names a = { 0 }, b = { 0 };
	int r = names_read(&a, old, w->path, e);

	if (r == 0)
		r = names_read(&b, new, w->path, e);
	w->depth++;
	/* The lists are sorted: side by side. */
	for (size_t i = 0, j = 0; r == 0 && (i < a.n || j < b.n);) {
		int order = i == a.n ? 1
			  : j == b.n ? -1
				     : strcmp(a.v[i], b.v[j]);
		enum where where = order < 0 ? IN_OLD : IN_NEW;

		if (order == 0)
			where = IN_BOTH;
		r = walk_pair(w, old, new, order < 0 ? a.v[i] : b.v[j], where,
			      l, e);
		i += order <= 0;
		j += order >= 0;
	}
	w->depth--;
	names_fini(&a);
	names_fini(&b);
	return r;
}

/* ---- links ---- */

static int by_ino(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return 0;
}

/* With all folders above it. */
static int put_linked(struct diff *d, const char *path, struct err *e)
{
	char part[PATH_MAX];
	size_t len = 0;

	while (path[len]) {
		len += strcspn(path + len, "/");
		memcpy(part, path, len);
		part[len] = '\0';
		if (put(d, part, DIFF_CHANGE, true, e) < 0)
			return -e->code;
		len += path[len] == '/';
	}
	return 0;
}

/* Names that are as they were, of files that another name has brought in: a
 * layer cannot say of a file that it is one with another of a layer below. */
static int put_links(struct walk *w, struct err *e)
{
	if (w->nlinks > 0)
		qsort(w->links, w->nlinks, sizeof(*w->links), by_ino);
	for (size_t i = 0, end; i < w->nlinks; i = end) {
		bool changed = false;

		for (end = i;
		     end < w->nlinks && w->links[end].ino == w->links[i].ino;
		     end++)
			changed |= w->links[end].changed;
		for (size_t j = i; changed && j < end; j++)
			if (!w->links[j].changed &&
			    put_linked(w->d, w->links[j].path, e) < 0)
				return -e->code;
	}
	return 0;
}

/* A folder before what is in it: the slash is the least of all characters. */
static int by_tree(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	if (!*a || (*b && *a == '/'))
		return -1;
	if (!*b || *b == '/')
		return 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int by_path(const void *a, const void *b)
{
	const struct diff_entry *x = a, *y = b;
	int r = by_tree(x->path, y->path);

	return r ? r : (int)x->linked - (int)y->linked;
}

/* In order, and each once: the one that is more than linked. */
static void settle(struct diff *d)
{
	size_t n = 0;

	if (d->n > 0)
		qsort(d->v, d->n, sizeof(*d->v), by_path);
	for (size_t i = 0; i < d->n; i++) {
		if (n > 0 && strcmp(d->v[n - 1].path, d->v[i].path) == 0)
			free(d->v[i].path);
		else
			d->v[n++] = d->v[i];
	}
	d->n = n;
}

int diff_trees(struct diff *d, int old, int new, struct err *e)
{
	struct walk *w = calloc(1, sizeof(*w));
	struct level root = { .told = false };
	int r;

	if (!w)
		return no_memory(e);
	w->d = d;
	r = walk_folder(w, old, new, &root, e);
	if (r == 0)
		r = put_links(w, e);
	if (r == 0)
		settle(d);
	while (w->nlinks > 0)
		free(w->links[--w->nlinks].path);
	free(w->links);
	free(w);
	return r;
}

void diff_fini(struct diff *d)
{
	while (d->n > 0)
		free(d->v[--d->n].path);
	free(d->v);
	d->v = NULL;
	d->room = 0;
}
