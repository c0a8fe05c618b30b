/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/from.h"

#include "base/auto.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_BYTES (64u << 10)

struct from {
	const struct strv *args; /* of the user */
	struct strv vars;	 /* NAME=VALUE */
	struct strv stages;	 /* names, "" for one without */
	struct strv *out;
	bool begun; /* there was a FROM */
};

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* ---- variables ---- */

static const char *find(const struct strv *v, const char *name, size_t len)
{
	for (size_t i = 0; i < v->n; i++)
		if (strncmp(v->v[i], name, len) == 0 && v->v[i][len] == '=')
			return v->v[i] + len + 1;
	return NULL;
}

static size_t name_len(const char *p)
{
	size_t n = 0;

	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

struct text {
	char buf[1024];
	size_t len;
};

/* A name that does not fit is none of an image. */
static void add(struct text *t, const char *p, size_t n)
{
	n = MIN(n, sizeof(t->buf) - 1 - t->len);
	memcpy(t->buf + t->len, p, n);
	t->len += n;
	t->buf[t->len] = '\0';
}

/* "$A", "${A}", "${A:-b}", "${A:+b}": behind it. */
static const char *expand_one(const struct from *f, const char *p,
			      struct text *out)
{
	bool braces = *++p == '{';
	size_t len = name_len(p += braces), more;
	const char *value = find(&f->vars, p, len);
	bool set = value && *value;

	p += len;
	if (!braces || *p == '}') {
		add(out, value ? value : "", value ? strlen(value) : 0);
		return p + braces;
	}
	more = strcspn(p, "}");
	if (more >= 2 && p[0] == ':' && (p[1] == '-') != set)
		add(out, p + 2, more - 2);
	else if (set && more >= 2 && p[0] == ':' && p[1] == '-')
		add(out, value, strlen(value));
	p += more;
	return p + (*p == '}');
}

static void expand(const struct from *f, const char *p, size_t len,
		   struct text *out)
{
	const char *end = p + len;

	out->len = 0;
	out->buf[0] = '\0';
	while (p < end) {
		if (*p == '$') {
			p = expand_one(f, p, out);
			continue;
		}
		if (*p == '"' || *p == '\'') {
			p++;
			continue;
		}
		add(out, p++, 1);
	}
}

/* ---- instructions ---- */

static bool is_stage(const struct from *f, const char *name)
{
	char *end;
	unsigned long n = strtoul(name, &end, 10);

	if (*name && !*end && n < f->stages.n)
		return true;
	for (size_t i = 0; i < f->stages.n; i++)
		if (*name && strcasecmp(f->stages.v[i], name) == 0)
			return true;
	return false;
}

static int put_image(struct from *f, const char *name, struct err *e)
{
	if (!*name || strcmp(name, "scratch") == 0 || is_stage(f, name))
		return 0;
	for (size_t i = 0; i < f->out->n; i++)
		if (strcmp(f->out->v[i], name) == 0)
			return 0;
	return strv_add(f->out, name) < 0 ? no_memory(e) : 0;
}

/* The next word; its length. */
static size_t next_word(const char **p)
{
	*p += strspn(*p, " \t");
	return strcspn(*p, " \t");
}

static int on_from(struct from *f, const char *p, struct err *e)
{
	struct text image, stage = { .len = 0 };
	size_t len;

	f->begun = true;
	while ((len = next_word(&p)) > 0 && strncmp(p, "--", 2) == 0)
		p += len;
	expand(f, p, len, &image);
	p += len;
	len = next_word(&p);
	if (len == 2 && strncasecmp(p, "as", 2) == 0) {
		p += len;
		len = next_word(&p);
		add(&stage, p, len);
	}
	if (put_image(f, image.buf, e) < 0)
		return -e->code;
	return strv_add(&f->stages, stage.buf) < 0 ? no_memory(e) : 0;
}

/* Those behind a FROM are the builder's business. */
static int on_arg(struct from *f, const char *p, struct err *e)
{
	while (!f->begun && next_word(&p) > 0) {
		size_t len = next_word(&p), name = name_len(p);
		const char *given = find(f->args, p, name);
		struct text value = { .len = 0 }, pair = { .len = 0 };

		if (given)
			add(&value, given, strlen(given));
		else if (p[name] == '=')
			expand(f, p + name + 1, len - name - 1, &value);
		add(&pair, p, name);
		add(&pair, "=", 1);
		add(&pair, value.buf, value.len);
		if (strv_put_env(&f->vars, pair.buf) < 0)
			return no_memory(e);
		p += len;
	}
	return 0;
}

/* "--from=x" of COPY; "--mount=type=bind,from=x,..." of RUN. */
static int on_flags(struct from *f, const char *p, struct err *e)
{
	size_t len;

	while ((len = next_word(&p)) > 2 && strncmp(p, "--", 2) == 0) {
		const char *at = memmem(p, len, "from=", 5);
		struct text name = { .len = 0 };

		if (at && (at[-1] == '-' || at[-1] == ',')) {
			at += 5;
			add(&name, at,
			    MIN(strcspn(at, ", \t"), len - (size_t)(at - p)));
			if (put_image(f, name.buf, e) < 0)
				return -e->code;
		}
		p += len;
	}
	return 0;
}

static int on_line(struct from *f, const char *p, struct err *e)
{
	static const struct {
		const char *name;
		int (*on)(struct from *f, const char *p, struct err *e);
	} words[] = { { "FROM", on_from },
		      { "ARG", on_arg },
		      { "COPY", on_flags },
		      { "ADD", on_flags },
		      { "RUN", on_flags } };
	size_t len = next_word(&p);

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strlen(words[i].name) == len &&
		    strncasecmp(words[i].name, p, len) == 0)
			return words[i].on(f, p + len, e);
	return 0;
}

/* ---- lines ---- */

/* "# escape=`", in the first lines. */
static char escape_of(const char *text)
{
	const char *at = text;

	while (*at == '#') {
		const char *p = at + 1 + strspn(at + 1, " \t");

		if (strncasecmp(p, "escape=", 7) == 0 && p[7])
			return p[7];
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	return '\\';
}

/* All lines that one instruction has, as one. Comments between them are no
 * part of it. */
static const char *join(const char *p, char escape, char *line)
{
	size_t n = 0;

	while (*p) {
		size_t len = strcspn(p, "\n"), body = len;
		bool comment = p[strspn(p, " \t")] == '#';
		bool blank;

		while (body > 0 && isspace((unsigned char)p[body - 1]))
			body--;
		blank = comment || (n > 0 && body == 0);
		if (!blank) {
			bool more = body > 0 && p[body - 1] == escape;
			size_t take = MIN(body - more, LINE_MAX_BYTES - 1 - n);

			memcpy(line + n, p, take);
			n += take;
			p += len + (p[len] == '\n');
			if (!more)
				break;
			continue;
		}
		p += len + (p[len] == '\n');
		if (n == 0)
			break;
	}
	line[n] = '\0';
	return p;
}

/* What every builder knows. */
static int put_known(struct from *f, struct err *e)
{
	static const char *const known[] = {
		"TARGETOS=linux",
		"BUILDOS=linux",
		"TARGETARCH=" VIAL_OCI_ARCH,
		"BUILDARCH=" VIAL_OCI_ARCH,
		"TARGETPLATFORM=linux/" VIAL_OCI_ARCH,
		"BUILDPLATFORM=linux/" VIAL_OCI_ARCH,
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strv_put_env(&f->vars, known[i]) < 0)
			return no_memory(e);
	return 0;
}

int from_list(const char *text, size_t len, const struct strv *args,
	      struct strv *out, struct err *e)
{
	autofree char *line = malloc(LINE_MAX_BYTES);
	struct from f = { .args = args, .out = out };
	const char *p = text;
	char escape;
	int r;

	if (!line)
		return no_memory(e);
	if (len > FROM_TEXT_MAX || strlen(text) != len)
		return err_set(e, EINVAL,
			       "the Dockerfile is no text, or has "
			       "more than a megabyte");
	escape = escape_of(text);
	r = put_known(&f, e);
	while (r == 0 && *p) {
		p = join(p, escape, line);
		r = on_line(&f, line, e);
	}
	strv_fini(&f.vars);
	strv_fini(&f.stages);
	return r;
}
