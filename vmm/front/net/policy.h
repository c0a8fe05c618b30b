/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h - what a guest may reach, as --egress says it.
 *
 * A list of words, with commas or blanks between them, '#' starts a comment:
 *
 *     all                  whatever is not closed; otherwise only what follows
 *     none                 nothing; alone
 *     github.com           a name; any port, any protocol
 *     *.debian.org:80      the names below one; a port
 *     *:443/tcp            any name; a protocol
 *     db.test:5432-5440    a range of ports
 *     local.test:0         may be asked, opens nothing
 *     10.0.0.0/8:5432      addresses
 *     [2001:db8::/32]:443  with brackets, because of the colons
 *
 * A port without a protocol means TCP and UDP. Closed, unless an address of
 * the list names them: private, link-local (with it the address of metadata),
 * shared, loopback, multicast and reserved ranges, IPv6 addresses that carry
 * such an IPv4 one, and what policy_close() adds, the host's own. That a name
 * leads to a closed address does not open it.
 *
 * Every combination of protocol and ports is a class; what is allowed is a set
 * of classes. All strings may come from a file of the job's author. */
#pragma once

#include "base/err.h"
#include "net/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_CLASSES 48
#define POLICY_RULES 16384
#define POLICY_CLOSED 160
#define POLICY_NAME 254ul /* longest name and its NUL */

struct policy_class {
	uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP; 0: any */
	uint16_t first,
		last; /* 0 and 65535: without ports too; 0 and 0: none */
};

struct policy_name {
	char *name;	/* lower case; "" is any */
	uint64_t exact; /* classes of the name itself */
	uint64_t below; /* and of those below it */
};

struct policy_range {
	struct ip_range range;
	unsigned klass;
};

struct policy {
	bool all;
	bool none;
	struct policy_class classes[POLICY_CLASSES];
	unsigned nclasses;
	struct policy_name *names; /* sorted once policy_end() was called */
	size_t nnames, room_names;
	struct policy_range *ranges;
	size_t nranges, room_ranges;
	struct ip_range closed[POLICY_CLOSED];
	size_t nclosed;
};

void policy_init(struct policy *p);
void policy_fini(struct policy *p);

/* Words as above; refuses the first that is none. */
int policy_add(struct policy *p, const char *text, struct err *e);
/* Closes a range more; past POLICY_CLOSED -ENOSPC. */
int policy_close(struct policy *p, const struct ip_range *r, struct err *e);
/* Before anything is asked of it. */
int policy_end(struct policy *p, struct err *e);

/* The next word of a text, into word; false when there is none. *at moves on.
 * A word that has no room comes without its end, too long for any use. */
bool policy_word(const char **at, char word[POLICY_NAME * 2]);

/* May this name (as dns_name_text() has it, lower case) be asked? classes, may
 * be NULL, gets what its addresses are to be opened for. */
bool policy_name_allowed(const struct policy *p, const char *name,
			 uint64_t *classes);
/* Closed and not named by an address of the list. */
bool policy_ip_closed(const struct policy *p, const struct ip *ip);
