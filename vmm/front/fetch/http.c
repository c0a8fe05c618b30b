/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/http.h"

#include "base/auto.h"
#include "base/fd.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define REDIRECTS_MAX 8
#define CONNECT_S 30L
#define STALL_S 60u
#define STALL_BYTES 16L
#define AGENT "vial/" VIAL_VERSION

/* Set before the first request. */
static unsigned patience_s = STALL_S;

/* Of each thread, with the connections that are open: the next request to the
 * same host needs none of its own. */
static __thread CURL *kept;

struct call {
	CURL *curl;
	const struct http_req *req;
	const char *url;
	bool away; /* on another host than the one that was asked */
	struct http_res *res;
	uint64_t at; /* of the next byte of the body */
	bool begun;
	size_t text_len;
	struct err *e;
	bool refused;  /* body() said no */
	uint64_t sent; /* of the file */
};

/* ---- headers ---- */

static bool header(const char *line, size_t len, const char *name, char *out,
		   size_t size)
{
	size_t n = strlen(name);

	if (len < n + 1 || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	line += n + 1;
	len -= n + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && strchr("\r\n\t ", line[len - 1]))
		len--;
	if (len >= size || memchr(line, '\0', len))
		return false;
	memcpy(out, line, len);
	out[len] = '\0';
	return true;
}

static void retry_after(struct http_res *res, const char *text)
{
	time_t when = curl_getdate(text, NULL), now = time(NULL);
	long s = strtol(text, NULL, 10);

	if (when > now)
		s = (long)(when - now);
	res->retry_after_s = s < 0 ? 0 : s > 3600 ? 3600 : (unsigned)s;
}

static void take_header(struct http_res *res, const char *line, size_t len)
{
	char text[sizeof(res->challenge)];

	if (header(line, len, "WWW-Authenticate", text, sizeof(text)) &&
	    (!*res->challenge || strncasecmp(text, "Bearer ", 7) == 0))
		memcpy(res->challenge, text, sizeof(text));
	if (header(line, len, "Retry-After", text, sizeof(text)))
		retry_after(res, text);
	header(line, len, "Location", res->location, sizeof(res->location));
	header(line, len, "Link", res->link, sizeof(res->link));
	header(line, len, "Content-Type", res->type, sizeof(res->type));
	header(line, len, "Docker-Content-Digest", res->digest,
	       sizeof(res->digest));
}

/* "bytes 100-199/200": what we asked for, or it is of no use. */
static void take_range(struct call *c, const char *line, size_t len)
{
	char text[128];
	unsigned long long from;

	if (header(line, len, "Content-Range", text, sizeof(text)) &&
	    sscanf(text, "bytes %llu-", &from) == 1)
		c->res->ranged = from == c->req->from;
}

static size_t on_header(char *line, size_t one, size_t len, void *ctx)
{
	struct call *c = ctx;

	/* A new answer, behind a redirect: what the last one said is over. */
	if (len > 5 && memcmp(line, "HTTP/", 5) == 0)
		*c->res = (struct http_res){ 0 };
	take_header(c->res, line, len);
	take_range(c, line, len);
	return one * len;
}

/* ---- the body ---- */

static void keep_text(struct call *c, const char *data, size_t len)
{
	size_t room = sizeof(c->res->text) - 1 - c->text_len;

	len = MIN(len, room);
	memcpy(c->res->text + c->text_len, data, len);
	c->text_len += len;
	c->res->text[c->text_len] = '\0';
}

static size_t on_body(char *data, size_t one, size_t len, void *ctx)
{
	struct call *c = ctx;
	long status = 0;

	(void)one;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 && status != 206) {
		keep_text(c, data, len);
		/* Enough to say what is wrong. */
		return c->text_len < sizeof(c->res->text) - 1 ? len : 0;
	}
	if (!c->begun) {
		c->begun = true;
		c->at = status == 206 && c->res->ranged ? c->req->from : 0;
		if (status == 206 && !c->res->ranged) {
			err_set(c->e, EPROTO, "it sends another range");
			c->refused = true;
			return 0;
		}
	}
	if (c->req->body &&
	    c->req->body(c->req->ctx, c->at, data, len, c->e) < 0) {
		c->refused = true;
		return 0;
	}
	c->at += len;
	return len;
}

int http_to_text(void *ctx, uint64_t offset, const void *data, size_t len,
		 struct err *e)
{
	struct http_text *t = ctx;
	char *more;

	if (offset == 0)
		t->len = 0;
	if (len > t->max - t->len)
		return err_set(e, EFBIG, "the answer is larger than %zu bytes",
			       t->max);
	more = realloc(t->data, t->len + len + 1);
	if (!more)
		return err_set(e, ENOMEM, "out of memory");
	t->data = more;
	memcpy(t->data + t->len, data, len);
	t->len += len;
	t->data[t->len] = '\0';
	return 0;
}

/* ---- what is sent ---- */

static size_t on_read(char *buf, size_t one, size_t len, void *ctx)
{
	struct call *c = ctx;
	ssize_t n = fd_pread_full(*c->req->file, buf,
				  MIN(one * len, c->req->file_size - c->sent),
				  c->sent);

	if (n < 0)
		return CURL_READFUNC_ABORT;
	c->sent += (uint64_t)n;
	return (size_t)n;
}

/* libcurl starts over when a connection it had kept is gone. */
static int on_seek(void *ctx, curl_off_t offset, int from)
{
	struct call *c = ctx;

	if (from != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	c->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static void set_body(CURL *h, struct call *c, const struct http_req *req)
{
	if (req->form)
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, req->form);
	if (req->text) {
		curl_easy_setopt(h, CURLOPT_POSTFIELDS, req->text);
		curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)req->text_len);
		curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, "PUT");
	}
	if (req->file) {
		curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE,
				 (curl_off_t)req->file_size);
		curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(h, CURLOPT_READDATA, c);
		curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(h, CURLOPT_SEEKDATA, c);
	}
}

/* ---- the request ---- */

static void set_pem(CURL *h, CURLoption what, char *text)
{
	struct curl_blob blob = { .data = text,
				  .len = text ? strlen(text) : 0,
				  .flags = CURL_BLOB_NOCOPY };

	if (text)
		curl_easy_setopt(h, what, &blob);
}

static void set_tls(CURL *h, const struct http_conf *c, bool away)
{
	if (c->unverified) {
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	set_pem(h, CURLOPT_CAINFO_BLOB, c->ca);
	/* Who we are is for that registry to know. */
	if (away)
		return;
	set_pem(h, CURLOPT_SSLCERT_BLOB, c->cert);
	set_pem(h, CURLOPT_SSLKEY_BLOB, c->key);
}

void http_conf_fini(struct http_conf *c)
{
	if (c->key)
		explicit_bzero(c->key, strlen(c->key));
	free(c->ca);
	free(c->cert);
	free(c->key);
	*c = (struct http_conf){ 0 };
}

void http_set_patience(unsigned seconds)
{
	patience_s = seconds;
}

/* Called about once a second, also when nothing comes. */
static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c,
		       curl_off_t d)
{
	const atomic_bool *stop = ctx;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(stop);
}

static void set_stop(CURL *h, const atomic_bool *stop)
{
	if (!stop)
		return;
	curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
	/* It only reads. */
	curl_easy_setopt(h, CURLOPT_XFERINFODATA, (void *)(uintptr_t)stop);
}

static void set_up(struct call *c, const struct http_conf *conf,
		   const struct http_req *req)
{
	const char *kinds = conf->plain ? "https,http" : "https";
	CURL *h = c->curl;
	char range[32];

	curl_easy_setopt(h, CURLOPT_URL, c->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, kinds);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT,
			 MIN(CONNECT_S, (long)patience_s));
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, (long)patience_s);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, AGENT);
	curl_easy_setopt(h, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(h, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	if (req->head)
		curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
	set_body(h, c, req);
	if (req->from > 0) {
		snprintf(range, sizeof(range), "%llu-",
			 (unsigned long long)req->from);
		curl_easy_setopt(h, CURLOPT_RANGE, range);
	}
	set_tls(h, conf, c->away);
	set_stop(h, conf->stop);
}

/* What another try may mend. */
static bool is_passing(CURLcode r)
{
	switch (r) {
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return true;
	default:
		return false;
	}
}

/* Of what the answer says, as seen from the request. */
static void absolute(const char *from, struct http_res *res)
{
	CURLU *u = curl_url();
	char *text = NULL;

	if (u && *res->location &&
	    curl_url_set(u, CURLUPART_URL, from, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, res->location, 0) == CURLUE_OK)
		curl_url_get(u, CURLUPART_URL, &text, 0);
	snprintf(res->location, sizeof(res->location), "%s", text ? text : "");
	curl_free(text);
	curl_url_cleanup(u);
}

/* The other side speaks https, and is not who it says, or we are not. */
static bool is_certificate(CURLcode r)
{
	return r == CURLE_PEER_FAILED_VERIFICATION ||
	       r == CURLE_SSL_CERTPROBLEM || r == CURLE_SSL_ISSUER_ERROR ||
	       r == CURLE_SSL_CACERT_BADFILE;
}

static int failed(struct call *c, CURLcode r, const char *text, struct err *e)
{
	if (c->refused)
		return -e->code;
	if (r == CURLE_ABORTED_BY_CALLBACK)
		return err_set(e, ECANCELED, "another one failed");
	/* The error's text was long: there is an answer, if not all of it. */
	if (r == CURLE_WRITE_ERROR && c->text_len > 0)
		return 0;
	return err_set(e,
		       is_passing(r)	   ? EAGAIN
		       : is_certificate(r) ? EKEYREJECTED
					   : EIO,
		       "%.160s", *text ? text : curl_easy_strerror(r));
}

/* Headers go with the request; away from its host, none of those that say who
 * the user is. */
static struct curl_slist *headers_of(const struct call *c)
{
	const struct http_req *req = c->req;
	struct curl_slist *all = NULL;

	/* No waiting for "100 Continue". */
	if (req->file || req->text)
		all = curl_slist_append(all, "Expect:");
	for (size_t i = 0; req->headers && req->headers[i]; i++)
		if (!c->away ||
		    strncasecmp(req->headers[i], "Authorization:", 14) != 0)
			all = curl_slist_append(all, req->headers[i]);
	return all;
}

void http_done(void)
{
	curl_easy_cleanup(kept);
	kept = NULL;
}

static int once(struct call *c, const struct http_conf *conf)
{
	char text[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers;
	CURLcode code;
	int r = 0;

	*c->res = (struct http_res){ 0 };
	c->begun = c->refused = false;
	c->text_len = 0;
	c->sent = 0;
	if (!kept)
		kept = curl_easy_init();
	if (!kept)
		return err_set(c->e, ENOMEM, "out of memory");
	c->curl = kept;
	curl_easy_reset(c->curl);
	headers = headers_of(c);
	set_up(c, conf, c->req);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, text);
	code = curl_easy_perform(c->curl);
	if (code != CURLE_OK)
		r = failed(c, code, text, c->e);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->res->status);
	absolute(c->url, c->res);
	curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(headers);
	return r;
}

/* ---- redirects ---- */

/* "https://host:443", with the port that the scheme has. */
static void origin(const char *url, char *out, size_t size)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, *port = NULL;

	*out = '\0';
	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
		    CURLUE_OK)
		snprintf(out, size, "%s://%s:%s", scheme, host, port);
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
}

bool http_same_origin(const char *a, const char *b)
{
	char x[1200], y[1200];

	origin(a, x, sizeof(x));
	origin(b, y, sizeof(y));
	return *x && strcasecmp(x, y) == 0;
}

static bool leads_on(const struct call *c)
{
	const struct http_req *req = c->req;
	long status = c->res->status;

	if (req->form || req->text || req->file || !*c->res->location)
		return false;
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

int http_do(const struct http_conf *conf, const struct http_req *req,
	    struct http_res *res, struct err *e)
{
	struct call c = { .req = req, .res = res, .e = e, .url = req->url };
	char next[sizeof(res->location)];
	int r = once(&c, conf);

	for (int n = 0; r == 0 && leads_on(&c); n++) {
		if (n == REDIRECTS_MAX)
			return err_set(e, ELOOP,
				       "it redirects more than %d times",
				       REDIRECTS_MAX);
		memcpy(next, res->location, sizeof(next));
		/* Whoever was elsewhere does not come back as himself. */
		c.away = c.away || !http_same_origin(req->url, next);
		c.url = next;
		r = once(&c, conf);
	}
	res->away = c.away;
	return r;
}
