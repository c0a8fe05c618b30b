/* SPDX-License-Identifier: Apache-2.0 */
/* The plain functions of libcrypto: those behind EVP bring a provider with
 * half of the library, and its relocations at every start of vial. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "image/digest.h"

#include "base/auto.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (256u << 10)

static const struct alg {
	const char *name;
	size_t digits;
} algs[] = {
	[DIGEST_SHA256] = { "sha256", 64 },
	[DIGEST_SHA512] = { "sha512", 128 },
};
static_assert(ARRAY_LEN(algs) == DIGEST_NALGS, "an algorithm has no entry");

static const struct alg *alg_of(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		size_t len = strlen(algs[i].name);

		if (strncmp(text, algs[i].name, len) == 0 && text[len] == ':')
			return &algs[i];
	}
	return NULL;
}

int digest_parse(const char *text, struct digest *d, struct err *e)
{
	const struct alg *a = alg_of(text);
	const char *hex = strchr(text, ':');

	*d = (struct digest){ "" };
	if (!a && hex && hex > text)
		return err_set(e, EINVAL,
			       "unsupported digest algorithm in '%.40s'", text);
	if (!a || strlen(hex + 1) != a->digits ||
	    strspn(hex + 1, "0123456789abcdef") != a->digits)
		return err_set(e, EINVAL, "invalid digest '%.80s'", text);
	memcpy(d->text, text, strlen(text) + 1);
	return 0;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return *a->text && strcmp(a->text, b->text) == 0;
}

enum digest_alg digest_get_alg(const struct digest *d)
{
	return alg_of(d->text) == &algs[DIGEST_SHA512] ? DIGEST_SHA512
						       : DIGEST_SHA256;
}

const char *digest_alg_name(const struct digest *d)
{
	return algs[digest_get_alg(d)].name;
}

const char *digest_hex(const struct digest *d)
{
	const char *colon = strchr(d->text, ':');

	return colon ? colon + 1 : d->text;
}

void digest_init(struct digest_ctx *c, enum digest_alg alg)
{
	c->alg = alg;
	if (alg == DIGEST_SHA512)
		SHA512_Init(&c->u.sha512);
	else
		SHA256_Init(&c->u.sha256);
}

void digest_update(struct digest_ctx *c, const void *data, size_t len)
{
	if (c->alg == DIGEST_SHA512)
		SHA512_Update(&c->u.sha512, data, len);
	else
		SHA256_Update(&c->u.sha256, data, len);
}

void digest_final(struct digest_ctx *c, struct digest *out)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[SHA512_DIGEST_LENGTH] = { 0 };
	size_t n = algs[c->alg].digits / 2;
	char *p;

	if (c->alg == DIGEST_SHA512)
		SHA512_Final(raw, &c->u.sha512);
	else
		SHA256_Final(raw, &c->u.sha256);
	p = out->text +
	    snprintf(out->text, sizeof(out->text), "%s:", algs[c->alg].name);
	for (size_t i = 0; i < n; i++) {
		*p++ = hex[raw[i] >> 4];
		*p++ = hex[raw[i] & 15];
	}
	*p = '\0';
}

void digest_of(const void *data, size_t len, struct digest *out)
{
	struct digest_ctx c;

	digest_init(&c, DIGEST_SHA256);
	digest_update(&c, data, len);
	digest_final(&c, out);
}

int digest_of_fd(int fd, enum digest_alg alg, struct digest *out, struct err *e)
{
	autofree char *buf = malloc(READ_BYTES);
	struct digest_ctx c;
	off_t at = 0;

	if (!buf)
		return err_set(e, ENOMEM, "out of memory");
	digest_init(&c, alg);
	for (;;) {
		ssize_t n = pread(fd, buf, READ_BYTES, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read");
		if (n == 0)
			break;
		digest_update(&c, buf, (size_t)n);
		at += n;
	}
	digest_final(&c, out);
	return 0;
}
