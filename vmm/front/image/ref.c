/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ref.h"

#include "base/auto.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HUB "docker.io"

static bool is_lower(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* "." or "_" or "__" or any number of "-", between two letters. */
static size_t separator(const char *s)
{
	if (*s == '.')
		return 1;
	if (*s == '_')
		return s[1] == '_' ? 2 : 1;
	return strspn(s, "-");
}

/* One part of the path: as much of s as is one, 0 when it is none. */
static size_t path_part(const char *s)
{
	size_t n = 0;

	for (;;) {
		size_t sep;

		if (!is_lower(s[n]))
			return 0;
		while (is_lower(s[n]))
			n++;
		sep = separator(s + n);
		if (sep == 0)
			return n;
		n += sep;
	}
}

static bool path_ok(const char *s)
{
	for (;;) {
		size_t n = path_part(s);

		if (n == 0)
			return false;
		if (!s[n])
			return true;
		if (s[n] != '/')
			return false;
		s += n + 1;
	}
}

/* Labels of letters and "-" parted by dots, or [::1]; then a port. */
static bool domain_ok(const char *s)
{
	const char *colon;

	if (*s == '[') {
		size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");

		if (n < 2 || s[n + 1] != ']')
			return false;
		s += n + 2;
		colon = *s == ':' ? s : NULL;
		if (*s && !colon)
			return false;
	} else {
		colon = strchr(s, ':');
		for (const char *p = s; *p && p != colon; p++) {
			bool edge = p == s || p[-1] == '.' || !p[1] ||
				    p[1] == '.' || p[1] == ':';

			if (is_alnum(*p) || (*p == '-' && !edge) ||
			    (*p == '.' && !edge))
				continue;
			return false;
		}
		if (s == colon || !*s)
			return false;
	}
	return !colon || (strlen(colon) > 1 && strlen(colon) <= 6 &&
			  strspn(colon + 1, "0123456789") + 1 == strlen(colon));
}

static bool tag_ok(const char *s)
{
	if (!is_alnum(*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!is_alnum(*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static bool is_domain(const char *first)
{
	if (strpbrk(first, ".:[") || strcmp(first, "localhost") == 0)
		return true;
	for (; *first; first++)
		if (isupper((unsigned char)*first))
			return true;
	return false;
}

static int bad(const char *text, const char *why, struct err *e)
{
	char shown[64];
	size_t n = 0;

	for (; *text && n + 1 < sizeof(shown); text++)
		shown[n++] = (char)(*text > ' ' && *text < 127 ? *text : '?');
	shown[n] = '\0';
	return err_set(e, EINVAL, "invalid reference format: '%s': %s", shown,
		       why);
}

/* Cuts "@digest" and ":tag" off the end of name. */
static int take_ends(const char *text, char *name, struct ref *r, struct err *e)
{
	char *at = strchr(name, '@'), *colon, *slash;

	if (at) {
		*at = '\0';
		if (digest_parse(at + 1, &r->digest, e) < 0)
			return bad(text, "the digest is none", e);
	}
	slash = strrchr(name, '/');
	colon = strrchr(slash ? slash : name, ':');
	if (colon) {
		if (strlen(colon + 1) > REF_TAG_MAX || !tag_ok(colon + 1))
			return bad(text, "the tag is none", e);
		snprintf(r->tag, sizeof(r->tag), "%.*s", REF_TAG_MAX,
			 colon + 1);
		*colon = '\0';
	}
	if (!*r->tag && !*r->digest.text)
		snprintf(r->tag, sizeof(r->tag), "latest");
	return 0;
}

static void set_path(struct ref *r, const char *library, const char *path)
{
	snprintf(r->path, sizeof(r->path), "%s%s", library, path);
}

static int split(const char *text, char *name, struct ref *r, struct err *e)
{
	char *slash = strchr(name, '/');
	const char *path = name, *library = "";
	const char *domain = HUB;

	if (slash) {
		*slash = '\0';
		if (is_domain(name)) {
			domain = name;
			path = slash + 1;
		} else {
			*slash = '/';
		}
	}
	if (strcmp(domain, "index.docker.io") == 0)
		domain = HUB;
	if (!domain_ok(domain))
		return bad(text, "the registry is none", e);
	if (!path_ok(path)) {
		for (const char *p = path; *p; p++)
			if (isupper((unsigned char)*p))
				return bad(text, "it must be lowercase", e);
		return bad(text, "the name is none", e);
	}
	if (strcmp(domain, HUB) == 0 && !strchr(path, '/'))
		library = "library/";
	if (strlen(domain) + 1 + strlen(library) + strlen(path) > REF_NAME_MAX)
		return bad(text, "it is too long", e);
	snprintf(r->domain, sizeof(r->domain), "%s", domain);
	set_path(r, library, path);
	return 0;
}

int ref_parse(const char *text, struct ref *r, struct err *e)
{
	autofree char *name = strdup(text);
	struct ref out = { 0 };

	if (!name)
		return err_set(e, ENOMEM, "out of memory");
	if (!*text)
		return bad(text, "it is empty", e);
	if (strlen(text) > REF_TEXT_MAX)
		return bad(text, "it is too long", e);
	/* docker: 64 digits alone are an ID and never a name. */
	if (strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64)
		return bad(text, "it is an image's ID", e);
	if (take_ends(text, name, &out, e) < 0 ||
	    split(text, name, &out, e) < 0)
		return -e->code;
	*r = out;
	return 0;
}

bool ref_is_short(const char *text)
{
	char first[REF_NAME_MAX + 1];
	size_t len = strcspn(text, "/");

	if (!text[len] || len >= sizeof(first))
		return !text[len];
	memcpy(first, text, len);
	first[len] = '\0';
	return !is_domain(first);
}

int ref_set_name(struct ref *r, const char *name, struct err *e)
{
	struct ref out = *r;
	size_t len = strcspn(name, "/");

	if (!name[len] || strlen(name) > REF_NAME_MAX)
		return bad(name, "it is no registry and path", e);
	memcpy(out.domain, name, len);
	out.domain[len] = '\0';
	set_path(&out, "", name + len + 1);
	if (!domain_ok(out.domain) || !path_ok(out.path))
		return bad(name, "it is no registry and path", e);
	*r = out;
	return 0;
}

void ref_print_name(const struct ref *r, char out[REF_TEXT_MAX])
{
	snprintf(out, REF_TEXT_MAX, "%s/%s", r->domain, r->path);
}

void ref_print(const struct ref *r, char out[REF_TEXT_MAX])
{
	snprintf(out, REF_TEXT_MAX, "%s/%s%s%s%s%s", r->domain, r->path,
		 *r->tag ? ":" : "", r->tag, *r->digest.text ? "@" : "",
		 r->digest.text);
}

void ref_print_familiar(const struct ref *r, char out[REF_TEXT_MAX])
{
	const char *path = r->path;

	if (strcmp(r->domain, HUB) != 0) {
		ref_print_name(r, out);
		return;
	}
	if (strncmp(path, "library/", 8) == 0 && !strchr(path + 8, '/'))
		path += 8;
	snprintf(out, REF_TEXT_MAX, "%s", path);
}
