/* SPDX-License-Identifier: Apache-2.0 */
#include "base/toml.h"

#include "base/auto.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define KEY_MAX 256
#define STRING_MAX 8192
#define FILE_MAX (1u << 20)
/* Of values in values, and of keys in a dotted one. */
#define DEPTH_MAX 16

struct toml {
	const char *p, *end;
	unsigned line, depth;
	struct err *e;
};

static json_t *value(struct toml *t);

static int bad(struct toml *t, const char *why)
{
	if (t->e->code)
		return -t->e->code;
	return err_set(t->e, EINVAL, "line %u: %s", t->line, why);
}

/* ---- what is between ---- */

static bool more(const struct toml *t)
{
	return t->p < t->end;
}

static bool take(struct toml *t, char c)
{
	if (!more(t) || *t->p != c)
		return false;
	t->p++;
	return true;
}

static void blanks(struct toml *t)
{
	while (more(t) && (*t->p == ' ' || *t->p == '\t'))
		t->p++;
}

static void comment(struct toml *t)
{
	if (more(t) && *t->p == '#')
		while (more(t) && *t->p != '\n')
			t->p++;
}

/* Blanks, comments and ends of lines. */
static void space(struct toml *t)
{
	for (;;) {
		blanks(t);
		comment(t);
		take(t, '\r');
		if (!take(t, '\n'))
			return;
		t->line++;
	}
}

static int line_end(struct toml *t)
{
	blanks(t);
	comment(t);
	take(t, '\r');
	if (!more(t))
		return 0;
	if (!take(t, '\n'))
		return bad(t, "something follows the value");
	t->line++;
	return 0;
}

/* ---- strings ---- */

struct text {
	char s[STRING_MAX];
	size_t n;
};

static bool put(struct text *s, const char *bytes, size_t len)
{
	if (len >= sizeof(s->s) - s->n)
		return false;
	memcpy(s->s + s->n, bytes, len);
	s->n += len;
	s->s[s->n] = '\0';
	return true;
}

static int put_code(struct toml *t, struct text *s, unsigned digits)
{
	char out[4];
	uint32_t c = 0;
	size_t n;

	for (; digits > 0; digits--, t->p++) {
		const char *hex = "0123456789abcdef0123456789ABCDEF";
		const char *d = more(t) && *t->p ? strchr(hex, *t->p) : NULL;

		if (!d)
			return bad(t, "a bad escape");
		c = c << 4 | ((uint32_t)(d - hex) & 15);
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return bad(t, "a bad escape");
	n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	if (n == 1)
		out[0] = (char)c;
	for (size_t i = n; n > 1 && i-- > 0; c >>= 6)
		out[i] = (char)(i ? 0x80 | (c & 63)
				  : ((0xf00u >> n) & 0xf0u) | c);
	return put(s, out, n) ? 0 : bad(t, "too long");
}

static int escape(struct toml *t, struct text *s)
{
	static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
	const char *at = more(t) && *t->p ? strchr(from, *t->p) : NULL;

	if (at) {
		t->p++;
		return put(s, &to[at - from], 1) ? 0 : bad(t, "too long");
	}
	if (take(t, 'u'))
		return put_code(t, s, 4);
	if (take(t, 'U'))
		return put_code(t, s, 8);
	return bad(t, "a bad escape");
}

/* Behind its opening quote. */
static int string(struct toml *t, char quote, struct text *s)
{
	s->n = 0;
	s->s[0] = '\0';
	if (t->end - t->p >= 2 && t->p[0] == quote && t->p[1] == quote)
		return bad(t, "strings of several lines are not understood");
	while (!take(t, quote)) {
		unsigned char c = more(t) ? (unsigned char)*t->p : 0;

		if (c == '\0' || c == '\n')
			return bad(t, "a string without an end");
		if ((c < ' ' && c != '\t' && c != '\r') || c == 127)
			return bad(t, "a control character");
		t->p++;
		if (c == '\\' && quote == '"') {
			if (escape(t, s) < 0)
				return -t->e->code;
		} else if (!put(s, t->p - 1, 1)) {
			return bad(t, "too long");
		}
	}
	return 0;
}

static json_t *string_value(struct toml *t, char quote)
{
	autofree struct text *s = malloc(sizeof(*s));
	json_t *v;

	if (!s) {
		err_set(t->e, ENOMEM, "out of memory");
		return NULL;
	}
	if (string(t, quote, s) < 0)
		return NULL;
	v = json_stringn(s->s, s->n);
	if (!v)
		bad(t, "not UTF-8");
	return v;
}

/* ---- keys ---- */

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static int key(struct toml *t, char out[KEY_MAX])
{
	size_t n = 0;

	blanks(t);
	if (take(t, '"') || take(t, '\'')) {
		autofree struct text *s = malloc(sizeof(*s));

		if (!s)
			return err_set(t->e, ENOMEM, "out of memory");
		if (string(t, t->p[-1], s) < 0)
			return -t->e->code;
		if (s->n >= KEY_MAX)
			return bad(t, "the key is too long");
		memcpy(out, s->s, s->n + 1);
	} else {
		for (; more(t) && is_bare(*t->p); t->p++) {
			if (n + 1 >= KEY_MAX)
				return bad(t, "the key is too long");
			out[n++] = *t->p;
		}
		out[n] = '\0';
		if (n == 0)
			return bad(t, "a key is missing");
	}
	blanks(t);
	return 0;
}

/* The table that name is in at, made when there is none; of an array of
 * tables the last one. Borrowed. */
static json_t *step(struct toml *t, json_t *at, const char *name)
{
	json_t *v = json_object_get(at, name);

	if (!v) {
		v = json_object();
		if (json_object_set_new(at, name, v) < 0) {
			bad(t, "a key is not UTF-8");
			return NULL;
		}
		return v;
	}
	if (json_is_array(v))
		v = json_array_get(v, json_array_size(v) - 1);
	if (json_is_object(v))
		return v;
	bad(t, "it is no table");
	return NULL;
}

/* "a.b.c": the table a.b, and c. */
static json_t *path(struct toml *t, json_t *at, char last[KEY_MAX])
{
	for (unsigned n = 0; n < DEPTH_MAX; n++) {
		if (key(t, last) < 0)
			return NULL;
		if (!take(t, '.'))
			return at;
		at = step(t, at, last);
		if (!at)
			return NULL;
	}
	bad(t, "too deep");
	return NULL;
}

/* ---- values ---- */

static int pair(struct toml *t, json_t *table)
{
	char name[KEY_MAX];
	json_t *v, *at = path(t, table, name);

	if (!at)
		return -t->e->code;
	if (!take(t, '='))
		return bad(t, "'=' is missing");
	if (json_object_get(at, name))
		return bad(t, "a key that was there already");
	v = value(t);
	if (!v)
		return -t->e->code;
	return json_object_set_new(at, name, v) < 0
		     ? bad(t, "a key is not UTF-8")
		     : 0;
}

static int list_items(struct toml *t, json_t *list)
{
	for (space(t); !take(t, ']'); space(t)) {
		json_t *v = value(t);

		if (!v)
			return -t->e->code;
		json_array_append_new(list, v);
		space(t);
		if (take(t, ','))
			continue;
		if (!more(t) || *t->p != ']')
			return bad(t, "',' or ']' is missing");
	}
	return 0;
}

static int table_items(struct toml *t, json_t *table)
{
	blanks(t);
	if (take(t, '}'))
		return 0;
	do {
		if (pair(t, table) < 0)
			return -t->e->code;
		blanks(t);
	} while (take(t, ','));
	return take(t, '}') ? 0 : bad(t, "',' or '}' is missing");
}

static json_t *many(struct toml *t, json_t *out,
		    int (*items)(struct toml *, json_t *))
{
	int r;

	if (++t->depth > DEPTH_MAX)
		r = bad(t, "too deep");
	else
		r = items(t, out);
	t->depth--;
	if (r == 0)
		return out;
	json_decref(out);
	return NULL;
}

/* Digits may be parted by "_". */
static json_t *number(struct toml *t)
{
	bool minus = take(t, '-'), any = false;
	long long n = 0;

	if (!minus)
		take(t, '+');
	for (; more(t) && (*t->p == '_' || (*t->p >= '0' && *t->p <= '9'));
	     t->p++) {
		if (*t->p == '_')
			continue;
		any = true;
		if (n > (INT64_MAX - 9) / 10) {
			bad(t, "the number is too large");
			return NULL;
		}
		n = n * 10 + (*t->p - '0');
	}
	if (any && (!more(t) || !strchr(".eEx:-TobZ", *t->p) || !*t->p))
		return json_integer(minus ? -n : n);
	bad(t, "it is no string, whole number, true, false, list or table");
	return NULL;
}

static bool word(struct toml *t, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(t->end - t->p) < n || memcmp(t->p, w, n) != 0 ||
	    (t->p + n < t->end && is_bare(t->p[n])))
		return false;
	t->p += n;
	return true;
}

static json_t *value(struct toml *t)
{
	blanks(t);
	if (take(t, '"') || take(t, '\''))
		return string_value(t, t->p[-1]);
	if (take(t, '['))
		return many(t, json_array(), list_items);
	if (take(t, '{'))
		return many(t, json_object(), table_items);
	if (word(t, "true"))
		return json_true();
	if (word(t, "false"))
		return json_false();
	return number(t);
}

/* ---- tables ---- */

/* Behind "[[". */
static json_t *next_of_array(struct toml *t, json_t *root)
{
	char name[KEY_MAX];
	json_t *at = path(t, root, name), *list, *v;

	if (!at)
		return NULL;
	list = json_object_get(at, name);
	if (!list) {
		list = json_array();
		if (json_object_set_new(at, name, list) < 0) {
			bad(t, "a key is not UTF-8");
			return NULL;
		}
	}
	v = json_is_array(list) ? json_object() : NULL;
	if (json_array_append_new(list, v) < 0) {
		bad(t, "it is no array of tables");
		return NULL;
	}
	for (int i = 0; i < 2; i++) {
		if (take(t, ']'))
			continue;
		bad(t, "']]' is missing");
		return NULL;
	}
	return v;
}

static json_t *header(struct toml *t, json_t *root)
{
	char name[KEY_MAX];
	json_t *at;

	if (take(t, '['))
		return next_of_array(t, root);
	at = path(t, root, name);
	at = at ? step(t, at, name) : NULL;
	if (at && !take(t, ']')) {
		bad(t, "']' is missing");
		return NULL;
	}
	return at;
}

static int lines(struct toml *t, json_t *root)
{
	json_t *at = root;

	for (space(t); more(t); space(t)) {
		if (take(t, '[')) {
			at = header(t, root);
			if (!at)
				return -t->e->code;
		} else if (pair(t, at) < 0) {
			return -t->e->code;
		}
		if (line_end(t) < 0)
			return -t->e->code;
	}
	return 0;
}

json_t *toml_parse(const char *text, size_t len, struct err *e)
{
	struct toml t = { .p = text, .end = text + len, .line = 1, .e = e };
	json_t *root = json_object();

	*e = (struct err){ 0 };
	if (!root)
		err_set(e, ENOMEM, "out of memory");
	else if (lines(&t, root) == 0)
		return root;
	json_decref(root);
	return NULL;
}

json_t *toml_read(const char *path, struct err *e)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	autofree char *text = NULL;
	json_t *root;
	ssize_t n;

	if (fd < 0) {
		err_sys(e, "open %s", path);
		if (e->code == ENOTDIR)
			e->code = ENOENT;
		return NULL;
	}
	n = fd_slurp(fd, &text, FILE_MAX);
	if (n < 0) {
		err_set(e, (int)-n, "read %s: %s", path, strerror((int)-n));
		return NULL;
	}
	root = toml_parse(text, (size_t)n, e);
	if (!root)
		err_wrap(e, "%s", path);
	return root;
}
