/* SPDX-License-Identifier: Apache-2.0 */
/* netinfo.h - the network that a box has while it runs, as it is written down
 * for others to read (net.json in its directory). */
#pragma once

#include "base/err.h"
#include "box/state.h"
#include "spec/ports.h"

#include <stdbool.h>
#include <stdint.h>

#define NETINFO_MAC 6
#define NETINFO_TEXT 64

/* A network of several boxes that was joined while the box ran. */
struct netinfo_late {
	char network[NETINFO_TEXT]; /* "": none */
	uint8_t address[4];	    /* of the box there */
	uint8_t gateway[4];	    /* which it asks for the others */
	unsigned prefix;
	uint8_t mac[NETINFO_MAC]; /* of its interface there */
	/* For its keeper alone: where the machine has it; device 0: not. */
	unsigned slot;
	uint64_t device;
};

/* Each is an interface that the machine keeps room for. */
#define NETINFO_LATE 4

struct netinfo {
	char mode[16]; /* "none", "nat", "user" */
	char network[NETINFO_TEXT]; /* of several boxes; "": none */
	uint8_t mac[NETINFO_MAC];
	uint8_t guest[4], gateway[4], resolver[4]; /* network order */
	unsigned prefix;
	/* The same of IPv6; prefix6 0: it has none. */
	uint8_t guest6[16], gateway6[16];
	unsigned prefix6;
	unsigned mtu;
	struct spec_ports ports; /* with the host's numbers */
	struct netinfo_late late[NETINFO_LATE];
};

int netinfo_write(const struct netinfo *n, const struct box *b, struct err *e);
/* mode "" when there is none. n is the caller's to end. */
void netinfo_read(struct netinfo *n, const struct box *b);
void netinfo_fini(struct netinfo *n);

/* The entry of that name ("": a free one); NULL: there is none. */
const struct netinfo_late *netinfo_find(const struct netinfo *n,
					const char *network);

/* "192.0.2.1", into out of NETINFO_TEXT bytes. */
char *netinfo_dotted(const uint8_t raw[4], char *out);
/* "2001:db8::1" */
char *netinfo_colons(const uint8_t raw[16], char *out);
char *netinfo_mac(const uint8_t mac[NETINFO_MAC], char *out);
