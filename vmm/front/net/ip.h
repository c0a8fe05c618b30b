/* SPDX-License-Identifier: Apache-2.0 */
/* ip.h - addresses of both families, and ranges of them. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Network order. Zeroed: none. */
struct ip {
	uint8_t len; /* 4 or 16; 0: none */
	uint8_t b[16];
};

struct ip_range {
	struct ip ip; /* bits behind the prefix are 0 */
	uint8_t prefix;
};

/* Longest text, with the prefix and its NUL. */
#define IP_TEXT 52

/* "192.0.2.1", "2001:db8::1"; false when it is neither. */
bool ip_parse(const char *text, struct ip *ip);
/* With "/PREFIX", or one address. Bits behind the prefix are cleared. */
bool ip_range_parse(const char *text, struct ip_range *r);
/* Into out, of IP_TEXT bytes; returns it. */
char *ip_text(const struct ip *ip, char *out);
char *ip_range_text(const struct ip_range *r, char *out);

bool ip_equal(const struct ip *a, const struct ip *b);
bool ip_in(const struct ip *ip, const struct ip_range *r);

/* Returns the length of *sa. */
socklen_t ip_sockaddr(const struct ip *ip, uint16_t port,
		      struct sockaddr_storage *sa);
/* False when it is of another family. */
bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip);
