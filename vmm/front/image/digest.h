/* SPDX-License-Identifier: Apache-2.0 */
/* digest.h - what blobs are called: "sha256:" and 64 hex digits.
 *
 * OCI image-spec, descriptor.md. sha512 is the other registered algorithm.
 * Anything else, and upper case, is refused: one blob has one name. */
#pragma once

#include "base/err.h"

#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_MAX 136 /* "sha512:", 128 digits, NUL */

struct digest {
	char text[DIGEST_MAX]; /* "": none */
};

enum digest_alg { DIGEST_SHA256, DIGEST_SHA512, DIGEST_NALGS };

struct digest_ctx {
	enum digest_alg alg;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512;
	} u;
};

/* All of text, or -EINVAL with docker's words. */
int digest_parse(const char *text, struct digest *d, struct err *e);
bool digest_equal(const struct digest *a, const struct digest *b);
enum digest_alg digest_get_alg(const struct digest *d);
/* "sha256"; static. */
const char *digest_alg_name(const struct digest *d);
/* The digits alone, within d. */
const char *digest_hex(const struct digest *d);

void digest_init(struct digest_ctx *c, enum digest_alg alg);
void digest_update(struct digest_ctx *c, const void *data, size_t len);
void digest_final(struct digest_ctx *c, struct digest *out);

/* sha256 of len bytes. */
void digest_of(const void *data, size_t len, struct digest *out);
/* Of a whole file, from its start to its end. */
int digest_of_fd(int fd, enum digest_alg alg, struct digest *out,
		 struct err *e);
