/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/build.h"

#include "base/auto.h"
#include "base/fd.h"
#include "box/disk.h"
#include "builder/fetch.h"
#include "builder/from.h"
#include "builder/layout.h"
#include "cli/imagerow.h"
#include "image/image.h"
#include "image/source.h"
#include "image/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of standard input at a time: a Dockerfile comes in one. */
#define COPY_BYTES FROM_TEXT_MAX
/* Of a context that comes by a pipe. */
#define CONTEXT_MAX (16ull << 30)
#define USTAR_AT 257

/* ---- the Dockerfile ---- */

static int slurp(struct build_args *a, int fd, const char *what, struct err *e)
{
	ssize_t n = fd < 0 ? -errno : fd_slurp(fd, &a->text, FROM_TEXT_MAX);

	if (n < 0)
		return err_set(e, (int)-n, "%.150s: %s", what,
			       n == -EFBIG ? "more than a megabyte"
					   : strerror((int)-n));
	a->len = (size_t)n;
	return 0;
}

static int put_text(const struct build_args *a, struct err *e)
{
	autoclose int fd = openat(a->desk.dir, "Dockerfile",
				  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				  0600);
	int r = fd < 0 ? -errno : fd_write_full(fd, a->text, a->len);

	return r < 0 ? err_set(e, -r, "Dockerfile: %s", strerror(-r)) : 0;
}

static int read_file(struct build_args *a, const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return slurp(a, fd, path, e);
}

static int read_text(struct build_args *a, struct err *e)
{
	static const char *const names[] = { "Dockerfile", "Containerfile" };
	struct stat st;

	if (a->file && strcmp(a->file, "-") == 0)
		return slurp(a, STDIN_FILENO, "standard input", e);
	if (a->file)
		return read_file(a, a->file, e);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		autofree char *path = NULL;

		if (asprintf(&path, "%s/%s", a->context, names[i]) < 0)
			path = NULL;
		if (path && stat(path, &st) == 0)
			return read_file(a, path, e);
	}
	return err_set(e, ENOENT, "%.150s has no Dockerfile (-f names another)",
		       a->context);
}

/* ---- standard input ---- */

static bool is_archive(const uint8_t *p, size_t n)
{
	static const struct {
		const char *magic;
		size_t len;
	} packed[] = { { "\037\213", 2 },
		       { "BZh", 3 },
		       { "\3757zXZ", 5 },
		       { "\050\265\057\375", 4 } };

	for (size_t i = 0; i < ARRAY_LEN(packed); i++)
		if (n > packed[i].len &&
		    memcmp(p, packed[i].magic, packed[i].len) == 0)
			return true;
	return n > USTAR_AT + 5 && memcmp(p + USTAR_AT, "ustar", 5) == 0;
}

static int copy_rest(int to, uint8_t *buf, size_t n, struct err *e)
{
	uint64_t sum = 0;
	ssize_t m = (ssize_t)n;

	for (; m > 0; m = fd_read_full(STDIN_FILENO, buf, COPY_BYTES)) {
		int r = fd_write_full(to, buf, (size_t)m);

		sum += (uint64_t)m;
		if (r == 0 && sum > CONTEXT_MAX)
			r = -EFBIG;
		if (r < 0)
			return err_set(e, -r, "context: %s", strerror(-r));
	}
	return m < 0 ? err_set(e, (int)-m, "standard input: %s",
			       strerror((int)-m))
		     : 0;
}

/* What is read of the archive goes to the desk, unpacked. */
struct tee {
	struct source src;
	int to;
	uint64_t bytes;
};

static ssize_t tee_read(void *tee, void *buf, size_t len, struct err *e)
{
	struct tee *t = tee;
	ssize_t n = source_read(&t->src, buf, len, e);
	int r;

	if (n <= 0)
		return n;
	t->bytes += (uint64_t)n;
	r = t->bytes > CONTEXT_MAX ? -EFBIG
				   : fd_write_full(t->to, buf, (size_t)n);
	return r < 0 ? err_set(e, -r, "context: %s", strerror(-r)) : n;
}

static int too_long(struct err *e)
{
	return err_set(e, EFBIG, "a Dockerfile of a megabyte or more");
}

static int take_text(struct build_args *a, struct tar *t, struct err *e)
{
	ssize_t n = 1;

	a->len = 0;
	while (n > 0 && a->len < FROM_TEXT_MAX) {
		n = tar_data(t, a->text + a->len, FROM_TEXT_MAX - a->len, e);
		a->len += n > 0 ? (size_t)n : 0;
	}
	a->text[a->len] = '\0';
	if (a->len == FROM_TEXT_MAX)
		return too_long(e);
	return n < 0 ? (int)n : 0;
}

/* To its end: the one file that we have to know, the last of that name. */
static int read_tar(struct build_args *a, struct tee *tee, struct err *e)
{
	const char *want = a->file ? a->file : "Dockerfile";
	autofree struct tar_entry *en = malloc(sizeof(*en));
	char rest[4096];
	bool found = false;
	struct tar t;
	ssize_t n;

	a->text = malloc(FROM_TEXT_MAX + 1);
	if (!en || !a->text)
		return err_set(e, ENOMEM, "out of memory");
	tar_init(&t, tee_read, tee);
	while ((n = tar_next(&t, en, e)) > 0) {
		const char *name = en->name;

		while (strncmp(name, "./", 2) == 0)
			name += 2;
		if (en->type != TAR_FILE || strcmp(name, want) != 0)
			continue;
		found = true;
		if (take_text(a, &t, e) < 0)
			return -e->code;
	}
	while (n == 0 && (n = tee_read(tee, rest, sizeof(rest), e)) > 0)
		n = 0;
	if (n < 0)
		return (int)n;
	return found ? 0
		     : err_set(e, ENOENT, "the context has no %.100s", want);
}

static int read_archive(struct build_args *a, uint8_t *buf, size_t n,
			struct err *e)
{
	autoclose int raw = disk_open_overlay(e);
	struct tee tee = { .to = -1 };
	int r;

	if (raw < 0 || copy_rest(raw, buf, n, e) < 0)
		return -e->code;
	tee.to = openat(a->desk.dir, "context.tar",
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (tee.to < 0 || lseek(raw, 0, SEEK_SET) < 0)
		r = err_sys(e, "context");
	else
		r = source_open(&tee.src, take_fd(&raw), e);
	if (r == 0) {
		r = read_tar(a, &tee, e);
		source_close(&tee.src);
	}
	auto_close_(&tee.to);
	return r;
}

static int read_stdin(struct build_args *a, struct err *e)
{
	autofree uint8_t *buf = malloc(COPY_BYTES + 1);
	ssize_t n;

	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	n = fd_read_full(STDIN_FILENO, buf, COPY_BYTES);
	if (n < 0)
		return err_set(e, (int)-n, "standard input: %s",
			       strerror((int)-n));
	if (is_archive(buf, (size_t)n))
		return read_archive(a, buf, (size_t)n, e) < 0
			     ? err_wrap(e, "standard input")
			     : 0;
	/* There may be more, which would be left out. */
	if (n == COPY_BYTES)
		return too_long(e);
	buf[n] = '\0';
	a->len = (size_t)n;
	a->text = (char *)take_ptr(&buf);
	return 0;
}

/* docker would fetch it, and git would have to run. */
static bool is_remote(const char *path)
{
	return strstr(path, "://") || strncmp(path, "git@", 4) == 0 ||
	       strncmp(path, "github.com/", 11) == 0;
}

int build_input(struct build_args *a, const char *path, struct err *e)
{
	struct stat st;
	int r;

	if (is_remote(path))
		return err_set(e, ENOTSUP,
			       "context %.100s: nothing is fetched (git clone "
			       "it and build the folder, or curl -L URL | vial "
			       "build -)",
			       path);
	if (strcmp(path, "-") == 0) {
		r = read_stdin(a, e);
	} else {
		if (stat(path, &st) < 0)
			return err_sys(e, "context %.150s", path);
		if (!S_ISDIR(st.st_mode))
			return err_set(e, ENOTDIR,
				       "context %.150s: not a folder", path);
		a->context = path;
		r = read_text(a, e);
	}
	if (r == 0)
		r = put_text(a, e);
	if (r == 0)
		r = from_list(a->text, a->len, &a->args, &a->images, e);
	return r;
}

/* ---- images ---- */

static bool is_there(const char *name)
{
	struct image img = { 0 };
	struct err ignored;
	struct store s;
	bool there = false;

	if (imagerow_store(&s, &ignored) == 0) {
		there = image_open(&s, name, &img, &ignored) == 0;
		image_fini(&img);
		store_close(&s);
	}
	return there;
}

int build_images(struct build_args *a, struct err *e)
{
	const struct fetch_how how = { .quiet = a->quiet, .to_stderr = true };
	autoclose int dir = -1;
	struct store s;
	int r;

	for (size_t i = 0; i < a->images.n; i++)
		if ((a->pull || !is_there(a->images.v[i])) &&
		    fetch_image(a->images.v[i], &how, e) < 0)
			return -e->code;
	if (mkdirat(a->desk.dir, "images", 0700) < 0)
		return err_sys(e, "make %s/images", a->desk.path);
	dir = openat(a->desk.dir, "images", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "%s/images", a->desk.path);
	if (imagerow_store(&s, e) < 0)
		return -e->code;
	r = layout_make(&s, dir, &a->images, e);
	store_close(&s);
	return r;
}
