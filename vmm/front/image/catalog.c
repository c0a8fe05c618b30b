/* SPDX-License-Identifier: Apache-2.0 */
#include "image/catalog.h"

#include "base/auto.h"
#include "base/fd.h"
#include "image/registries.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "index.json"
#define FILE_MAX (256u << 20)

#define NOTE_NAME "org.opencontainers.image.ref.name"
#define NOTE_ID "vial.image.id"
#define NOTE_PULLED "vial.image.pulled"
#define NOTE_ADDED "vial.image.added"

/* ---- reading ---- */

static void entry_fini(struct catalog_entry *en)
{
	free(en->name);
	*en = (struct catalog_entry){ 0 };
}

static const char *note(json_t *o, const char *key)
{
	return json_string_value(
		json_object_get(json_object_get(o, "annotations"), key));
}

static int read_entry(json_t *o, struct catalog_entry *en, struct err *e)
{
	const char *digest = json_string_value(json_object_get(o, "digest"));
	const char *media = json_string_value(json_object_get(o, "mediaType"));
	json_int_t size = json_integer_value(json_object_get(o, "size"));
	const char *id = note(o, NOTE_ID), *name = note(o, NOTE_NAME);
	const char *pulled = note(o, NOTE_PULLED), *added = note(o, NOTE_ADDED);

	if (!digest || !media || !id || size <= 0)
		return err_set(e, EBADMSG, "an entry lacks something");
	if (digest_parse(digest, &en->desc.digest, e) < 0 ||
	    digest_parse(id, &en->id, e) < 0 ||
	    (pulled && digest_parse(pulled, &en->pulled, e) < 0))
		return -e->code;
	snprintf(en->desc.media, sizeof(en->desc.media), "%s", media);
	en->desc.size = (uint64_t)size;
	en->added = added ? strtoll(added, NULL, 10) : 0;
	if (!name)
		return 0;
	en->name = strdup(name);
	return en->name ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int read_all(json_t *root, struct catalog *c, struct err *e)
{
	json_t *list = json_object_get(root, "manifests"), *v;
	size_t i;

	if (!json_is_array(list))
		return err_set(e, EBADMSG, "it has no manifests");
	/* One more than there are: catalog_put() appends. */
	c->v = calloc(json_array_size(list) + 1, sizeof(*c->v));
	if (!c->v)
		return err_set(e, ENOMEM, "out of memory");
	json_array_foreach(list, i, v)
	{
		c->n++;
		if (read_entry(v, &c->v[i], e) < 0)
			return -e->code;
	}
	return 0;
}

static int read_file(struct catalog *c, struct err *e)
{
	autoclose int fd = openat(c->store->dir, FILE_NAME,
				  O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	autofree char *text = NULL;
	json_error_t why;
	json_t *root;
	ssize_t n;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_sys(e, "open");
	n = fd_slurp(fd, &text, FILE_MAX);
	if (n < 0)
		return err_set(e, (int)-n, "read: %s", strerror((int)-n));
	root = json_loadb(text, (size_t)n, 0, &why);
	if (!root)
		return err_set(e, EBADMSG, "damaged: %.100s", why.text);
	r = read_all(root, c, e);
	json_decref(root);
	return r;
}

int catalog_load(struct store *s, struct catalog *c, struct err *e)
{
	*c = (struct catalog){ .store = s, .lock = -1 };
	if (read_file(c, e) < 0) {
		catalog_fini(c);
		return err_wrap(e, "%s/" FILE_NAME, s->path);
	}
	return 0;
}

int catalog_edit(struct store *s, struct catalog *c, struct err *e)
{
	autoclose int lock = openat(s->dir, "names.lock",
				    O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	*c = (struct catalog){ .lock = -1 };
	if (lock < 0)
		return err_sys(e, "open %s/names.lock", s->path);
	while (flock(lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_sys(e, "lock %s", s->path);
	if (catalog_load(s, c, e) < 0)
		return -e->code;
	c->lock = take_fd(&lock);
	return 0;
}

void catalog_fini(struct catalog *c)
{
	for (size_t i = 0; i < c->n; i++)
		entry_fini(&c->v[i]);
	free(c->v);
	if (c->store)
		auto_close_(&c->lock);
	*c = (struct catalog){ .lock = -1 };
}

/* ---- writing ---- */

static json_t *write_entry(const struct catalog_entry *en)
{
	json_t *notes, *o;
	char added[24];

	snprintf(added, sizeof(added), "%lld", (long long)en->added);
	notes = json_pack("{s:s*, s:s, s:s*, s:s}", NOTE_NAME, en->name,
			  NOTE_ID, en->id.text, NOTE_PULLED,
			  *en->pulled.text ? en->pulled.text : NULL, NOTE_ADDED,
			  added);
	o = json_pack("{s:s, s:s, s:I, s:o*}", "mediaType", en->desc.media,
		      "digest", en->desc.digest.text, "size",
		      (json_int_t)en->desc.size, "annotations", notes);
	return o;
}

static char *write_all(const struct catalog *c)
{
	json_t *list = json_array();
	json_t *root = json_pack("{s:i, s:s, s:o}", "schemaVersion", 2,
				 "mediaType", MEDIA_OCI_INDEX, "manifests",
				 list);
	char *text = NULL;

	for (size_t i = 0; root && i < c->n; i++)
		if (json_array_append_new(list, write_entry(&c->v[i])) < 0) {
			json_decref(root);
			return NULL;
		}
	if (root)
		text = json_dumps(root, JSON_INDENT(1));
	json_decref(root);
	return text;
}

int catalog_commit(struct catalog *c, struct err *e)
{
	autofree char *text = write_all(c);
	char tmp[STORE_TMP_MAX];
	autoclose int fd = -1;
	int r;

	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	fd = store_tmp(c->store, tmp, e);
	if (fd < 0)
		return fd;
	r = fd_write_full(fd, text, strlen(text));
	if (r < 0)
		err_set(e, -r, "write %s/" FILE_NAME ": %s", c->store->path,
			strerror(-r));
	else
		r = store_put(c->store, fd, tmp, c->store->dir, FILE_NAME, e);
	if (r < 0)
		unlinkat(c->store->tmp, tmp, 0);
	return r;
}

/* ---- changing ---- */

static bool same_image(const struct catalog_entry *a,
		       const struct catalog_entry *b)
{
	return digest_equal(&a->desc.digest, &b->desc.digest);
}

void catalog_drop(struct catalog *c, size_t i)
{
	entry_fini(&c->v[i]);
	memmove(&c->v[i], &c->v[i + 1], (c->n - i - 1) * sizeof(*c->v));
	c->n--;
}

size_t catalog_names(const struct catalog *c, size_t i)
{
	size_t n = 0;

	for (size_t k = 0; k < c->n; k++)
		n += c->v[k].name && same_image(&c->v[k], &c->v[i]);
	return n;
}

static int append(struct catalog *c, const struct catalog_entry *entry,
		  struct err *e)
{
	struct catalog_entry *v = realloc(c->v, (c->n + 1) * sizeof(*v));

	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	c->v = v;
	v[c->n] = *entry;
	if (!entry->added)
		v[c->n].added = time(NULL);
	v[c->n].name = entry->name ? strdup(entry->name) : NULL;
	if (entry->name && !v[c->n].name)
		return err_set(e, ENOMEM, "out of memory");
	c->n++;
	return 0;
}

/* The name goes to another image: its last one, and it stays without. */
static void take_name(struct catalog *c, size_t i)
{
	if (catalog_names(c, i) > 1) {
		catalog_drop(c, i);
		return;
	}
	free(c->v[i].name);
	c->v[i].name = NULL;
}

int catalog_put(struct catalog *c, const struct catalog_entry *entry,
		struct err *e)
{
	for (size_t i = c->n; i-- > 0;) {
		struct catalog_entry *old = &c->v[i];
		bool same = same_image(old, entry);

		if (!entry->name && same)
			return 0;
		if (!entry->name)
			continue;
		if (!old->name) {
			if (same)
				catalog_drop(c, i);
		} else if (strcmp(old->name, entry->name) == 0) {
			if (same)
				catalog_drop(c, i);
			else
				take_name(c, i);
		}
	}
	return append(c, entry, e);
}

/* ---- finding ---- */

static int no_such(const char *text, struct err *e)
{
	char shown[128];
	size_t n = 0;

	for (; *text && n + 1 < sizeof(shown); text++)
		shown[n++] =
			(char)(isprint((unsigned char)*text) ? *text : '?');
	shown[n] = '\0';
	return err_set(e, ENOENT, "No such image: %s", shown);
}

static int find_name(const struct catalog *c, const struct ref *r)
{
	char want[REF_TEXT_MAX], plain[REF_TEXT_MAX];
	size_t len;

	ref_print(r, want);
	ref_print_name(r, plain);
	len = strlen(plain);
	for (size_t i = 0; i < c->n; i++) {
		const struct catalog_entry *en = &c->v[i];

		if (!en->name)
			continue;
		if (!*r->digest.text) {
			if (strcmp(en->name, want) == 0)
				return (int)i;
			continue;
		}
		/* With a digest the tag is not looked at, as docker has it. */
		if (strncmp(en->name, plain, len) == 0 &&
		    strchr(":@", en->name[len]) &&
		    (digest_equal(&r->digest, &en->desc.digest) ||
		     digest_equal(&r->digest, &en->pulled)))
			return (int)i;
	}
	return -ENOENT;
}

static int find_id(const struct catalog *c, const char *text, struct err *e)
{
	const char *hex = strncmp(text, "sha256:", 7) == 0 ? text + 7 : text;
	size_t len = strlen(hex);
	int found = -ENOENT;

	if (len == 0 || len > 64 || strspn(hex, "0123456789abcdef") != len)
		return no_such(text, e);
	for (size_t i = 0; i < c->n; i++) {
		if (strncmp(digest_hex(&c->v[i].id), hex, len) != 0)
			continue;
		if (found >= 0 && !digest_equal(&c->v[i].id, &c->v[found].id))
			return err_set(e, EINVAL,
				       "%s is the start of several images' IDs",
				       text);
		if (found < 0)
			found = (int)i;
	}
	return found < 0 ? no_such(text, e) : found;
}

/* A name that leaves the registry open is that of the first one searched from
 * which an image is here. */
static int find_names(const struct catalog *c, const char *text)
{
	struct ref names[REGISTRIES_NAMES_MAX];
	struct err why = { 0 };
	int n = registries_local(text, names, &why), found = -ENOENT;

	for (int i = 0; found < 0 && i < n; i++)
		found = find_name(c, &names[i]);
	return found;
}

int catalog_find(const struct catalog *c, const char *text, struct err *e)
{
	int i = find_names(c, text);

	return i >= 0 ? i : find_id(c, text, e);
}
