/* SPDX-License-Identifier: Apache-2.0 */
/* ref.h - what users call images, by docker's rules.
 *
 * "debian" is docker.io/library/debian:latest. A first part is a registry when
 * it has a dot or a port, or is localhost. Lower case, but for tags; at most
 * 255 characters without the tag and digest. */
#pragma once

#include "base/err.h"
#include "image/digest.h"

#include <stdbool.h>
#include <stddef.h>

#define REF_NAME_MAX 255
#define REF_TAG_MAX  128
/* "domain/path:tag@digest", the parts as long as their arrays. */
#define REF_TEXT_MAX (2 * REF_NAME_MAX + 2 + REF_TAG_MAX + 1 + DIGEST_MAX)

struct ref {
	char domain[REF_NAME_MAX + 1]; /* "docker.io", "localhost:5000" */
	char path[REF_NAME_MAX + 1];   /* "library/debian" */
	char tag[REF_TAG_MAX + 1];     /* "" when a digest stands for it */
	struct digest digest;	       /* "": none */
};

/* -EINVAL: "invalid reference format", and what is wrong. Nothing that a
 * terminal would not show is in one that passes. */
int ref_parse(const char *text, struct ref *r, struct err *e);
/* Whether text leaves it open which registry is meant: "debian", "you/thing". */
bool ref_is_short(const char *text);
/* Another registry and path in r: "registry.example:5000/team/thing". */
int ref_set_name(struct ref *r, const char *name, struct err *e);
/* "docker.io/library/debian:12", with the digest when there is one. */
void ref_print(const struct ref *r, char out[REF_TEXT_MAX]);
/* Without tag and digest: "docker.io/library/debian". */
void ref_print_name(const struct ref *r, char out[REF_TEXT_MAX]);
/* As docker's lists show the name: "debian", "you/thing",
 * "registry.example/a/b". */
void ref_print_familiar(const struct ref *r, char out[REF_TEXT_MAX]);
