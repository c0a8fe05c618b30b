/* SPDX-License-Identifier: Apache-2.0 */
#include "image/load.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/doc.h"
#include "image/image.h"
#include "image/load_priv.h"
#include "image/ref.h"
#include "image/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES (256u << 10)

/* ---- naming ---- */

/* What need not be unpacked to be compared. */
static int check_layers(struct store *s, const struct image *img, struct err *e)
{
	for (size_t i = 0; i < img->manifest.nlayers; i++) {
		const struct manifest_desc *d = &img->manifest.layers[i];
		const struct digest *want = &img->config.diff_ids[i];
		int fd = image_layer_fd(s, img, i, e);

		if (fd < 0)
			return fd;
		close(fd);
		if (d->pack == PACK_NONE &&
		    digest_get_alg(want) == digest_get_alg(&d->digest) &&
		    !digest_equal(want, &d->digest))
			return err_set(e, EBADMSG,
				       "layer %zu is %s, the configuration "
				       "says %s",
				       i + 1, d->digest.text, want->text);
	}
	return 0;
}

int load_name(struct store *s, const struct manifest_desc *manifest,
	      const char *name, const struct digest *pulled, struct digest *id,
	      struct err *e)
{
	struct catalog_entry en = { .desc = *manifest };
	struct image img;
	struct catalog c;
	int r = image_open_digest(s, &manifest->digest, &img, e);

	if (r < 0)
		return r;
	en.id = *id = img.id;
	en.pulled = *pulled;
	snprintf(en.desc.media, sizeof(en.desc.media), "%s",
		 img.manifest.media);
	r = check_layers(s, &img, e);
	image_fini(&img);
	en.name = name ? strdup(name) : NULL;
	if (r == 0 && name && !en.name)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0) {
		r = catalog_edit(s, &c, e);
		if (r == 0)
			r = catalog_put(&c, &en, e);
		if (r == 0)
			r = catalog_commit(&c, e);
		catalog_fini(&c);
	}
	free(en.name);
	return r;
}

int load_done(struct load *l, const struct manifest_desc *manifest,
	      const char *text, struct err *e)
{
	const struct digest none = { "" };
	char name[REF_TEXT_MAX] = "";
	struct digest id;
	struct ref r;

	if (l->how->name)
		text = l->how->name;
	if (text) {
		if (ref_parse(text, &r, e) < 0)
			return -e->code;
		ref_print(&r, name);
	}
	if (load_name(l->store, manifest, text ? name : NULL, &none, &id, e) <
	    0)
		return -e->code;
	l->count++;
	if (l->how->loaded)
		l->how->loaded(l->how->ctx, text ? name : NULL, &id);
	return 0;
}

/* ---- what is in it ---- */

static int open_in(int dir, const char *name, struct err *e)
{
	/* A layout belongs to its user, who may well have links in it. */
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ENOENT, "%.100s is missing", name);
	if (fd < 0)
		return err_sys(e, "open %.100s", name);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return err_set(e, EINVAL, "%.100s is no regular file", name);
}

ssize_t load_file(struct load *l, const char *name, char **out, struct err *e)
{
	const struct part *part;
	autoclose int fd = -1;
	ssize_t n;

	if (l->dir < 0) {
		part = parts_find(&l->parts, name);
		if (!part)
			return err_set(e, ENOENT, "%.100s is missing", name);
		n = store_read(l->store, &part->digest, DOC_TEXT_MAX, out, e);
		return n < 0 ? err_wrap(e, "%.100s", name) : n;
	}
	fd = open_in(l->dir, name, e);
	if (fd < 0)
		return fd;
	n = fd_slurp(fd, out, DOC_TEXT_MAX);
	return n < 0 ? err_set(e, (int)-n, "%.100s: %s", name,
			       n == -EFBIG ? "too large" : strerror((int)-n))
		     : n;
}

static int copy_blob(struct load *l, int fd, const struct manifest_desc *d,
		     struct err *e)
{
	autofree char *buf = malloc(COPY_BYTES);
	struct blob b;
	int r = buf ? blob_new(&b, l->store, digest_get_alg(&d->digest),
			       d->size, e)
		    : err_set(e, ENOMEM, "out of memory");

	if (!buf)
		return r;
	while (r == 0) {
		ssize_t n = read(fd, buf, COPY_BYTES);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_sys(e, "read");
		if (n <= 0)
			break;
		r = blob_write(&b, buf, (size_t)n, e);
	}
	if (r == 0)
		r = blob_commit(&b, &d->digest, NULL, e);
	blob_end(&b);
	return r;
}

int load_blob(struct load *l, const struct manifest_desc *d, struct err *e)
{
	char name[sizeof("blobs/sha512/") + DIGEST_MAX];
	const struct part *part;
	uint64_t size;

	snprintf(name, sizeof(name), "blobs/%s/%s", digest_alg_name(&d->digest),
		 digest_hex(&d->digest));
	part = l->dir < 0 ? parts_find(&l->parts, name) : NULL;
	if (part && !digest_equal(&part->digest, &d->digest))
		return err_set(e, EBADMSG, "the file named %s is %s",
			       d->digest.text, part->digest.text);
	if (!store_has(l->store, &d->digest, NULL) && l->dir >= 0) {
		autoclose int fd = open_in(l->dir, name, e);

		if (fd < 0)
			return fd;
		if (copy_blob(l, fd, d, e) < 0)
			return err_wrap(e, "%s", d->digest.text);
	}
	if (!store_has(l->store, &d->digest, &size))
		return err_set(e, ENOENT, "%s is missing", d->digest.text);
	if (size != d->size)
		return err_set(e, EBADMSG, "%s has %llu bytes, not %llu",
			       d->digest.text, (unsigned long long)size,
			       (unsigned long long)d->size);
	return 0;
}

/* ---- which kind ---- */

static bool has(struct load *l, const char *name)
{
	if (l->dir >= 0)
		return faccessat(l->dir, name, F_OK, 0) == 0;
	return parts_find(&l->parts, name) != NULL;
}

/* docker 25 and later writes both into one archive: there the names are whole
 * in manifest.json only. */
static int choose(struct load *l, struct err *e)
{
	if (has(l, "manifest.json"))
		return load_docker(l, e);
	if (has(l, "index.json"))
		return load_oci(l, e);
	return err_set(e, EINVAL,
		       "neither index.json (OCI) nor manifest.json (docker "
		       "save) is in it; 'vial import' takes a root file "
		       "system");
}

static int read_archive(struct load *l, int fd, struct err *e)
{
	struct source src;
	struct tar t;
	char rest[4096];
	int r = source_open(&src, fd, e);

	if (r < 0)
		return r;
	tar_init(&t, source_read, &src);
	r = parts_read(&l->parts, l->store, &t, e);
	/* What follows an archive is padding; the decoder ends with it. */
	while (r == 0 && src.child) {
		ssize_t n = source_read(&src, rest, sizeof(rest), e);

		if (n < 0)
			r = (int)n;
	}
	source_close(&src);
	return r;
}

static int open_it(struct load *l, const char *path, int *fd, struct err *e)
{
	struct stat st;

	*fd = path ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		return err_sys(e, "open %s", path ? path : "stdin");
	if (S_ISDIR(st.st_mode))
		l->dir = take_fd(fd);
	return 0;
}

int load_archive(struct store *s, const char *path, const struct load_how *how,
		 struct err *e)
{
	struct load l = { .store = s, .how = how, .dir = -1 };
	autoclose int fd = -1;
	int r = open_it(&l, path, &fd, e);

	if (r < 0)
		return r;
	if (l.dir < 0)
		r = read_archive(&l, take_fd(&fd), e);
	if (r == 0)
		r = choose(&l, e);
	parts_fini(&l.parts);
	auto_close_(&l.dir);
	return r < 0 ? err_wrap(e, "%.100s", path ? path : "stdin") : 0;
}
