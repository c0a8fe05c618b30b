/* SPDX-License-Identifier: Apache-2.0 */
#include "image/gc.h"

#include "base/auto.h"
#include "image/catalog.h"
#include "image/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is referred to: digests, and the first half of disks' names. */
struct live {
	char (*v)[DIGEST_MAX];
	size_t n, room;
};

struct gc {
	struct store *store;
	struct gc_stats *st;
	void (*deleted)(void *ctx, const struct digest *d);
	void *ctx;
	struct live live;
};

static int mark(struct live *l, const char *text)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 256;
		void *v = realloc(l->v, room * sizeof(*l->v));

		if (!v)
			return -ENOMEM;
		l->v = v;
		l->room = room;
	}
	snprintf(l->v[l->n++], sizeof(*l->v), "%s", text);
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool is_live(const struct live *l, const char *text)
{
	return l->n > 0 &&
	       bsearch(text, l->v, l->n, sizeof(*l->v), compare) != NULL;
}

/* One that cannot be read is of no use, and its blobs are not either. */
static int mark_image(struct gc *g, const struct digest *manifest)
{
	char key[IMAGE_KEY_MAX];
	struct err why = { 0 };
	struct image img;
	int r = mark(&g->live, manifest->text);

	if (r < 0 || image_open_digest(g->store, manifest, &img, &why) < 0)
		return r;
	image_disk_key(&img, "", key);
	key[strcspn(key, "-")] = '\0';
	if (mark(&g->live, img.id.text) < 0 || mark(&g->live, key) < 0)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < img.manifest.nlayers; i++)
		r = mark(&g->live, img.manifest.layers[i].digest.text);
	image_fini(&img);
	return r;
}

static int mark_all(struct gc *g, struct err *e)
{
	struct catalog c;
	int r = catalog_load(g->store, &c, e);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < c.n; i++)
		if (mark_image(g, &c.v[i].desc.digest) < 0)
			r = err_set(e, ENOMEM, "out of memory");
	catalog_fini(&c);
	if (g->live.n > 0)
		qsort(g->live.v, g->live.n, sizeof(*g->live.v), compare);
	return r;
}

static bool drop(struct gc *g, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    unlinkat(dir, name, 0) < 0)
		return false;
	/* A box that was made from a disk holds on to it. */
	if (st.st_nlink == 1)
		g->st->bytes += (uint64_t)st.st_blocks * 512;
	return true;
}

static void judge_blob(struct gc *g, int dir, const char *alg, const char *name)
{
	struct err none = { 0 };
	struct digest d;
	char text[DIGEST_MAX + 256];

	snprintf(text, sizeof(text), "%s:%s", alg, name);
	if (is_live(&g->live, text) || !drop(g, dir, name))
		return;
	g->st->blobs++;
	if (g->deleted && digest_parse(text, &d, &none) == 0)
		g->deleted(g->ctx, &d);
}

static void judge_disk(struct gc *g, int dir, const char *name)
{
	char chain[65];

	snprintf(chain, sizeof(chain), "%.64s", name);
	if (is_live(&g->live, chain) || !drop(g, dir, name))
		return;
	g->st->disks += strstr(name, ".ext4") != NULL;
}

/* alg NULL: the disks. */
static int sweep(struct gc *g, int dir, const char *alg, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d) {
		err_sys(e, "read %s", g->store->path);
		auto_close_(&fd);
		return -e->code;
	}
	while ((de = readdir(d))) {
		if (*de->d_name == '.')
			continue;
		if (alg)
			judge_blob(g, dir, alg, de->d_name);
		else
			judge_disk(g, dir, de->d_name);
	}
	closedir(d);
	return 0;
}

int gc_run(struct store *s, struct gc_stats *st,
	   void (*deleted)(void *ctx, const struct digest *d), void *ctx,
	   struct err *e)
{
	struct gc g = { .store = s, .st = st, .deleted = deleted, .ctx = ctx };
	struct err ignored;
	int r;

	*st = (struct gc_stats){ 0 };
	r = store_alone(s, e);
	if (r < 0)
		return r;
	r = mark_all(&g, e);
	if (r == 0)
		r = sweep(&g, s->blobs[DIGEST_SHA256], "sha256", e);
	if (r == 0)
		r = sweep(&g, s->blobs[DIGEST_SHA512], "sha512", e);
	if (r == 0)
		r = sweep(&g, s->disks, NULL, e);
	st->bytes += store_trim(s, PARTIAL_MAX, PARTIAL_AGE_S);
	free(g.live.v);
	if (store_share(s, &ignored) < 0)
		return r < 0 ? r : err_set(e, ignored.code, "%s", ignored.msg);
	return r;
}
