/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/auth.h"

#include "base/auto.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TOKEN_MAX (256u << 10)

/* ---- challenges ---- */

/* KEY="VALUE" or KEY=VALUE and the comma behind it; false at the end. Quoted
 * pairs lose their backslash. */
static bool param(const char **at, char *key, size_t ksize, char *value,
		  size_t vsize)
{
	const char *p = *at + strspn(*at, " \t,");
	size_t len = strcspn(p, "= \t,\""), n = 0;
	bool quoted;

	if (len == 0 || len >= ksize || p[len] != '=')
		return false;
	memcpy(key, p, len);
	key[len] = '\0';
	p += len + 1;
	quoted = *p == '"';
	for (p += quoted; *p && (quoted ? *p != '"' : !strchr(" \t,", *p));
	     p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		if (n + 1 >= vsize)
			return false;
		value[n++] = *p;
	}
	value[n] = '\0';
	*at = p + (quoted && *p == '"');
	return true;
}

void auth_parse(const char *challenge, struct auth_want *w)
{
	char key[64], value[1024];
	const char *at;

	*w = (struct auth_want){ 0 };
	w->bearer = strncasecmp(challenge, "Bearer ", 7) == 0;
	w->basic = strncasecmp(challenge, "Basic", 5) == 0;
	if (!w->bearer)
		return;
	at = challenge + 7;
	while (param(&at, key, sizeof(key), value, sizeof(value))) {
		if (strcasecmp(key, "realm") == 0)
			memcpy(w->realm, value, sizeof(w->realm));
		else if (strcasecmp(key, "service") == 0)
			snprintf(w->service, sizeof(w->service), "%.255s",
				 value);
		else if (strcasecmp(key, "scope") == 0)
			snprintf(w->scope, sizeof(w->scope), "%.511s", value);
	}
	w->bearer = *w->realm != '\0';
}

/* ---- tokens ---- */

/* Percent-encoded, RFC 3986; appends to out. */
static void encode(const char *s, char *out, size_t size)
{
	size_t n = strlen(out);

	for (; *s && n + 4 < size; s++)
		if (isalnum((unsigned char)*s) || strchr("-._~", *s)) {
			out[n++] = *s;
			out[n] = '\0';
		} else {
			n += (size_t)sprintf(out + n, "%%%02X",
					     (unsigned char)*s);
		}
}

static void add(char *out, size_t size, const char *key, const char *value)
{
	size_t n = strlen(out);

	if (!*value)
		return;
	snprintf(out + n, size - n,
		 "%s%s=", !*out || out[n - 1] == '?' ? "" : "&", key);
	encode(value, out, size);
}

static int take_token(const struct http_text *t, char **out, struct err *e)
{
	json_t *o = t->data ? json_loadb(t->data, t->len, 0, NULL) : NULL;
	const char *token = json_string_value(json_object_get(o, "token"));
	int r = 0;

	if (!token)
		token = json_string_value(json_object_get(o, "access_token"));
	if (!token || strpbrk(token, "\r\n")) {
		r = err_set(e, EPROTO, "the token service gave no token");
	} else if (asprintf(out, "Authorization: Bearer %s", token) < 0) {
		*out = NULL;
		r = err_set(e, ENOMEM, "out of memory");
	}
	json_decref(o);
	return r;
}

static int ask(const struct http_conf *conf, const struct http_req *req,
	       const struct auth_want *w, char **out, struct err *e)
{
	struct http_text text = { .max = TOKEN_MAX };
	struct http_req r = *req;
	struct http_res res;
	int n;

	r.body = http_to_text;
	r.ctx = &text;
	n = http_do(conf, &r, &res, e);
	if (n < 0)
		n = err_wrap(e, "the token service %.100s", w->realm);
	else if (res.status == 401 || res.status == 403)
		n = err_set(e, EACCES,
			    "unauthorized: incorrect username or "
			    "password");
	else if (res.status == 429 || res.status >= 500)
		n = err_set(e, EAGAIN, "the token service says %ld",
			    res.status);
	else if (res.status != 200)
		n = err_set(e, EPROTO, "the token service says %ld",
			    res.status);
	else
		n = take_token(&text, out, e);
	if (text.data)
		explicit_bzero(text.data, text.len);
	free(text.data);
	return n;
}

static char *basic_header(const struct creds *c)
{
	autofree char *both = creds_basic(c);
	char *out = NULL;

	if (both && asprintf(&out, "Authorization: Basic %s", both) < 0)
		return NULL;
	return out;
}

/* OAuth2, for a refresh token (docker's "identity token"). */
static int refresh(const struct http_conf *conf, const struct auth_want *w,
		   const struct creds *c, char **out, struct err *e)
{
	size_t size = strlen(c->refresh) * 3 + 4096;
	autofree char *form = calloc(1, size);
	struct http_req req = { .url = w->realm, .form = form };

	if (!form)
		return err_set(e, ENOMEM, "out of memory");
	add(form, size, "grant_type", "refresh_token");
	add(form, size, "service", w->service);
	add(form, size, "client_id", "vial");
	add(form, size, "scope", w->scope);
	add(form, size, "refresh_token", c->refresh);
	return ask(conf, &req, w, out, e);
}

static int get_token(const struct http_conf *conf, const struct auth_want *w,
		     const struct creds *c, char **out, struct err *e)
{
	bool known = c->user && c->password;
	autofree char *basic = known ? basic_header(c) : NULL;
	const char *headers[] = { basic, NULL };
	char url[8192];
	struct http_req req = { .url = url, .headers = headers };

	if (strncasecmp(w->realm, "https://", 8) != 0 &&
	    !(conf->plain && strncasecmp(w->realm, "http://", 7) == 0))
		return err_set(e, EACCES,
			       "its token service is not reached "
			       "over https: %.100s",
			       w->realm);
	if (c->refresh)
		return refresh(conf, w, c, out, e);
	snprintf(url, sizeof(url), "%s%s", w->realm,
		 strchr(w->realm, '?') ? "&" : "?");
	add(url, sizeof(url), "service", w->service);
	add(url, sizeof(url), "scope", w->scope);
	if (known)
		add(url, sizeof(url), "account", c->user);
	return ask(conf, &req, w, out, e);
}

int auth_answer(const struct http_conf *conf, const char *challenge,
		const char *scope, const struct creds *c, char **out,
		struct err *e)
{
	struct auth_want w;

	auth_parse(challenge, &w);
	if (!*w.scope)
		snprintf(w.scope, sizeof(w.scope), "%s", scope);
	if (w.bearer)
		return get_token(conf, &w, c, out, e);
	if (!w.basic)
		return err_set(e, EACCES,
			       "it wants a kind of login that is "
			       "not known: %.60s",
			       challenge);
	if (!c->user || !c->password)
		return err_set(e, EACCES,
			       "no basic auth credentials (vial login)");
	*out = basic_header(c);
	return *out ? 0 : err_set(e, ENOMEM, "out of memory");
}
