/* SPDX-License-Identifier: Apache-2.0 */
/* addr.h - the addresses of one box's network. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

/* What the names of the host's ends of our pairs begin with. */
#define HOST_LINK "vl"

static inline bool is_host_link(const char *name)
{
	return strncmp(name, HOST_LINK, sizeof(HOST_LINK) - 1) == 0;
}

/* guest ── gateway (vial0) in the namespace; up0 ── host's end of the pair.
 * In host byte order: they are computed with. */
struct addr_plan {
	in_addr_t guest, gateway, up, host;
	unsigned prefix;    /* of guest and gateway */
	unsigned up_prefix; /* of up and host */
	in_addr_t resolver; /* where the guest asks for names */
	/* The same in IPv6; only when six. */
	bool six;
	struct in6_addr guest6, gateway6, up6, host6;
};
