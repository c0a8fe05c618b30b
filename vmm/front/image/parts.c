/* SPDX-License-Identifier: Apache-2.0 */
#include "image/parts.h"

#include "base/auto.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ_BYTES (256u << 10)
#define LINKS_MAX 8

/* ---- names ---- */

static int leads_out(const char *path, struct err *e)
{
	char shown[80];
	size_t n = 0;

	for (; *path && n + 1 < sizeof(shown); path++)
		shown[n++] = (char)(*path >= ' ' && *path < 127 ? *path : '?');
	shown[n] = '\0';
	return err_set(e, EPERM, "the archive has a file named '%s'", shown);
}

static bool shows(const char *s)
{
	for (size_t n; *s; s += n) {
		n = utf8_len(s);
		if (n == 0 || utf8_is_control(s, n))
			return false;
	}
	return true;
}

/* Up one folder; false at the top. */
static bool up(char *out, size_t *len)
{
	if (*len == 0)
		return false;
	while (*len > 0 && out[*len - 1] != '/')
		--*len;
	if (*len > 0)
		--*len;
	out[*len] = '\0';
	return true;
}

int parts_clean(const char *dir, const char *path, char *out, struct err *e)
{
	size_t len = strlen(dir);
	const char *p = path;

	if (*path == '/' || !shows(path) || len >= TAR_NAME_MAX)
		return leads_out(path, e);
	memcpy(out, dir, len + 1);
	while (*p) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "..", 2) == 0) {
			if (!up(out, &len))
				return leads_out(path, e);
		} else if (n > 0 && !(n == 1 && *p == '.')) {
			if (len + n + 2 > TAR_NAME_MAX)
				return leads_out(path, e);
			if (len > 0)
				out[len++] = '/';
			memcpy(out + len, p, n);
			len += n;
			out[len] = '\0';
		}
		p += n + (p[n] == '/');
	}
	return len == 0 ? leads_out(path, e) : 0;
}

const struct part *parts_find(const struct parts *p, const char *name)
{
	for (int hops = 0; hops < LINKS_MAX; hops++) {
		const struct part *found = NULL;

		for (size_t i = p->n; i-- > 0 && !found;)
			if (strcmp(p->v[i].name, name) == 0)
				found = &p->v[i];
		if (!found || !found->link)
			return found;
		name = found->link;
	}
	return NULL;
}

/* ---- reading ---- */

static void look_at(struct part *part, const unsigned char *b, size_t len)
{
	if (len >= 2 && b[0] == 0x1f && b[1] == 0x8b)
		part->pack = PACK_GZIP;
	else if (len >= 4 && memcmp(b, "\x28\xb5\x2f\xfd", 4) == 0)
		part->pack = PACK_ZSTD;
	else if ((len >= 3 && memcmp(b, "BZh", 3) == 0) ||
		 (len >= 6 && memcmp(b,
				     "\xfd"
				     "7zXZ",
				     5) == 0))
		part->odd_pack = true;
}

static int fill_blob(struct tar *t, struct blob *b, struct part *part,
		     struct err *e)
{
	autofree unsigned char *buf = malloc(READ_BYTES);
	ssize_t n;

	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	while ((n = tar_data(t, buf, READ_BYTES, e)) > 0) {
		if (b->bytes == 0)
			look_at(part, buf, (size_t)n);
		if (blob_write(b, buf, (size_t)n, e) < 0)
			return -e->code;
	}
	part->size = b->bytes;
	return (int)n;
}

static int read_file(struct store *s, struct tar *t, struct part *part,
		     struct err *e)
{
	enum digest_alg alg = strncmp(part->name, "blobs/sha512/", 13) == 0
				    ? DIGEST_SHA512
				    : DIGEST_SHA256;
	struct blob b;
	int r = blob_new(&b, s, alg, STORE_BLOB_MAX, e);

	if (r == 0)
		r = fill_blob(t, &b, part, e);
	if (r == 0)
		r = blob_commit(&b, NULL, &part->digest, e);
	blob_end(&b);
	return r < 0 ? err_wrap(e, "%.100s", part->name) : 0;
}

static struct part *add(struct parts *p, const char *name)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct part *v = realloc(p->v, room * sizeof(*v));

		if (!v)
			return NULL;
		p->v = v;
		p->room = room;
	}
	p->v[p->n] = (struct part){ .name = strdup(name) };
	return p->v[p->n].name ? &p->v[p->n++] : NULL;
}

static int read_link(struct part *part, const struct tar_entry *en,
		     struct err *e)
{
	char target[TAR_NAME_MAX], dir[TAR_NAME_MAX] = "";
	size_t len;

	if (en->type == TAR_SYMLINK) {
		snprintf(dir, sizeof(dir), "%s", part->name);
		len = strlen(dir);
		up(dir, &len);
	}
	if (parts_clean(dir, en->link, target, e) < 0)
		return -e->code;
	part->link = strdup(target);
	return part->link ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int read_entry(struct parts *p, struct store *s, struct tar *t,
		      const struct tar_entry *en, struct err *e)
{
	char name[TAR_NAME_MAX];
	struct part *part;

	if (en->type == TAR_DIR)
		return 0;
	if (parts_clean("", en->name, name, e) < 0)
		return -e->code;
	if (en->type == TAR_OTHER)
		return err_set(e, EPERM,
			       "%.100s is neither a file nor a folder", name);
	part = add(p, name);
	if (!part)
		return err_set(e, ENOMEM, "out of memory");
	return en->type == TAR_FILE ? read_file(s, t, part, e)
				    : read_link(part, en, e);
}

int parts_read(struct parts *p, struct store *s, struct tar *t, struct err *e)
{
	autofree struct tar_entry *en = malloc(sizeof(*en));
	int r;

	if (!en)
		return err_set(e, ENOMEM, "out of memory");
	while ((r = tar_next(t, en, e)) > 0)
		if (read_entry(p, s, t, en, e) < 0)
			return -e->code;
	return r;
}

void parts_fini(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free(p->v[i].link);
	}
	free(p->v);
	*p = (struct parts){ 0 };
}
