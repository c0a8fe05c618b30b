/* SPDX-License-Identifier: Apache-2.0 */
/* registry.h - one registry: OCI distribution-spec, pull.
 *
 * Requests are repeated when the other side is busy (429, 5xx) or the
 * connection fails, after what Retry-After says; a blob goes on where it
 * stopped. Several threads may ask at once. */
#pragma once

#include "base/err.h"
#include "fetch/creds.h"
#include "fetch/http.h"
#include "image/manifest.h"
#include "image/registries.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct registry {
	struct ref ref;
	char host[300];	    /* "registry-1.docker.io" for docker.io */
	const char *actions; /* "pull"; "pull,push" */
	struct http_conf conf;
	unsigned tries; /* in a row without a byte more */
	struct creds creds;
	pthread_mutex_t lock; /* of authorization */
	char *authorization;  /* the header; NULL: none yet */
	atomic_bool plain;    /* it is asked by http, no longer by https */
};

/* Reads what there is to be read of the user's: certificates, the login (a
 * helper may be asked for it). Nothing is sent yet. */
int registry_open(struct registry *r, const struct registries_place *place,
		  struct err *e);
/* One request, with the login. where: a path below the repository; one of the
 * registry, from its '/' on; or an address that it gave. header may be NULL. 0: an answer of success;
 * -EAGAIN: registry_wait() and ask again, if that is below tries, which is
 * REGISTRY_TRIES when nobody says more. */
#define REGISTRY_TRIES 6
int registry_ask(struct registry *r, const char *where, const char *header,
		 struct http_req *req, struct http_res *res, struct err *e);
void registry_wait(const struct registry *r, unsigned tries,
		   const struct http_res *res);
void registry_close(struct registry *r);

/* The manifest that what calls, a tag or digest: its bytes and what the
 * registry says it is. Checked against what, if that is a digest, and against
 * the registry's own word. The caller frees t->data. */
int registry_manifest(struct registry *r, const char *what, struct http_text *t,
		      char media[MANIFEST_MEDIA_MAX], struct digest *digest,
		      struct err *e);

/* A blob, piece by piece, from a byte on; body is told the offset: 0 again when
 * it starts anew. */
int registry_blob(struct registry *r, const struct manifest_desc *d,
		  uint64_t from,
		  int (*body)(void *ctx, uint64_t offset, const void *data,
			      size_t len, struct err *e),
		  void *ctx, struct err *e);
