/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/registry.h"

#include "base/auto.h"
#include "fetch/auth.h"
#include "fetch/conf.h"
#include "image/doc.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* All of one blob, so that one byte each time does not last forever. */
#define STARTS_MAX 2000
#define WAIT_MAX_S 60u

int registry_open(struct registry *r, const struct registries_place *place,
		  struct err *e)
{
	const struct ref *ref = &place->ref;
	char name[REF_TEXT_MAX];

	*r = (struct registry){ .ref = *ref };
	pthread_mutex_init(&r->lock, NULL);
	snprintf(r->host, sizeof(r->host), "%s",
		 strcmp(ref->domain, "docker.io") == 0 ? "registry-1.docker.io"
						       : ref->domain);
	r->tries = REGISTRY_TRIES;
	r->actions = "pull";
	ref_print_name(ref, name);
	if (conf_find(ref->domain, place->insecure, &r->conf, e) < 0 ||
	    creds_find(name, &r->creds, e) < 0) {
		registry_close(r);
		return -e->code;
	}
	return 0;
}

void registry_close(struct registry *r)
{
	http_conf_fini(&r->conf);
	if (r->authorization)
		explicit_bzero(r->authorization, strlen(r->authorization));
	free(r->authorization);
	creds_fini(&r->creds);
	pthread_mutex_destroy(&r->lock);
}

/* ---- one request, with the login ---- */

static char *current(struct registry *r)
{
	char *copy;

	pthread_mutex_lock(&r->lock);
	copy = r->authorization ? strdup(r->authorization) : NULL;
	pthread_mutex_unlock(&r->lock);
	return copy;
}

/* used: what was refused; NULL: nothing was sent. Of several threads that are
 * refused one asks. */
static int log_in(struct registry *r, const char *challenge, const char *used,
		  struct err *e)
{
	char scope[REF_NAME_MAX + 32];
	char *fresh = NULL;
	int n = 0;

	snprintf(scope, sizeof(scope), "repository:%s:%s", r->ref.path,
		 r->actions);
	pthread_mutex_lock(&r->lock);
	if (!r->authorization == !used &&
	    (!used || strcmp(used, r->authorization) == 0)) {
		n = auth_answer(&r->conf, challenge, scope, &r->creds, &fresh,
				e);
		if (n == 0) {
			free(r->authorization);
			r->authorization = fresh;
		}
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

/* False when it is another host's, which does not get the login. */
static bool address(const struct registry *r, bool plain, const char *where,
		    char *url, size_t size)
{
	const char *scheme = plain ? "http" : "https";
	char own[320];

	if (*where == '/')
		snprintf(url, size, "%s://%s%s", scheme, r->host, where);
	else if (strstr(where, "://"))
		snprintf(url, size, "%s", where);
	else
		snprintf(url, size, "%s://%s/v2/%s/%s", scheme, r->host,
			 r->ref.path, where);
	snprintf(own, sizeof(own), "%s://%s/", scheme, r->host);
	return http_same_origin(own, url);
}

static int once(struct registry *r, bool plain, const char *where,
		const char *header, struct http_req *req, struct http_res *res,
		struct err *e)
{
	autofree char *authorization = current(r);
	const char *headers[3] = { header, NULL, NULL };
	char url[4096];
	bool own = address(r, plain, where, url, sizeof(url));

	/* NULL ends the list, and either may be missing. */
	if (own)
		headers[header ? 1 : 0] = authorization;
	req->url = url;
	req->headers = headers;
	if (http_do(&r->conf, req, res, e) < 0)
		return -e->code;
	/* Another host's wish to know who the user is stays one. */
	if (res->status == 401 && *res->challenge && own && !res->away) {
		if (log_in(r, res->challenge, authorization, e) < 0)
			return -e->code;
		return 1;
	}
	return 0;
}

/* Whoever allows http need not say which of the two it is. */
static bool try_plain(struct registry *r, const struct err *e)
{
	if (!r->conf.plain || (e->code != EIO && e->code != EAGAIN))
		return false;
	atomic_store(&r->plain, true);
	return true;
}

/* "manifest unknown", of {"errors":[{"message":...}]}; what a terminal would
 * not show is left out. */
static void reason(const struct http_res *res, char *out, size_t size)
{
	json_t *o = json_loads(res->text, 0, NULL);
	json_t *first = json_array_get(json_object_get(o, "errors"), 0);
	const char *text = json_string_value(json_object_get(first, "message"));
	size_t n = 0;

	for (; text && *text && n + 1 < size; text++)
		if (*text >= ' ' && *text < 127)
			out[n++] = *text;
	out[n] = '\0';
	json_decref(o);
}

static int refused(const struct registry *r, const struct http_res *res,
		   struct err *e)
{
	char why[120];

	reason(res, why, sizeof(why));
	switch (res->status) {
	case 401:
	case 403:
		if (strstr(r->actions, "push"))
			return err_set(e, EACCES,
				       "denied: requested access to the "
				       "resource is denied%s%s",
				       *why ? ": " : "", why);
		return err_set(e, EACCES,
			       "pull access denied for %.80s, repository does "
			       "not exist or may require 'vial login'%s%s",
			       r->ref.path, *why ? ": " : "", why);
	case 404:
		return err_set(e, ENOENT, "%s",
			       *why ? why : "the registry does not have it");
	default:
		return err_set(e,
			       res->status == 429 || res->status >= 500
				       ? EAGAIN
				       : EPROTO,
			       "the registry says %ld%s%s", res->status,
			       *why ? ": " : "", why);
	}
}

/* 0, or negative with EAGAIN when it is worth another try. */
int registry_ask(struct registry *r, const char *path, const char *accept,
		 struct http_req *req, struct http_res *res, struct err *e)
{
	/* Several threads may find out at once that it has to be http. */
	bool plain = atomic_load(&r->plain);
	int n = once(r, plain, path, accept, req, res, e);

	if (n < 0 && !plain && try_plain(r, e)) {
		plain = true;
		n = once(r, plain, path, accept, req, res, e);
	}
	/* A token may have run out: twice, not forever. */
	for (int i = 0; n == 1 && i < 2; i++)
		n = once(r, plain, path, accept, req, res, e);
	if (n < 0)
		return n;
	if (n == 1)
		return refused(r, res, e);
	if (res->status == 206 ? res->ranged : res->status / 100 == 2)
		return 0;
	return refused(r, res, e);
}

void registry_wait(const struct registry *r, unsigned tries,
		   const struct http_res *res)
{
	unsigned s = res->retry_after_s ? res->retry_after_s
					: 1u << MIN(tries, 5u);
	const struct timespec tick = { .tv_nsec = 100 * 1000000L };

	for (s = MIN(s, WAIT_MAX_S) * 10; s > 0; s--) {
		if (r->conf.stop && atomic_load(r->conf.stop))
			return;
		nanosleep(&tick, NULL);
	}
}

/* ---- manifests ---- */

static const char accept_all[] = "Accept: " MEDIA_OCI_INDEX
				 ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_LIST
				 ", " MEDIA_DOCKER_MANIFEST;

/* Some registries and proxies say what it is in general only. */
static void set_media(const char *type, char media[MANIFEST_MEDIA_MAX])
{
	size_t len = strcspn(type, "; ");

	*media = '\0';
	if (len >= MANIFEST_MEDIA_MAX ||
	    strncmp(type, "application/vnd.", 16) != 0)
		return;
	memcpy(media, type, len);
	media[len] = '\0';
}

static int check_digest(const char *what, const struct http_res *res,
			const struct http_text *t, struct digest *out,
			struct err *e)
{
	const char *said = strchr(what, ':') ? what : res->digest;
	struct err ignored;
	struct digest want;
	struct digest_ctx c;

	if (digest_parse(said, &want, &ignored) < 0) {
		digest_of(t->data, t->len, out);
		return 0;
	}
	digest_init(&c, digest_get_alg(&want));
	digest_update(&c, t->data, t->len);
	digest_final(&c, out);
	if (digest_equal(&want, out))
		return 0;
	return err_set(e, EBADMSG, "the manifest is %s, not %s", out->text,
		       want.text);
}

int registry_manifest(struct registry *r, const char *what, struct http_text *t,
		      char media[MANIFEST_MEDIA_MAX], struct digest *digest,
		      struct err *e)
{
	char path[DIGEST_MAX + 32];
	struct http_res res;
	int n;

	snprintf(path, sizeof(path), "manifests/%s", what);
	*t = (struct http_text){ .max = DOC_TEXT_MAX };
	for (unsigned tries = 0;; tries++) {
		struct http_req req = { .body = http_to_text, .ctx = t };

		t->len = 0;
		n = registry_ask(r, path, accept_all, &req, &res, e);
		if (n != -EAGAIN || tries + 1 == r->tries)
			break;
		registry_wait(r, tries, &res);
	}
	if (n == 0 && !t->data)
		n = err_set(e, EPROTO, "the registry sends an empty manifest");
	if (n == 0) {
		set_media(res.type, media);
		n = check_digest(what, &res, t, digest, e);
	}
	if (n < 0) {
		free(t->data);
		t->data = NULL;
	}
	return n;
}

/* ---- blobs ---- */

struct resume {
	uint64_t at; /* the next byte */
	int (*body)(void *ctx, uint64_t offset, const void *data, size_t len,
		    struct err *e);
	void *ctx;
};

static int on_blob(void *ctx, uint64_t offset, const void *data, size_t len,
		   struct err *e)
{
	struct resume *s = ctx;

	if (s->body(s->ctx, offset, data, len, e) < 0)
		return -e->code;
	s->at = offset + len;
	return 0;
}

/* An answer that is whole and too short every time is no failure of the
 * connection. */
static int gave_up(bool cut, struct err *e)
{
	if (cut)
		e->code = EPROTO;
	return -e->code;
}

int registry_blob(struct registry *r, const struct manifest_desc *d,
		  uint64_t from,
		  int (*body)(void *ctx, uint64_t offset, const void *data,
			      size_t len, struct err *e),
		  void *ctx, struct err *e)
{
	struct resume s = { .at = from, .body = body, .ctx = ctx };
	char path[DIGEST_MAX + 32];
	unsigned tries = 0;
	bool cut; /* an answer that was whole, and too short */

	snprintf(path, sizeof(path), "blobs/%s", d->digest.text);
	for (unsigned starts = 0;; starts++) {
		struct http_req req = { .body = on_blob,
					.ctx = &s,
					.from = s.at };
		uint64_t before = s.at;
		struct http_res res;
		int n;

		/* All of it came, and the connection failed behind that. */
		if (s.at > 0 && s.at == d->size)
			return 0;
		n = registry_ask(r, path, NULL, &req, &res, e);
		cut = n == 0 && s.at < d->size;
		if (cut)
			n = err_set(e, EAGAIN, "it ends after %llu bytes",
				    (unsigned long long)s.at);
		/* A range that is refused: once more, from the start. */
		if (n < 0 && res.status == 416 && s.at > 0) {
			s.at = 0;
			n = -EAGAIN;
		}
		/* A registry that restarts, behind what it has sent. */
		if (n == -EIO && s.at > from)
			n = -EAGAIN;
		if (n != -EAGAIN)
			return n;
		tries = s.at > before ? 0 : tries + 1;
		if (tries == r->tries || starts == STARTS_MAX)
			return gave_up(cut, e);
		if (s.at <= before)
			registry_wait(r, tries, &res);
	}
}
