/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/mounts.h"

#include "base/auto.h"
#include "spec/parse.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define VOLUME_BYTES 32

static const char *const kind_names[] = {
	[MOUNT_BIND] = "bind",
	[MOUNT_VOLUME] = "volume",
	[MOUNT_TMPFS] = "tmpfs",
};
static_assert(ARRAY_LEN(kind_names) == MOUNT_TMPFS + 1, "a kind has no name");

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

static void mount_fini(struct spec_mount *m)
{
	free(m->source);
	free(m->target);
	free(m->options);
	free(m->subpath);
	*m = (struct spec_mount){ 0 };
}

void spec_mounts_fini(struct spec_mounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		mount_fini(&m->v[i]);
	free(m->v);
	*m = (struct spec_mounts){ 0 };
}

/* ---- what all have in common ---- */

/* Without "//" and "/." and a slash at the end, so that equal ones look
 * equal. */
static void tidy(char *path)
{
	char *to = path;

	for (const char *at = path; *at;) {
		size_t len = strcspn(at + 1, "/") + 1;

		if (len > 1 && !(len == 2 && at[1] == '.')) {
			memmove(to, at, len);
			to += len;
		}
		at += len;
	}
	if (to == path)
		*to++ = '/';
	*to = '\0';
}

static int check_target(const char *target, struct err *e)
{
	size_t len = strlen(target);

	if (target[0] != '/')
		return err_set(e, EINVAL,
			       "'%s' is not an absolute path of the guest",
			       target);
	if (strstr(target, "/../") ||
	    (len >= 3 && strcmp(target + len - 3, "/..") == 0))
		return err_set(e, EINVAL, "'%s': no '..' in it, please",
			       target);
	return 0;
}

static const struct spec_mount *mount_at(const struct spec_mounts *m,
					 const char *target)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].target, target) == 0)
			return &m->v[i];
	return NULL;
}

static int add(struct spec_mounts *m, struct spec_mount *one, struct err *e)
{
	struct spec_mount *v;

	if (!one->target)
		return no_memory(e);
	if (check_target(one->target, e) < 0)
		return -e->code;
	tidy(one->target);
	if (strcmp(one->target, "/") == 0)
		return err_set(e, EINVAL, "nothing can be mounted on '/'");
	if (mount_at(m, one->target))
		return err_set(e, EINVAL, "two mounts on '%s'", one->target);
	v = realloc(m->v, (m->n + 1) * sizeof(*v));
	if (!v)
		return no_memory(e);
	m->v = v;
	v[m->n++] = *one;
	*one = (struct spec_mount){ 0 };
	return 0;
}

/* As docker's: 64 hex digits. */
static int name_volume(struct spec_mount *m, struct err *e)
{
	unsigned char raw[VOLUME_BYTES];
	char *at = malloc(2 * sizeof(raw) + 1);

	if (!at || getrandom(raw, sizeof(raw), 0) != sizeof(raw)) {
		free(at);
		return err_set(e, ENOMEM, "no name for a volume");
	}
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(at + 2 * i, 3, "%02x", raw[i]);
	m->source = at;
	m->anonymous = true;
	return 0;
}

int spec_mounts_add(struct spec_mounts *m, struct spec_mount *one,
		    struct err *e)
{
	int r = 0;

	if (one->kind == MOUNT_VOLUME && !one->source)
		r = name_volume(one, e);
	if (r == 0)
		r = add(m, one, e);

	mount_fini(one);
	return r;
}

char *spec_mounts_host_path(const char *text)
{
	autofree char *here = text[0] == '/' ? NULL : getcwd(NULL, 0);
	char *path = NULL;

	if (text[0] == '/')
		return strdup(text);
	if (!here || asprintf(&path, "%s/%s", here, text) < 0)
		return NULL;
	return path;
}

/* docker's rule for the name of a volume. */
static bool volume_name(const char *text)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return text[0] && !strchr("_.-", text[0]) && text[1] &&
	       text[strspn(text, chars)] == '\0';
}

/* A path, or the name of a volume. */
static int set_source(struct spec_mount *m, const char *text, struct err *e)
{
	m->source = m->kind == MOUNT_BIND ? spec_mounts_host_path(text)
					  : strdup(text);
	if (!m->source)
		return no_memory(e);
	if (m->kind == MOUNT_VOLUME && !volume_name(text))
		return err_set(e, EINVAL,
			       "'%s' is no name for a volume ([a-zA-Z0-9]"
			       "[a-zA-Z0-9_.-]+); a path begins with '/' or "
			       "'./'",
			       text);
	return 0;
}

/* ---- -v ---- */

/* What docker's users write and what has no meaning here: labels of SELinux,
 * hints for macOS, propagation of mounts between kernels. */
static bool idle_word(const char *word)
{
	static const char *const words[] = {
		"z",	   "Z",	       "cached", "delegated", "consistent",
		"private", "rprivate", "shared", "rshared",   "slave",
		"rslave",  "rbind",    "bind",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static int volume_modes(struct spec_mount *m, char *modes, struct err *e)
{
	char *save = NULL;

	for (char *w = strtok_r(modes, ",", &save); w;
	     w = strtok_r(NULL, ",", &save)) {
		if (strcmp(w, "ro") == 0 || strcmp(w, "readonly") == 0)
			m->readonly = true;
		else if (strcmp(w, "nocopy") == 0 && m->kind == MOUNT_VOLUME)
			m->nocopy = true;
		else if (strcmp(w, "rw") != 0 && !idle_word(w))
			return err_set(e, EINVAL, "unknown mode '%s'", w);
	}
	return 0;
}

static int volume_parts(struct spec_mount *m, char *source, char *target,
			char *modes, struct err *e)
{
	m->kind = strchr(source, '/') || strcmp(source, ".") == 0 ||
				  strcmp(source, "..") == 0
			? MOUNT_BIND
			: MOUNT_VOLUME;
	m->make = m->kind == MOUNT_BIND;
	m->target = strdup(target);
	if (set_source(m, source, e) < 0 ||
	    (modes && volume_modes(m, modes, e) < 0))
		return -e->code;
	return 0;
}

/* [HOST:]GUEST[:MODES] */
int spec_mounts_volume(struct spec_mounts *m, const char *text, struct err *e)
{
	autofree char *copy = strdup(text);
	struct spec_mount one = { .kind = MOUNT_VOLUME };
	char *target, *modes = NULL;

	if (!copy)
		return no_memory(e);
	target = strchr(copy, ':');
	if (!target) {
		one.target = strdup(copy);
		return spec_mounts_add(m, &one, e);
	}
	*target++ = '\0';
	modes = strchr(target, ':');
	if (modes)
		*modes++ = '\0';
	if (!*copy || (modes && strchr(modes, ':')))
		return err_set(e, EINVAL, "'%s' is not HOST:GUEST[:ro]", text);
	if (volume_parts(&one, copy, target, modes, e) < 0) {
		mount_fini(&one);
		return -e->code;
	}
	return spec_mounts_add(m, &one, e);
}

/* ---- --tmpfs ---- */

static int tmpfs_options(struct spec_mount *m, const char *more)
{
	/* docker's; what follows may take each of them back. */
	return asprintf(&m->options, "noexec,nosuid,nodev%s%s",
			more && *more ? "," : "", more ? more : "");
}

int spec_mounts_tmpfs(struct spec_mounts *m, const char *text, struct err *e)
{
	struct spec_mount one = { .kind = MOUNT_TMPFS };
	const char *colon = strchr(text, ':');

	one.target = colon ? strndup(text, (size_t)(colon - text))
			   : strdup(text);
	if (tmpfs_options(&one, colon ? colon + 1 : NULL) < 0) {
		one.options = NULL;
		mount_fini(&one);
		return no_memory(e);
	}
	return spec_mounts_add(m, &one, e);
}

/* ---- --mount ---- */

struct mount_words {
	struct spec_mount mount;
	const char *source, *mode;
	uint64_t size;
	bool typed;
};

static int word_kind(struct mount_words *w, const char *value, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_LEN(kind_names); i++)
		if (strcmp(value, kind_names[i]) == 0) {
			w->mount.kind = (enum mount_kind)i;
			w->typed = true;
			return 0;
		}
	return err_set(e, EINVAL, "type '%s' is not bind, volume or tmpfs",
		       value);
}

static int word_bool(bool *out, const char *value, struct err *e)
{
	*out = !value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
	if (*out || strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		return 0;
	return err_set(e, EINVAL, "'%s' is not true or false", value);
}

static bool is_key(const char *key, const char *names)
{
	size_t len = strlen(key);

	for (const char *at = names; *at;
	     at += strcspn(at, "|") + (*at == '|')) {
		if (*at == '|')
			at++;
		if (strncmp(at, key, len) == 0 && (at[len] == '|' || !at[len]))
			return true;
	}
	return false;
}

static int word_value(struct mount_words *w, const char *key, const char *value,
		      struct err *e)
{
	if (is_key(key, "type"))
		return word_kind(w, value, e);
	if (is_key(key, "source|src")) {
		w->source = value;
		return 0;
	}
	if (is_key(key, "target|destination|dst")) {
		free(w->mount.target);
		w->mount.target = strdup(value);
		return 0;
	}
	if (is_key(key, "tmpfs-size"))
		return parse_size(value, &w->size, e);
	if (is_key(key, "tmpfs-mode")) {
		w->mode = value;
		return value[strspn(value, "01234567")]
			     ? err_set(e, EINVAL, "'%s' is not a mode", value)
			     : 0;
	}
	if (is_key(key, "volume-subpath")) {
		free(w->mount.subpath);
		w->mount.subpath = strdup(value);
		return 0;
	}
	/* "local" is what a volume here is; the rest is of no meaning. */
	if (is_key(key, "consistency|bind-propagation|bind-recursive|"
			"volume-label|volume-driver|volume-opt"))
		return 0;
	return err_set(e, EINVAL, "unknown key '%s'", key);
}

static int mount_word(struct mount_words *w, char *word, struct err *e)
{
	char *value = strchr(word, '=');
	bool ignored;

	if (value)
		*value++ = '\0';
	if (is_key(word, "readonly|ro"))
		return word_bool(&w->mount.readonly, value, e);
	if (is_key(word, "volume-nocopy"))
		return word_bool(&w->mount.nocopy, value, e);
	if (is_key(word, "bind-create-src"))
		return word_bool(&w->mount.make, value, e);
	if (is_key(word, "bind-nonrecursive"))
		return word_bool(&ignored, value, e);
	if (!value)
		return err_set(e, EINVAL, "'%s' is not KEY=VALUE", word);
	return word_value(w, word, value, e);
}

/* What only the words together tell. */
static int mount_finish(struct mount_words *w, struct err *e)
{
	struct spec_mount *m = &w->mount;
	char size[40] = "", mode[40] = "", both[80];

	if (!m->target)
		return err_set(e, EINVAL, "target is missing");
	if (m->kind == MOUNT_BIND && !w->source)
		return err_set(e, EINVAL, "source is missing");
	if (m->kind == MOUNT_TMPFS && w->source)
		return err_set(e, EINVAL, "a tmpfs has no source");
	if (m->kind != MOUNT_TMPFS && (w->size || w->mode))
		return err_set(e, EINVAL, "only a tmpfs has size and mode");
	if (w->source && set_source(m, w->source, e) < 0)
		return -e->code;
	if (m->kind != MOUNT_TMPFS)
		return 0;
	if (w->size)
		snprintf(size, sizeof(size), "size=%" PRIu64, w->size);
	if (w->mode)
		snprintf(mode, sizeof(mode), "mode=%.8s", w->mode);
	snprintf(both, sizeof(both), "%s%s%s", size, *size && *mode ? "," : "",
		 mode);
	return tmpfs_options(m, both) < 0 ? no_memory(e) : 0;
}

int spec_mounts_mount(struct spec_mounts *m, const char *text, struct err *e)
{
	autofree char *copy = strdup(text);
	struct mount_words w = { .mount.kind = MOUNT_VOLUME };
	char *save = NULL;
	int r = copy ? 0 : no_memory(e);

	if (copy)
		for (char *word = strtok_r(copy, ",", &save); r == 0 && word;
		     word = strtok_r(NULL, ",", &save))
			r = mount_word(&w, word, e);
	if (r == 0)
		r = mount_finish(&w, e);
	if (r == 0)
		return spec_mounts_add(m, &w.mount, e);
	mount_fini(&w.mount);
	return r;
}

/* ---- --volumes-from ---- */

static char *copy_of(const char *text, bool *failed)
{
	char *copy = text ? strdup(text) : NULL;

	*failed |= text && !copy;
	return copy;
}

int spec_mounts_from(struct spec_mounts *m, const struct spec_mounts *other,
		     bool readonly, struct err *e)
{
	for (size_t i = 0; i < other->n; i++) {
		const struct spec_mount *o = &other->v[i];
		struct spec_mount one = *o;
		bool failed = false;

		if (o->kind == MOUNT_TMPFS || mount_at(m, o->target))
			continue;
		one.source = copy_of(o->source, &failed);
		one.target = copy_of(o->target, &failed);
		one.options = copy_of(o->options, &failed);
		one.subpath = copy_of(o->subpath, &failed);
		one.readonly |= readonly;
		if (failed) {
			mount_fini(&one);
			return no_memory(e);
		}
		if (spec_mounts_add(m, &one, e) < 0)
			return -e->code;
	}
	return 0;
}

/* ---- as a file ---- */

json_t *spec_mounts_to_json(const struct spec_mounts *m)
{
	json_t *a = json_array();

	for (size_t i = 0; i < m->n; i++) {
		const struct spec_mount *o = &m->v[i];
		json_t *j = json_pack("{s:s, s:s*, s:s, s:s*, s:s*, s:b, s:b, "
				      "s:b, s:b}",
				      "type", kind_names[o->kind], "source",
				      o->source, "target", o->target, "options",
				      o->options, "subpath", o->subpath,
				      "readonly", o->readonly, "nocopy",
				      o->nocopy, "make", o->make, "anonymous",
				      o->anonymous);

		if (json_array_append_new(a, j) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

int spec_mounts_from_json(struct spec_mounts *m, const json_t *a)
{
	for (size_t i = 0; i < json_array_size(a); i++) {
		const json_t *j = json_array_get(a, i);
		const char *type =
			json_string_value(json_object_get(j, "type"));
		struct mount_words w = { 0 };
		bool failed = false;
		struct err e;

		if (!type || word_kind(&w, type, &e) < 0)
			return -EINVAL;
#define TEXT(key) copy_of(json_string_value(json_object_get(j, key)), &failed)
		w.mount.source = TEXT("source");
		w.mount.target = TEXT("target");
		w.mount.options = TEXT("options");
		w.mount.subpath = TEXT("subpath");
#undef TEXT
		w.mount.readonly = json_is_true(json_object_get(j, "readonly"));
		w.mount.nocopy = json_is_true(json_object_get(j, "nocopy"));
		w.mount.make = json_is_true(json_object_get(j, "make"));
		w.mount.anonymous =
			json_is_true(json_object_get(j, "anonymous"));
		if (spec_mounts_add(m, &w.mount, &e) < 0 || failed)
			return -EINVAL;
	}
	return 0;
}
