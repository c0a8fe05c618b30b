/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/guest/layer.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#define TAR_BLOCK 512

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "layer: %s\n", what);
	abort();
}

void tape_free(struct tape *t)
{
	free(t->data);
	*t = (struct tape){ 0 };
}

void tape_bytes(struct tape *t, const void *p, size_t len)
{
	if (t->len + len > t->room) {
		t->room = 2 * (t->len + len);
		t->data = realloc(t->data, t->room);
		must(t->data != NULL, "memory");
	}
	if (len > 0)
		memcpy(t->data + t->len, p, len);
	t->len += len;
}

static void pad(struct tape *t)
{
	static const uint8_t zeros[TAR_BLOCK];

	if (t->len % TAR_BLOCK)
		tape_bytes(t, zeros, TAR_BLOCK - t->len % TAR_BLOCK);
}

static void octal(char *at, size_t room, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%0*llo", (int)room - 1,
		 (unsigned long long)v);
	memcpy(at, text, MIN(strlen(text) + 1, room));
}

static void header(struct tape *t, const struct tape_entry *en, uint64_t size)
{
	char h[TAR_BLOCK] = { 0 };
	unsigned sum = 0;

	memcpy(h, en->name, MIN(strlen(en->name), (size_t)100));
	octal(h + 100, 8, en->mode ? en->mode : 0644);
	octal(h + 108, 8, en->uid);
	octal(h + 116, 8, en->gid);
	octal(h + 124, 12, size);
	octal(h + 136, 12, 1000000000);
	h[156] = en->type ? en->type : '0';
	if (en->link)
		memcpy(h + 157, en->link, MIN(strlen(en->link), (size_t)100));
	memcpy(h + 257, "ustar\00000", 8);
	octal(h + 329, 8, en->major);
	octal(h + 337, 8, en->minor);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (uint8_t)h[i];
	octal(h + 148, 7, sum);
	tape_bytes(t, h, sizeof(h));
}

void tape_put(struct tape *t, const struct tape_entry *en)
{
	size_t len = en->data ? strlen(en->data) : 0;

	header(t, en, en->size ? en->size : len);
	tape_bytes(t, en->data, len);
	pad(t);
}

void tape_pax(struct tape *t, const char *key, const void *value, size_t len)
{
	const struct tape_entry en = { .name = "pax", .type = 'x' };
	size_t rest = strlen(key) + len + 3, n = rest + 1;
	char text[32];

	/* A record's length counts its own digits. */
	while ((size_t)snprintf(text, sizeof(text), "%zu", n) + rest != n)
		n++;
	header(t, &en, n);
	tape_bytes(t, text, strlen(text));
	tape_bytes(t, " ", 1);
	tape_bytes(t, key, strlen(key));
	tape_bytes(t, "=", 1);
	tape_bytes(t, value, len);
	tape_bytes(t, "\n", 1);
	pad(t);
}

void tape_end(struct tape *t)
{
	static const uint8_t zeros[2 * TAR_BLOCK];

	tape_bytes(t, zeros, sizeof(zeros));
}

void tape_gzip(struct tape *t)
{
	z_stream z = { .next_in = t->data, .avail_in = (uInt)t->len };
	struct tape out = { .room = compressBound(t->len) + 64 };

	out.data = malloc(out.room);
	must(out.data && deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8,
				      Z_DEFAULT_STRATEGY) == Z_OK,
	     "deflate");
	z.next_out = out.data;
	z.avail_out = (uInt)out.room;
	must(deflate(&z, Z_FINISH) == Z_STREAM_END, "deflate");
	out.len = z.total_out;
	deflateEnd(&z);
	tape_free(t);
	*t = out;
}

void tape_zstd(struct tape *t)
{
	struct tape out = { .room = ZSTD_compressBound(t->len) };

	out.data = malloc(out.room);
	must(out.data != NULL, "memory");
	out.len = ZSTD_compress(out.data, out.room, t->data, t->len, 3);
	must(!ZSTD_isError(out.len), "zstd");
	tape_free(t);
	*t = out;
}

/* ---- the folder ---- */

static void path_of(const struct tape_target *t, const char *name, char out[96])
{
	snprintf(out, 96, "%s/%s", t->dir, name);
}

void target_open(struct tape_target *t)
{
	char path[96];

	*t = (struct tape_target){ .dir = "/tmp/vial-layer-XXXXXX" };
	must(mkdtemp(t->dir) != NULL, "mkdtemp");
	path_of(t, "root", path);
	must(mkdir(path, 0755) == 0, "mkdir");
	t->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(t->root >= 0, "open");
	/* Whoever sets attributes goes about. */
	t->cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(t->cwd >= 0, "open");
	path_of(t, "beside", path);
	must(mkdir(path, 0755) == 0, "mkdir");
	path_of(t, "beside/guard", path);
	must(close(open(path, O_CREAT | O_WRONLY, 0600)) == 0, "guard");
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int open_up(const char *path, const struct stat *st, int type,
		   struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return type == FTW_DNR || type == FTW_D ? chmod(path, 0700) : 0;
}

void target_close(struct tape_target *t)
{
	struct stat st;
	char path[96];

	path_of(t, "beside/guard", path);
	must(stat(path, &st) == 0 && st.st_size == 0 && st.st_nlink == 1 &&
		     (st.st_mode & 07777) == 0600,
	     "the archive reached a file outside");
	path_of(t, "beside", path);
	must(stat(path, &st) == 0 && st.st_nlink == 2 &&
		     (st.st_mode & 07777) == 0755 &&
		     unlinkat(AT_FDCWD, path, 0) < 0,
	     "the archive reached a folder outside");
	close(t->root);
	must(fchdir(t->cwd) == 0 && close(t->cwd) == 0, "chdir");
	for (int i = 0; i < 64 && access(t->dir, F_OK) == 0; i++) {
		nftw(t->dir, open_up, 16, FTW_PHYS);
		nftw(t->dir, remove_one, 16, FTW_PHYS | FTW_DEPTH);
	}
}

int target_apply(struct tape_target *t, const struct tape *tape,
		 const struct decode_conf *dc, const struct layer_conf *lc,
		 struct err *e)
{
	struct decode_conf dconf = { .limit = 1u << 30 };
	struct layer_conf lconf = { .max_entries = 1u << 20 };
	struct decode *d;
	int r;

	if (dc)
		dconf = *dc;
	if (lc)
		lconf = *lc;
	dconf.fd = memfd_create("layer", MFD_CLOEXEC);
	must(dconf.fd >= 0 &&
		     fd_write_full(dconf.fd, tape->data, tape->len) == 0 &&
		     lseek(dconf.fd, 0, SEEK_SET) == 0,
	     "memfd");
	if (dconf.size == 0)
		dconf.size = tape->len;
	lconf.root = t->root;
	d = decode_new(&dconf, e);
	must(d != NULL, "decode_new");
	r = layer_apply(&lconf, d, &t->stats, e);
	snprintf(t->digest, sizeof(t->digest), "%s", decode_digest(d));
	decode_free(d);
	close(dconf.fd);
	return r;
}

void target_start(struct tape_target *t)
{
	umask(0);
	setlocale(LC_CTYPE, "C.UTF-8");
	target_open(t);
}

void target_layer(struct tape_target *t, struct tape *tape)
{
	struct err e = { 0 };

	tape_end(tape);
	must(target_apply(t, tape, NULL, NULL, &e) == 0, e.msg);
	tape_free(tape);
}
