/* SPDX-License-Identifier: Apache-2.0 */
#include "run/state.h"

#include "base/auto.h"
#include "base/fd.h"
#include "run/names.h"
#include "run/where.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#define STATE_MAX (64u << 10)

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
	autoclose int root = where_boxes(e);

	*b = (struct box)BOX_INIT;
	return root < 0 ? root : open_at(b, root, id, e);
}

bool state_alive(const struct box *b)
{
	autoclose int fd = openat(b->dir, "lock", O_RDWR | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 &&
	       errno == EWOULDBLOCK;
}

void state_remove(struct box *b)
{
	int fd = b->dir >= 0
		       ? openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
		       : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	while (d && (de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			unlinkat(b->dir, de->d_name, 0);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	if (b->root >= 0)
		unlinkat(b->root, b->id, AT_REMOVEDIR);
	state_close(b);
}

/* ---- state.json ---- */

static void get_text(const json_t *o, const char *key, char *out, size_t size)
{
	const char *s = json_string_value(json_object_get(o, key));

	snprintf(out, size, "%s", s ? s : "");
}

static int64_t get_int(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

int state_read(const struct box *b, struct box_info *info, struct err *e)
{
	autoclose int fd = openat(b->dir, "state.json", O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	ssize_t len;
	json_t *o;

	*info = (struct box_info){ 0 };
	snprintf(info->id, sizeof(info->id), "%s", b->id);
	if (fd < 0)
		return err_sys(e, "box %s: state.json", b->id);
	len = fd_slurp(fd, &text, STATE_MAX);
	o = len < 0 ? NULL : json_loadb(text, (size_t)len, 0, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return err_set(e, EINVAL, "box %s: state.json is damaged",
			       b->id);
	}
	get_text(o, "name", info->name, sizeof(info->name));
	get_text(o, "status", info->status, sizeof(info->status));
	get_text(o, "image", info->image, sizeof(info->image));
	get_text(o, "command", info->command, sizeof(info->command));
	get_text(o, "reason", info->reason, sizeof(info->reason));
	info->created = get_int(o, "created");
	info->finished = get_int(o, "finished");
	info->exit_status = (int)get_int(o, "exit_status");
	json_decref(o);
	return 0;
}

/* JSON wants UTF-8; what is not has no place in a text for people. */
static void clean(char *out, size_t size, const char *in)
{
	snprintf(out, size, "%s", in);
	for (unsigned char *p = (unsigned char *)out; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			*p = '?';
}

int state_write(const struct box *b, const struct box_info *info, struct err *e)
{
	char image[sizeof(info->image)], command[sizeof(info->command)];
	char reason[sizeof(info->reason)];
	autofree char *text = NULL;
	autoclose int fd = -1;
	json_t *o;
	int r;

	clean(image, sizeof(image), info->image);
	clean(command, sizeof(command), info->command);
	clean(reason, sizeof(reason), info->reason);
	o = json_pack("{ss ss ss ss ss sI sI si ss}", "id", info->id, "name",
		      info->name, "status", info->status, "image", image,
		      "command", command, "created", (json_int_t)info->created,
		      "finished", (json_int_t)info->finished, "exit_status",
		      info->exit_status, "reason", reason);
	text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
	json_decref(o);
	if (!text)
		return err_set(e, ENOMEM, "box %s: out of memory", b->id);
	fd = openat(b->dir, "state.json.new",
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(e, "box %s: state.json", b->id);
	r = fd_write_full(fd, text, strlen(text));
	if (r < 0)
		return err_set(e, -r, "box %s: write state.json: %s", b->id,
			       strerror(-r));
	if (renameat(b->dir, "state.json.new", b->dir, "state.json") < 0)
		return err_sys(e, "box %s: state.json", b->id);
	return 0;
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

static int by_age(const void *a, const void *b)
{
	const struct box_info *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	return strcmp(x->id, y->id);
}

/* Under the folder's lock: reads all boxes, removes those left by the dead. */
static int scan(int root, struct box_info **out, struct err *e)
{
	int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct box_info *all = NULL;
	struct dirent *de;
	int n = 0;

	if (!d)
		return err_sys(e, "list the boxes");
	while ((de = readdir(d)) != NULL) {
		struct box_info info, *more;
		struct err ignored;
		struct box b;

		if (!id_valid(de->d_name) ||
		    open_at(&b, root, de->d_name, &ignored) < 0)
			continue;
		info.alive = state_alive(&b);
		if ((state_read(&b, &info, &ignored) < 0 ||
		     strcmp(info.status, "exited") != 0) &&
		    !state_alive(&b)) {
			state_remove(&b);
			continue;
		}
		info.alive = state_alive(&b);
		state_close(&b);
		more = reallocarray(all, (size_t)n + 1, sizeof(*all));
		if (!more)
			break;
		all = more;
		all[n++] = info;
	}
	closedir(d);
	if (n > 1)
		qsort(all, (size_t)n, sizeof(*all), by_age);
	*out = all;
	return n;
}

int state_list(struct box_info **out, struct err *e)
{
	autoclose int root = where_boxes(e);
	autoclose int lock = root < 0 ? -1 : folder_lock(root, e);

	*out = NULL;
	return lock < 0 ? -e->code : scan(root, out, e);
}

int state_find(const char *what, struct box_info *info, struct err *e)
{
	autofree struct box_info *all = NULL;
	int n = state_list(&all, e), found = -1, like = 0;
	size_t len = strlen(what);

	if (n < 0)
		return n;
	if (!all)
		n = 0;
	for (int i = 0; i < n; i++)
		if (strcmp(all[i].name, what) == 0 ||
		    strcmp(all[i].id, what) == 0) {
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

/* Under the folder's lock. */
static int pick_name(int root, struct box_info *info, struct err *e)
{
	autofree struct box_info *all = NULL;
	int n = scan(root, &all, e);
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
	if (other)
		return err_set(e, EEXIST,
			       "Conflict. The box name \"%s\" is "
			       "already in use by box \"%s\". Remove that box "
			       "('vial rm %s') or choose another name.",
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
	b->lock = openat(b->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (b->lock < 0 || flock(b->lock, LOCK_EX | LOCK_NB) < 0)
		return err_sys(e, "box %s: lock", info->id);
	return state_write(b, info, e);
}

int state_create(struct box *b, struct box_info *info, struct err *e)
{
	autoclose int root = -1, lock = -1;

	*b = (struct box)BOX_INIT;
	root = where_boxes(e);
	if (root < 0)
		return root;
	lock = folder_lock(root, e);
	if (lock < 0)
		return lock;
	if (pick_name(root, info, e) < 0)
		return -e->code;
	if (!info->created)
		info->created = time(NULL);
	snprintf(info->status, sizeof(info->status), "running");
	if (make_dir(b, info, root, e) < 0) {
		state_remove(b);
		return -e->code;
	}
	return 0;
}

char *state_tail(const struct box *b, const char *file, size_t max)
{
	autoclose int fd = openat(b->dir, file, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	struct stat st;
	uint64_t from = 0;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
		return NULL;
	if ((uint64_t)st.st_size > max)
		from = (uint64_t)st.st_size - max;
	text = malloc(max + 1);
	n = text ? fd_pread_full(fd, text, max, from) : -1;
	if (n <= 0)
		return NULL;
	text[n] = '\0';
	return take_ptr(&text);
}
