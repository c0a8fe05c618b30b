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

#define REDIRECTS_MAX 8L
#define CONNECT_S     30L
#define STALL_S	      60L
#define STALL_BYTES   16L
#define AGENT	      "vial/" VIAL_VERSION

struct call {
	CURL *curl;
	const struct http_req *req;
	struct http_res *res;
	uint64_t at; /* of the next byte of the body */
	bool begun;
	size_t text_len;
	struct err *e;
	bool refused; /* body() said no */
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
	if (req->form || req->text || req->file)
		curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
}

/* ---- the request ---- */

static void set_tls(CURL *h, const struct http_conf *c)
{
	if (c->unverified) {
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (c->ca)
		curl_easy_setopt(h, CURLOPT_CAINFO, c->ca);
	if (c->cert)
		curl_easy_setopt(h, CURLOPT_SSLCERT, c->cert);
	if (c->key)
		curl_easy_setopt(h, CURLOPT_SSLKEY, c->key);
}

static void set_up(struct call *c, const struct http_conf *conf,
		   const struct http_req *req)
{
	const char *kinds = conf->plain ? "https,http" : "https";
	CURL *h = c->curl;
	char range[32];

	curl_easy_setopt(h, CURLOPT_URL, req->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, kinds);
	curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, kinds);
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(h, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES);
	curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, STALL_S);
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
	set_tls(h, conf);
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
static void absolute(const struct http_req *req, struct http_res *res)
{
	CURLU *u = curl_url();
	char *text = NULL;

	if (u && *res->location &&
	    curl_url_set(u, CURLUPART_URL, req->url, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, res->location, 0) == CURLUE_OK)
		curl_url_get(u, CURLUPART_URL, &text, 0);
	snprintf(res->location, sizeof(res->location), "%s", text ? text : "");
	curl_free(text);
	curl_url_cleanup(u);
}

static int failed(struct call *c, CURLcode r, const char *text, struct err *e)
{
	if (c->refused)
		return -e->code;
	/* The error's text was long: there is an answer, if not all of it. */
	if (r == CURLE_WRITE_ERROR && c->text_len > 0)
		return 0;
	return err_set(e, is_passing(r) ? EAGAIN : EIO, "%.160s",
		       *text ? text : curl_easy_strerror(r));
}

int http_do(const struct http_conf *conf, const struct http_req *req,
	    struct http_res *res, struct err *e)
{
	struct call c = { .req = req, .res = res, .e = e };
	char text[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	CURLcode code;
	int r = 0;

	*res = (struct http_res){ 0 };
	c.curl = curl_easy_init();
	if (!c.curl)
		return err_set(e, ENOMEM, "out of memory");
	set_up(&c, conf, req);
	/* No waiting for "100 Continue". */
	if (req->file || req->text)
		headers = curl_slist_append(headers, "Expect:");
	for (size_t i = 0; req->headers && req->headers[i]; i++)
		headers = curl_slist_append(headers, req->headers[i]);
	curl_easy_setopt(c.curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(c.curl, CURLOPT_ERRORBUFFER, text);
	code = curl_easy_perform(c.curl);
	if (code != CURLE_OK)
		r = failed(&c, code, text, e);
	curl_easy_getinfo(c.curl, CURLINFO_RESPONSE_CODE, &res->status);
	absolute(req, res);
	curl_slist_free_all(headers);
	curl_easy_cleanup(c.curl);
	return r;
}
