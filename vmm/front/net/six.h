/* SPDX-License-Identifier: Apache-2.0 */
/* six.h - IPv6 of a box's network: whether the host has it, and with which
 * addresses.
 *
 * They are unique local ones (RFC 4193), four for each box, beside those of
 * addr.h; by nat they leave as the host's address, as IPv4's do. Programs
 * prefer IPv4 to them where a name has both (RFC 6724, 10.6). */
#pragma once

#include "net/addr.h"

#include <stdbool.h>

/* All of them: of our choice, as the RFC wants it. */
#define SIX_PREFIX "fd76:6961:6c00::/48"
/* Those of the user mode, where every box is alone. */
#define SIX_ALONE 0xffff
/* Bits of the two pairs. */
#define SIX_BITS 127

/* Into the addresses of a; block: 0 to 0xffff. */
void six_plan(struct addr_plan *a, unsigned block);

/* Of this network namespace; forwards: it has to hand packets on, which its
 * root can see. NULL: it has it, else the reason. */
const char *six_missing(bool forwards);

/* For tests: the same of a text as /proc/net/ipv6_route. */
const char *six_missing_route(const char *text);
