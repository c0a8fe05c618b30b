/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/unpack/layer.h"

#include "agent/unpack/apply.h"
#include "agent/unpack/remove.h"
#include "base/auto.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WHITEOUT ".wh."
/* ".wh..wh..opq" is an opaque folder; others of the kind are notes that a
 * file system once left to itself. */
#define WHITEOUT_NOTE ".wh..wh."
#define OPAQUE ".wh..wh..opq"

int apply_why(struct apply *a, struct err *e)
{
	if (a->decode_err.code) {
		*e = a->decode_err;
		return -e->code;
	}
	return err_lib(e, archive_errno(a->in), "tar archive",
		       archive_error_string(a->in));
}

static la_ssize_t from_decode(struct archive *in, void *arg, const void **block)
{
	struct apply *a = arg;
	ssize_t n = decode_read(a->decode, block, &a->decode_err);

	if (n < 0)
		archive_set_error(in, a->decode_err.code, "%s",
				  a->decode_err.msg);
	else if (a->conf->tick)
		a->conf->tick(a->conf->arg, a->decode);
	return n < 0 ? -1 : n;
}

/* ---- what is taken away ---- */

static int whiteout(struct apply *a, const char *name, const char *what,
		    struct err *e)
{
	const char *base, *gone = what + strlen(WHITEOUT);
	bool opaque = strcmp(what, OPAQUE) == 0;
	int dir, r;

	if (!opaque && strncmp(what, WHITEOUT_NOTE, strlen(WHITEOUT_NOTE)) == 0)
		return 0;
	if (!*gone || strcmp(gone, ".") == 0 || strcmp(gone, "..") == 0)
		return err_set(e, EINVAL, "'%.128s' removes nothing", name);
	dir = place_parent(&a->place, name, false, &base, e);
	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return dir;
	r = opaque ? remove_below(dir, &a->made, true, e)
		   : remove_name(dir, gone, &a->made, true, e);
	place_forget(&a->place);
	return r < 0 ? err_wrap(e, "'%.64s'", name) : 0;
}

/* ---- as a whole ---- */

void apply_dir_times(struct apply *a)
{
	const char *base;
	struct err ignored;

	/* One that has been removed since needs none. */
	for (size_t i = 0; i < a->ndirs; i++) {
		int dir = place_parent(&a->place, a->dirs[i].name, false, &base,
				       &ignored);

		if (dir >= 0)
			utimensat(dir, base, a->dirs[i].t, AT_SYMLINK_NOFOLLOW);
		free(a->dirs[i].name);
	}
	a->ndirs = a->dirs_bytes = 0;
}

static int apply_one(struct apply *a, struct archive_entry *en, struct err *e)
{
	const char *raw = archive_entry_pathname(en), *base;
	char name[PATH_MAX];

	if (!raw || !*raw)
		return err_set(e, EINVAL, "an entry has no usable name");
	if (++a->st->entries > a->conf->max_entries)
		return err_set(e, E2BIG,
			       "the image has more than %" PRIu64 " entries",
			       a->conf->max_entries);
	if (place_clean(raw, name, e) < 0)
		return -e->code;
	base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
	if (strncmp(base, WHITEOUT, strlen(WHITEOUT)) == 0)
		return whiteout(a, name, base, e);
	return entry_put(a, en, name, e);
}

/* Padding behind the end is part of what the digest is of. */
static int drain(struct apply *a, struct err *e)
{
	const void *block;
	ssize_t n;

	do
		n = decode_read(a->decode, &block, e);
	while (n > 0);
	return (int)n;
}

static int apply_all(struct apply *a, struct err *e)
{
	struct archive_entry *en;
	int r;

	archive_read_support_format_tar(a->in);
	archive_read_support_format_empty(a->in);
	if (archive_read_open(a->in, a, NULL, from_decode, NULL) < ARCHIVE_WARN)
		return apply_why(a, e);
	while ((r = archive_read_next_header(a->in, &en)) != ARCHIVE_EOF) {
		if (r < ARCHIVE_WARN)
			return apply_why(a, e);
		if (apply_one(a, en, e) < 0)
			return -e->code;
	}
	apply_dir_times(a);
	return drain(a, e);
}

int layer_apply(const struct layer_conf *c, struct decode *d,
		struct layer_stats *st, struct err *e)
{
	struct apply a = { .conf = c,
			   .decode = d,
			   .st = st,
			   .owners = geteuid() == 0,
			   .in = archive_read_new() };
	int r;

	if (!a.in)
		return err_set(e, ENOMEM, "out of memory");
	place_init(&a.place, c->root, &a.made);
	r = apply_all(&a, e);
	apply_dir_times(&a);
	archive_read_free(a.in);
	place_fini(&a.place);
	inoset_fini(&a.made);
	free(a.dirs);
	return r;
}
