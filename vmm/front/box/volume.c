/* SPDX-License-Identifier: Apache-2.0 */
#include "box/volume.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/where.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define JSON_MAX (1u << 20)
#define BLOCK 4096
#define USER_MAX 80
#define TRIES 20
#define HEX_BYTES 32
#define LOCK_TRIES 5
#define LOCK_PAUSE_NS 10000000
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* What is being made or removed: no name of a volume begins so. */
#define MAKING ".new-"

static const char *const files[] = { "disk.ext4", "volume.json", "user" };

/* isalnum() asks the locale. */
static bool name_char(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'))
		return true;
	return !first && c && strchr("_.-", c);
}

int volume_name_check(const char *name, struct err *e)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if (!name_char(name[i], i == 0))
			return err_set(e, EINVAL,
				       "\"%.130s\" includes invalid characters "
				       "for a volume name: only "
				       "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
				       name);
	if (len < 2)
		return err_set(e, EINVAL,
			       "volume name is too short, names should be at "
			       "least two alphanumeric characters");
	if (len > VOLUME_NAME_MAX)
		return err_set(e, ENAMETOOLONG,
			       "volume name is longer than %d characters",
			       VOLUME_NAME_MAX);
	return 0;
}

void volume_info_fini(struct volume_info *v)
{
	strv_fini(&v->labels);
	strv_fini(&v->options);
}

static void random_hex(char *out, size_t bytes)
{
	uint8_t raw[HEX_BYTES];

	if (getrandom(raw, bytes, 0) != (ssize_t)bytes)
		abort();
	for (size_t i = 0; i < bytes; i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

/* ---- what is being made or removed ---- */

static void remove_files(int top, int dir, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		unlinkat(dir, files[i], 0);
	unlinkat(top, name, AT_REMOVEDIR);
}

/* A maker that has just renamed its directory lets go of the lock as well:
 * only under the same name it is one that nobody completes. */
static bool abandoned(int top, int dir, const char *name)
{
	struct stat a, b;

	return flock(dir, LOCK_EX | LOCK_NB) == 0 && fstat(dir, &a) == 0 &&
	       fstatat(top, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_ino == b.st_ino;
}

/* A directory whose maker is gone holds no lock. */
static void sweep(int top)
{
	int fd = openat(top, ".", DIR_FLAGS);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *ent;

	if (!d && fd >= 0)
		close(fd);
	while (d && (ent = readdir(d))) {
		autoclose int dir = -1;

		if (strncmp(ent->d_name, MAKING, strlen(MAKING)) != 0)
			continue;
		dir = openat(top, ent->d_name, DIR_FLAGS);
		if (dir >= 0 && abandoned(top, dir, ent->d_name))
			remove_files(top, dir, ent->d_name);
	}
	if (d)
		closedir(d);
}

/* A fresh directory that no sweep takes away; name gets its name. */
static int make_locked(int top, char name[32], struct err *e)
{
	for (unsigned i = 0; i < TRIES; i++) {
		autoclose int fd = -1;
		struct stat st;

		snprintf(name, 32, "%s", MAKING);
		random_hex(name + strlen(MAKING), 8);
		if (mkdirat(top, name, 0700) < 0 && errno != EEXIST)
			return err_sys(e, "make a volume");
		fd = openat(top, name, DIR_FLAGS);
		/* A sweep may have been between the two. */
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    fstat(fd, &st) == 0 && st.st_nlink > 0)
			return take_fd(&fd);
	}
	return err_set(e, EBUSY, "make a volume: others are in the way");
}

/* ---- volume.json ---- */

static json_t *object_of(const struct strv *s)
{
	json_t *o = json_object();

	for (size_t i = 0; o && i < s->n; i++) {
		size_t len = strcspn(s->v[i], "=");
		autofree char *key = strndup(s->v[i], len);
		const char *value = s->v[i] + len + (s->v[i][len] == '=');

		if (key)
			json_object_set_new(o, key, json_string(value));
	}
	return o;
}

static int list_of(json_t *o, struct strv *s)
{
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value)
	{
		const char *text = json_string_value(value);
		autofree char *both = NULL;

		if (asprintf(&both, "%s=%s", key, text ? text : "") < 0)
			both = NULL;
		if (!both || strv_add(s, both) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int write_json(int dir, const struct volume_conf *c, struct err *e)
{
	autoclose int fd = openat(dir, "volume.json",
				  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				  0600);
	json_t *o = json_pack("{s:I s:b s:o s:o}", "created",
			      (json_int_t)time(NULL), "anonymous",
			      c->anonymous || !c->name, "labels",
			      object_of(&c->labels), "options",
			      object_of(&c->options));
	int r = 0;

	if (!o)
		return err_set(e, ENOMEM,
			       "out of memory (or a label is not "
			       "UTF-8)");
	if (fd < 0 || json_dumpfd(o, fd, JSON_INDENT(1)) < 0 || fsync(fd) < 0)
		r = err_sys(e, "volume.json");
	json_decref(o);
	return r;
}

static int read_json(int dir, struct volume_info *v, struct err *e)
{
	autoclose int fd = openat(dir, "volume.json", O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	json_t *o = NULL;
	int r = 0;

	if (fd >= 0 && fd_slurp(fd, &text, JSON_MAX) > 0)
		o = json_loads(text, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(e, EINVAL, "volume.json is damaged");
	}
	v->created = json_integer_value(json_object_get(o, "created"));
	v->anonymous = json_is_true(json_object_get(o, "anonymous"));
	if (list_of(json_object_get(o, "labels"), &v->labels) < 0 ||
	    list_of(json_object_get(o, "options"), &v->options) < 0)
		r = err_set(e, ENOMEM, "out of memory");
	json_decref(o);
	return r;
}

/* ---- making ---- */

static int fill(int dir, const struct volume_conf *c, struct err *e)
{
	if (volume_make_disk(dir, c->size ? c->size : VOLUME_SIZE_DEFAULT, e) <
		    0 ||
	    write_json(dir, c, e) < 0)
		return -e->code;
	return fsync(dir) < 0 ? err_sys(e, "sync") : 0;
}

static bool exists(int top, const char *name)
{
	return faccessat(top, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* 0 also when somebody else was quicker. */
static int make(int top, const char *name, const struct volume_conf *c,
		struct err *e)
{
	autoclose int dir = -1;
	char temp[32];
	int r;

	sweep(top);
	dir = make_locked(top, temp, e);
	if (dir < 0)
		return dir;
	r = fill(dir, c, e);
	if (r == 0 && renameat2(top, temp, top, name, RENAME_NOREPLACE) == 0) {
		fsync(top);
		return 0;
	}
	if (r == 0 && errno != EEXIST)
		r = err_sys(e, "rename");
	remove_files(top, dir, temp);
	return r;
}

static int check_size(uint64_t size, struct err *e)
{
	if (size < VOLUME_SIZE_MIN || size > VOLUME_SIZE_MAX)
		return err_set(e, EINVAL, "size: a volume has 16 MiB to 1 PiB");
	if (size % BLOCK)
		return err_set(e, EINVAL, "size: not whole blocks of 4 KiB");
	return 0;
}

int volume_create(const struct volume_conf *conf, char out[VOLUME_NAME_MAX + 1],
		  struct err *e)
{
	autoclose int top = -1;

	if (conf->name && volume_name_check(conf->name, e) < 0)
		return err_wrap(e, "create %.130s", conf->name);
	if (conf->size && check_size(conf->size, e) < 0)
		return -e->code;
	if (conf->name)
		snprintf(out, VOLUME_NAME_MAX + 1, "%s", conf->name);
	else
		random_hex(out, HEX_BYTES);
	top = where_folder("volumes", e);
	if (top < 0)
		return top;
	if (!exists(top, out) && make(top, out, conf, e) < 0)
		return err_wrap(e, "create %s", out);
	return 0;
}

/* ---- using ---- */

static void note_user(int top, const char *name, const char *user)
{
	autoclose int dir = openat(top, name, DIR_FLAGS);
	autoclose int fd =
		dir < 0 ? -1
			: openat(dir, "user",
				 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				 0600);

	if (fd >= 0)
		(void)fd_write_full(fd, user, strlen(user));
}

static int in_use(int top, const char *name, struct err *e)
{
	autoclose int dir = openat(top, name, DIR_FLAGS);
	autoclose int fd = dir < 0 ? -1
				   : openat(dir, "user", O_RDONLY | O_CLOEXEC);
	char user[USER_MAX] = "";
	ssize_t n = fd < 0 ? 0 : fd_read_full(fd, user, USER_MAX - 1);

	user[n > 0 ? n : 0] = '\0';
	return err_set(e, EBUSY, "volume is in use - [%s]",
		       *user ? user : "another box");
}

/* Looking at a volume takes its lock for a moment: that is waited out. */
static bool lock_disk(int fd, bool readonly)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };

	for (unsigned i = 0;; i++) {
		if (flock(fd, (readonly ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
			return true;
		if (i == LOCK_TRIES)
			return false;
		nanosleep(&pause, NULL);
	}
}

/* The disk, or -ENOENT, -EBUSY. It may be removed between open and lock. */
static int open_disk(int top, const char *name, bool readonly, struct err *e)
{
	for (unsigned i = 0; i < TRIES; i++) {
		autoclose int dir = openat(top, name, DIR_FLAGS);
		autoclose int fd = -1;
		struct stat st;

		if (dir >= 0)
			fd = openat(dir, "disk.ext4",
				    (readonly ? O_RDONLY : O_RDWR) |
					    O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return err_sys(e, "open");
		if (fd < 0)
			return err_set(e, ENOENT, "no such volume");
		if (!lock_disk(fd, readonly))
			return in_use(top, name, e);
		if (fstat(fd, &st) == 0 && st.st_nlink > 0)
			return take_fd(&fd);
	}
	return err_set(e, ENOENT, "no such volume");
}

int volume_open(const char *name, const char *user, bool create, bool readonly,
		struct err *e)
{
	struct volume_conf conf = { .name = name };
	autoclose int top = -1, fd = -1;
	char ignored[VOLUME_NAME_MAX + 1];

	if (volume_name_check(name, e) < 0)
		return -e->code;
	top = where_folder("volumes", e);
	if (top < 0)
		return top;
	if (create && !exists(top, name) &&
	    volume_create(&conf, ignored, e) < 0)
		return -e->code;
	fd = open_disk(top, name, readonly, e);
	if (fd < 0)
		return err_wrap(e, "volume %s", name);
	note_user(top, name, user);
	return take_fd(&fd);
}

int volume_open_nameless(struct err *e)
{
	struct volume_conf conf = { .name = NULL };
	autoclose int top = where_folder("volumes", e), dir = -1;
	char temp[32];
	int fd = -1;

	if (top < 0)
		return top;
	sweep(top);
	dir = make_locked(top, temp, e);
	if (dir < 0)
		return dir;
	if (fill(dir, &conf, e) == 0) {
		fd = openat(dir, "disk.ext4", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			err_sys(e, "volume without a name");
	}
	remove_files(top, dir, temp);
	return fd < 0 ? -e->code : fd;
}

/* ---- looking ---- */

const char *volume_path(const char *name, char path[PATH_MAX])
{
	char data[PATH_MAX];
	struct err ignored;
	autoclose int fd = where_data(data, &ignored);

	if (fd < 0 || snprintf(path, PATH_MAX, "%s/volumes/%s/disk.ext4", data,
			       name) >= PATH_MAX)
		*path = '\0';
	return path;
}

bool volume_exists(const char *name)
{
	struct err ignored;
	autoclose int top = where_folder("volumes", &ignored);

	return top >= 0 && volume_name_check(name, &ignored) == 0 &&
	       exists(top, name);
}

int volume_get(const char *name, struct volume_info *v, struct err *e)
{
	autoclose int top = where_folder("volumes", e), dir = -1, disk = -1;
	struct stat st;

	*v = (struct volume_info){ 0 };
	if (top < 0)
		return top;
	if (volume_name_check(name, e) == 0)
		dir = openat(top, name, DIR_FLAGS);
	if (dir < 0)
		return err_set(e, ENOENT, "No such volume: %.130s", name);
	snprintf(v->name, sizeof(v->name), "%s", name);
	disk = openat(dir, "disk.ext4", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (disk < 0 || fstat(disk, &st) < 0)
		return err_sys(e, "volume %s: disk.ext4", name);
	v->size = (uint64_t)st.st_size;
	v->used = (uint64_t)st.st_blocks * 512;
	v->busy = flock(disk, LOCK_EX | LOCK_NB) < 0;
	if (read_json(dir, v, e) < 0) {
		volume_info_fini(v);
		return err_wrap(e, "volume %s", name);
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int volume_names(struct strv *names, struct err *e)
{
	int top = where_folder("volumes", e), r = 0;
	DIR *d = top < 0 ? NULL : fdopendir(top);
	struct dirent *ent;

	*names = (struct strv){ 0 };
	if (top < 0)
		return top;
	if (!d) {
		close(top);
		return err_sys(e, "list volumes");
	}
	sweep(top);
	while (r == 0 && (ent = readdir(d)))
		if (name_char(ent->d_name[0], true))
			r = strv_add(names, ent->d_name);
	closedir(d);
	if (r < 0) {
		strv_fini(names);
		return err_set(e, ENOMEM, "out of memory");
	}
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), by_name);
	return 0;
}

int volume_grow(const char *name, uint64_t size, struct err *e)
{
	autoclose int top = where_folder("volumes", e), disk = -1;
	struct stat st;

	if (top < 0)
		return top;
	if (check_size(size, e) < 0)
		return err_wrap(e, "grow %.130s", name);
	if (volume_name_check(name, e) < 0 || !exists(top, name))
		return err_set(e, ENOENT, "No such volume: %.130s", name);
	disk = open_disk(top, name, false, e);
	if (disk < 0)
		return err_wrap(e, "grow %s", name);
	if (fstat(disk, &st) < 0)
		return err_sys(e, "grow %s", name);
	if ((uint64_t)st.st_size > size)
		return err_set(e, EINVAL,
			       "grow %s: it has %llu bytes, and volumes do "
			       "not shrink",
			       name, (unsigned long long)st.st_size);
	if (ftruncate(disk, (off_t)size) < 0 || fsync(disk) < 0)
		return err_sys(e, "grow %s", name);
	return 0;
}

/* ---- removing ---- */

int volume_remove(const char *name, uint64_t *freed, struct err *e)
{
	autoclose int top = where_folder("volumes", e), disk = -1, dir = -1;
	char temp[32];
	struct stat st;

	if (top < 0)
		return top;
	if (volume_name_check(name, e) < 0 || !exists(top, name))
		return err_set(e, ENOENT, "No such volume: %.130s", name);
	disk = open_disk(top, name, false, e);
	/* One that lost its disk can still go. */
	if (disk < 0 && e->code != ENOENT)
		return err_wrap(e, "remove %s", name);
	if (freed)
		*freed = disk >= 0 && fstat(disk, &st) == 0
			       ? (uint64_t)st.st_blocks * 512
			       : 0;
	/* From one moment to the next it is none any more; a crash behind it
	 * leaves work for a sweep. */
	snprintf(temp, sizeof(temp), "%s", MAKING);
	random_hex(temp + strlen(MAKING), 8);
	if (renameat2(top, name, top, temp, RENAME_NOREPLACE) < 0)
		return err_sys(e, "remove %s", name);
	dir = openat(top, temp, DIR_FLAGS);
	if (dir >= 0)
		remove_files(top, dir, temp);
	return 0;
}
