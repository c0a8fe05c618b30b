/* SPDX-License-Identifier: Apache-2.0 */
/* What a build leaves for the next one of the same folder: a volume with
 * buildah's storage in it.
 *
 * RUN has all rights in the machine, so what it leaves may be anything. Folders
 * do not share one for that reason, and a text from standard input has that of
 * the same text. Who builds a folder has to trust those who built it before, or
 * says --no-cache. */
#include "cli/build.h"

#include "base/auto.h"
#include "base/log.h"
#include "base/settings.h"
#include "box/volume.h"
#include "spec/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "vial-build-"
/* Of all of them, between builds; of the one that is built in. */
#define BYTES_DEFAULT (10ull << 30)
#define DISK_BYTES (32ull << 30)
#define COUNT_MAX 32

/* [build] of vial.conf. 0: there is to be none. */
static int read_limit(uint64_t *bytes, struct err *e)
{
	json_t *all = settings_load(e), *v;
	const char *text;
	int r = 0;

	*bytes = BYTES_DEFAULT;
	if (!all)
		return -e->code;
	v = json_object_get(json_object_get(all, "build"), "cache-size");
	text = json_string_value(v);
	if (v && !text)
		r = err_set(e, EINVAL, "it is no string");
	else if (text && strcmp(text, "0") == 0)
		*bytes = 0;
	else if (text)
		r = parse_size(text, bytes, e);
	json_decref(all);
	return r < 0 ? err_wrap(e, "vial.conf: build: cache-size") : 0;
}

static int put_name(struct build_args *a, struct err *e)
{
	char path[PATH_MAX];
	struct digest d;

	if (!a->context)
		digest_of(a->text, a->len, &d);
	else if (realpath(a->context, path))
		digest_of(path, strlen(path), &d);
	else
		return err_sys(e, "context %.150s", a->context);
	snprintf(a->cache, sizeof(a->cache), PREFIX "%.16s", digest_hex(&d));
	return 0;
}

/* Held until the descriptor is closed; -1: somebody else has it. */
static int lock(const char *name)
{
	char path[PATH_MAX], *last;
	int fd;

	volume_path(name, path);
	last = strrchr(path, '/');
	if (!last)
		return -1;
	*last = '\0';
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return -1;
}

/* ---- what goes ---- */

struct caches {
	uint64_t bytes;
	unsigned n;
	time_t oldest; /* that nobody uses */
	char name[VOLUME_NAME_MAX + 1];
};

static bool is_free(const char *name)
{
	autoclose int fd = lock(name);

	return fd >= 0;
}

static void look_at(struct caches *c, const char *name)
{
	struct volume_info v = { .size = 0 };
	struct err ignored;
	char path[PATH_MAX];
	struct stat st;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 ||
	    volume_get(name, &v, &ignored) < 0)
		return;
	c->bytes += v.used;
	c->n++;
	if (!v.busy && is_free(name) &&
	    stat(volume_path(name, path), &st) == 0 &&
	    (!*c->name || st.st_mtime < c->oldest)) {
		c->oldest = st.st_mtime;
		snprintf(c->name, sizeof(c->name), "%s", name);
	}
	volume_info_fini(&v);
}

static bool drop(const char *name)
{
	autoclose int fd = lock(name);
	struct err ignored;

	return fd >= 0 && volume_remove(name, NULL, &ignored) == 0;
}

/* Those that were not used for longest go first. */
static void trim(uint64_t max)
{
	struct err ignored;

	for (;;) {
		struct strv names = { 0 };
		struct caches c = { .n = 0 };

		if (volume_names(&names, &ignored) < 0)
			return;
		for (size_t i = 0; i < names.n; i++)
			look_at(&c, names.v[i]);
		strv_fini(&names);
		if ((c.bytes <= max && c.n <= COUNT_MAX) || !*c.name ||
		    !drop(c.name))
			return;
	}
}

/* ---- before and behind a build ---- */

static int take(struct build_args *a, struct err *e)
{
	const struct volume_conf conf = { .name = a->cache,
					  .size = DISK_BYTES };
	char name[VOLUME_NAME_MAX + 1];

	if (volume_create(&conf, name, e) < 0)
		return -e->code;
	a->cache_lock = lock(a->cache);
	if (a->cache_lock < 0) {
		if (!a->quiet)
			log_warn("another build of it goes on: this one has "
				 "no cache");
		*a->cache = '\0';
	}
	return 0;
}

int build_cache_open(struct build_args *a, struct err *e)
{
	int r = read_limit(&a->cache_max, e);

	if (r < 0 || a->no_cache || a->cache_max == 0)
		return r;
	if (put_name(a, e) < 0)
		return -e->code;
	return take(a, e) < 0 ? err_wrap(e, "cache of builds") : 0;
}

void build_cache_close(struct build_args *a)
{
	if (a->cache_lock < 0)
		return;
	auto_close_(&a->cache_lock);
	trim(a->cache_max);
}
