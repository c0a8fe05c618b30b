/* SPDX-License-Identifier: Apache-2.0 */
#include "box/state.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/events.h"
#include "box/limits.h"
#include "box/names.h"
#include "box/where.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define LOCK_TRIES 1000
#define LOCK_PAUSE_NS 1000000
/* Who else works on a box is waited for: two minutes. */
#define TAKE_TRIES 2400
#define TAKE_PAUSE_NS 50000000

void state_new_id(char id[BOX_ID_LEN + 1])
{
	uint8_t raw[BOX_ID_LEN / 2];

	/* Cannot fail for so few bytes once the host has booted. */
	if (getrandom(raw, sizeof(raw), 0) != sizeof(raw))
		abort();
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(id + 2 * i, 3, "%02x", raw[i]);
}

static bool id_valid(const char *s)
{
	return strlen(s) == BOX_ID_LEN &&
	       strspn(s, "0123456789abcdef") == BOX_ID_LEN;
}

void state_close(struct box *b)
{
	if (b->root >= 0)
		close(b->root);
	if (b->dir >= 0)
		close(b->dir);
	if (b->lock >= 0)
		close(b->lock);
	b->root = b->dir = b->lock = -1;
}

static int open_at(struct box *b, int root, const char *id, struct err *e)
{
	*b = (struct box)BOX_INIT;
	snprintf(b->id, sizeof(b->id), "%s", id);
	b->root = fcntl(root, F_DUPFD_CLOEXEC, 3);
	b->dir = openat(root, id,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (b->root < 0 || b->dir < 0) {
		err_sys(e, "box %s", id);
		state_close(b);
		return -e->code;
	}
	return 0;
}

int state_open(struct box *b, const char *id, struct err *e)
{
	*b = (struct box)BOX_INIT;
	for (int place = 0; place < WHERE_NPLACES; place++) {
		autoclose int root = where_boxes(place, e);

		if (root < 0)
			return root;
		if (open_at(b, root, id, e) == 0)
			return 0;
	}
	return -e->code;
}

int state_lock(struct box *b, struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	int tries = 0;

	b->lock = openat(b->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->lock < 0)
		return err_sys(e, "box %s: lock", b->id);
	/* Somebody who only looks (below) may stand in the way. */
	do {
		if (flock(b->lock, LOCK_EX | LOCK_NB) == 0)
			return 0;
		nanosleep(&pause, NULL);
	} while (!state_alive(b) && ++tries < LOCK_TRIES);
	close(take_fd(&b->lock));
	return err_set(e, EBUSY, "box %.12s runs", b->id);
}

int state_take(struct box *b, struct box_info *info, struct err *e)
{
	const struct timespec pause = { .tv_nsec = TAKE_PAUSE_NS };
	int r;

	for (int i = 0; (r = state_lock(b, e)) == -EBUSY && i < TAKE_TRIES;
	     i++) {
		if (state_read(b, info, e) < 0)
			return -e->code;
		info->alive = state_is(info, "running") ||
			      state_is(info, "paused");
		if (info->alive)
			return 1;
		nanosleep(&pause, NULL);
	}
	return r < 0 ? r : state_read(b, info, e);
}

bool state_alive(const struct box *b)
{
	autoclose int fd = openat(b->dir, "lock", O_RDWR | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 &&
	       errno == EWOULDBLOCK;
}

void state_remove(struct box *b)
{
	struct box_info info = { 0 };
	struct err ignored;
	bool was = b->dir >= 0 && state_read(b, &info, &ignored) == 0;
	int fd = b->dir >= 0
		       ? openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		       : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	if (b->dir >= 0)
		limits_clean(b);
	while (d && (de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			unlinkat(b->dir, de->d_name, 0);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	if (b->root >= 0)
		unlinkat(b->root, b->id, AT_REMOVEDIR);
	if (was)
		boxevents_add(&info, "destroy", NULL, NULL);
	state_close(b);
}

/* ---- all of them ---- */

/* What every change to the set of boxes happens under. */
static int folder_lock(int root, struct err *e)
{
	autoclose int fd =
		openat(root, ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_sys(e, "the lock of the boxes");
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "lock the boxes");
	return take_fd(&fd);
}

/* Both places, locked, always in the same order. One that is the other by
 * another name is -1. */
struct folders {
	int root[WHERE_NPLACES], lock[WHERE_NPLACES];
};

static void folders_close(struct folders *f)
{
	for (int i = 0; i < WHERE_NPLACES; i++) {
		if (f->root[i] >= 0)
			close(f->root[i]);
		if (f->lock[i] >= 0)
			close(f->lock[i]);
	}
}

static bool same_folder(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int folders_open(struct folders *f, struct err *e)
{
	*f = (struct folders){ { -1, -1 }, { -1, -1 } };
	for (int i = 0; i < WHERE_NPLACES; i++) {
		f->root[i] = where_boxes(i, e);
		if (i > 0 && f->root[i] >= 0 &&
		    same_folder(f->root[0], f->root[i])) {
			close(take_fd(&f->root[i]));
			continue;
		}
		f->lock[i] = f->root[i] < 0 ? -1 : folder_lock(f->root[i], e);
		if (f->lock[i] < 0) {
			folders_close(f);
			return -e->code;
		}
	}
	return 0;
}

static int by_age(const void *a, const void *b)
{
	const struct box_info *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	return strcmp(x->id, y->id);
}

/* What it says can only be true of a box that somebody holds. */
static bool unfinished(const struct box_info *info)
{
	return !state_is(info, "created") &&
	       (info->brief || !state_is(info, "exited"));
}

/* Everything that could have told the end of this box is dead. False: it is
 * gone now. */
static bool bury(struct box *b, struct box_info *info)
{
	struct err ignored;

	/* Somebody may just have started it again, and even ended it. */
	if (state_lock(b, &ignored) < 0) {
		info->alive = true;
		return true;
	}
	if (state_read(b, info, &ignored) < 0 || !unfinished(info)) {
		close(take_fd(&b->lock));
		return true;
	}
	if (info->brief) {
		info->exit_status = 137;
		boxevents_ended(info);
		state_remove(b);
		return false;
	}
	limits_clean(b);
	snprintf(info->status, sizeof(info->status), "exited");
	snprintf(info->reason, sizeof(info->reason),
		 "the box was killed, or the host went down");
	info->finished = state_now();
	info->exit_status = 137;
	info->pid = 0;
	state_write(b, info, &ignored);
	boxevents_ended(info);
	close(take_fd(&b->lock));
	return true;
}

/* What can be said of a box without its record. */
static void unread(const struct box *b, struct box_info *info,
		   const char *status)
{
	struct stat st;

	snprintf(info->name, sizeof(info->name), "%.*s", BOX_SHORT_LEN, b->id);
	snprintf(info->status, sizeof(info->status), "%s", status);
	if (fstat(b->dir, &st) == 0)
		info->created = info->started = info->finished =
			(int64_t)st.st_mtime * 1000;
}

/* A box whose record cannot be read. One that was to be kept has a disk that
 * may be all that is left of somebody's work: it is shown, to be removed by
 * name. False: it is gone now. */
static bool salvage(struct box *b, struct box_info *info, const struct err *why)
{
	if (faccessat(b->dir, "config.json", F_OK, 0) < 0 && errno == ENOENT) {
		state_remove(b);
		return false;
	}
	unread(b, info, "exited");
	snprintf(info->reason, sizeof(info->reason), "%s", why->msg);
	info->exit_status = 125;
	return true;
}

/* One directory; false: there is no box in it (any more). */
static bool look(int root, const char *id, struct box_info *info)
{
	struct box b;
	struct err e;
	bool there = true, alive;

	if (!id_valid(id) || open_at(&b, root, id, &e) < 0)
		return false;
	/* In this order: a box that ends in between has written its end. */
	alive = state_alive(&b);
	if (state_read(&b, info, &e) < 0) {
		unread(&b, info, "running");
		there = alive || salvage(&b, info, &e);
	} else if (!alive && unfinished(info))
		there = bury(&b, info);
	info->alive |= alive;
	state_close(&b);
	return there;
}

/* Under the folder's lock: adds its boxes to the n of *all. */
static int scan(int root, struct box_info **all, int n, struct err *e)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	if (!d)
		return err_sys(e, "list the boxes");
	while ((de = readdir(d)) != NULL) {
		struct box_info info, *more;

		if (!look(root, de->d_name, &info))
			continue;
		more = reallocarray(*all, (size_t)n + 1, sizeof(**all));
		if (!more)
			break;
		*all = more;
		more[n++] = info;
	}
	closedir(d);
	return n;
}

static int scan_all(const struct folders *f, struct box_info **out,
		    struct err *e)
{
	int n = 0;

	*out = NULL;
	for (int i = 0; i < WHERE_NPLACES && n >= 0; i++)
		if (f->root[i] >= 0)
			n = scan(f->root[i], out, n, e);
	if (n > 1)
		qsort(*out, (size_t)n, sizeof(**out), by_age);
	return n;
}

int state_list(struct box_info **out, struct err *e)
{
	struct folders f;
	int n;

	*out = NULL;
	if (folders_open(&f, e) < 0)
		return -e->code;
	n = scan_all(&f, out, e);
	folders_close(&f);
	return n;
}

/* A whole id names its directory, so nobody else is looked at. */
static bool find_directly(const char *id, struct box_info *info)
{
	for (int i = 0; i < WHERE_NPLACES; i++) {
		struct err ignored;
		autoclose int root = where_boxes(i, &ignored);
		autoclose int lock = root < 0 ? -1
					      : folder_lock(root, &ignored);

		if (lock >= 0 && look(root, id, info))
			return true;
	}
	return false;
}

int state_find(const char *what, struct box_info *info, struct err *e)
{
	autofree struct box_info *all = NULL;
	int n, found = -1, like = 0;
	size_t len = strlen(what);

	if (id_valid(what) && find_directly(what, info))
		return 0;
	n = state_list(&all, e);
	if (n < 0)
		return n;
	if (!all)
		n = 0;
	for (int i = 0; i < n; i++)
		if (strcmp(all[i].name, what) == 0) {
			*info = all[i];
			return 0;
		}
	for (int i = 0; i < n && len > 0; i++)
		if (strncmp(all[i].id, what, len) == 0) {
			found = i;
			like++;
		}
	if (like > 1)
		return err_set(e, EINVAL, "'%s' begins the id of %d boxes",
			       what, like);
	if (like == 0)
		return err_set(e, ENOENT, "No such box: %s (see 'vial ps -a')",
			       what);
	*info = all[found];
	return 0;
}

static const struct box_info *by_name(const struct box_info *all, int n,
				      const char *name)
{
	for (int i = 0; i < n; i++)
		if (strcmp(all[i].name, name) == 0)
			return &all[i];
	return NULL;
}

/* Under the folders' locks. */
static int pick_name(const struct folders *f, struct box_info *info,
		     struct err *e)
{
	autofree struct box_info *all = NULL;
	int n = scan_all(f, &all, e);
	const struct box_info *other;
	uint32_t seed;

	if (n < 0)
		return n;
	if (!info->name[0]) {
		seed = (uint32_t)strtoul(info->id + BOX_ID_LEN - 8, NULL, 16);
		do
			names_make(seed++, info->name, sizeof(info->name));
		while (by_name(all, n, info->name) && seed != 0);
		return 0;
	}
	other = by_name(all, n, info->name);
	if (other && strcmp(other->id, info->id) != 0)
		return err_set(e, EEXIST,
			       "Conflict. The box name \"%s\" is "
			       "already in use by box \"%.12s\". Remove that "
			       "box ('vial rm %s') or choose another name.",
			       info->name, other->id, other->name);
	return 0;
}

static int make_dir(struct box *b, const struct box_info *info, int root,
		    struct err *e)
{
	if (mkdirat(root, info->id, 0700) < 0)
		return err_sys(e, "make box %s", info->id);
	if (open_at(b, root, info->id, e) < 0) {
		unlinkat(root, info->id, AT_REMOVEDIR);
		return -e->code;
	}
	if (state_lock(b, e) < 0)
		return -e->code;
	return state_write(b, info, e);
}

int state_create(struct box *b, struct box_info *info, struct err *e)
{
	const int place = info->brief ? WHERE_BRIEF : WHERE_KEPT;
	struct folders f;
	int r;

	*b = (struct box)BOX_INIT;
	if (folders_open(&f, e) < 0)
		return -e->code;
	if (!info->created)
		info->created = state_now();
	if (!*info->status)
		snprintf(info->status, sizeof(info->status), "created");
	r = pick_name(&f, info, e);
	if (r == 0)
		r = make_dir(b, info,
			     f.root[place] < 0 ? f.root[0] : f.root[place], e);
	if (r < 0)
		state_remove(b);
	else
		boxevents_add(info, "create", NULL, NULL);
	folders_close(&f);
	return r;
}

int state_rename(const struct box *b, struct box_info *info, const char *name,
		 struct err *e)
{
	struct box_info next = *info;
	struct folders f;
	int r;

	if (strcmp(name, info->name) == 0)
		return err_set(e, EINVAL,
			       "Renaming a box with the same name as its "
			       "current name");
	if (folders_open(&f, e) < 0)
		return -e->code;
	snprintf(next.name, sizeof(next.name), "%s", name);
	r = pick_name(&f, &next, e);
	if (r == 0)
		r = state_write(b, &next, e);
	if (r == 0) {
		boxevents_add(&next, "rename", "oldName", info->name);
		*info = next;
	}
	folders_close(&f);
	return r;
}
