/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - one request to a registry, by libcurl.
 *
 * THEORY OF OPERATION
 *
 * vial-fetch is the program that talks to registries, started by vial for each
 * pull. It is one of its own because libcurl cannot be linked statically here,
 * because its libraries would cost every start of vial milliseconds, and
 * because what parses the network's bytes need not be what starts boxes.
 *
 *     main      pull NAME: what it says, what is printed
 *     pull      where from; manifest, configuration, layers, then the name
 *     layers    several at once, each from where it stopped   bars  how far
 *     tags      what tags a name has there
 *     push, login
 *     registry  one registry: where it is, retries, the token
 *     auth      WWW-Authenticate and tokens      creds  who the user is there
 *     conf      http or https, certificates      confine  what may be done
 *     http      one request
 *
 * Which registries a name leads to is image/registries.h.
 *
 * The other side is not trusted: answers are bounded, the time without a byte
 * is, redirects are, and lead to https only (http where the user said so).
 * The Authorization header and the certificate of the user stay with the host
 * they were made for. */
#pragma once

#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a host is reached. */
struct http_conf {
	bool plain;    /* http is allowed, and tried when https is not spoken */
	bool unverified; /* any certificate will do */
	char *ca, *cert, *key; /* PEM; NULL: the system's authorities, none */
	const atomic_bool *stop; /* the caller's: ends what is under way; NULL */
};
void http_conf_fini(struct http_conf *c);

struct http_req {
	const char *url;
	const char *const *headers; /* "Name: value", NULL behind the last */
	const char *form;	    /* POST it; NULL: GET */
	bool head;
	/* PUT, of either; nothing that is sent follows a redirect. */
	const char *text;	/* of text_len bytes */
	size_t text_len;
	const int *file;	/* all of it, file_size bytes */
	uint64_t file_size;
	uint64_t from; /* the first byte wanted: Range */
	/* For the body of 200 and 206; negative ends the transfer. offset: of
	 * the first byte in the whole. May be NULL. */
	int (*body)(void *ctx, uint64_t offset, const void *data, size_t len,
		    struct err *e);
	void *ctx;
};

#define HTTP_ERROR_MAX 4096

struct http_res {
	long status;
	bool away;   /* another host answered, to which this one led */
	bool ranged; /* 206 from the byte that was asked for */
	char type[128];
	char digest[160];    /* Docker-Content-Digest */
	char challenge[2048]; /* WWW-Authenticate: Bearer, else the first */
	unsigned retry_after_s; /* 0: not said */
	char location[2048];	/* of what is to be asked next; absolute */
	char link[2048];	/* Link, as it came */
	char text[HTTP_ERROR_MAX]; /* the body of anything but 200 and 206 */
};

/* Seconds without a byte after which a connection has failed. */
void http_set_patience(unsigned seconds);

/* 0: there was an answer, whatever it was. -EAGAIN: the connection failed in a
 * way that may be gone the next time; -EKEYREJECTED: a certificate is no good;
 * -EIO: for another reason. */
int http_do(const struct http_conf *c, const struct http_req *req,
	    struct http_res *res, struct err *e);

/* The thread asks for nothing more: its connections end. */
void http_done(void);

/* Whether scheme, host and port of two addresses are the same. */
bool http_same_origin(const char *a, const char *b);

/* A body that is kept, with a bound. */
struct http_text {
	char *data; /* the caller frees it */
	size_t len, max;
};
int http_to_text(void *text, uint64_t offset, const void *data, size_t len,
		 struct err *e);
