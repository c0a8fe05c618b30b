/* SPDX-License-Identifier: Apache-2.0 */
/* dns.h - messages of the domain name system (RFC 1035, 6891), as much as a
 * forwarder needs that rewrites what it forwards.
 *
 * Queries come from the guest and answers from servers that others write the
 * contents of: both are untrusted. Nothing is forwarded as it came. A query is
 * taken apart and asked anew; of an answer only the records that belong to the
 * question are kept, with names expanded, and a message is built of them. All
 * of it ends, whatever the bytes: names have a bounded number of jumps, all of
 * them backwards, and counts are bounded by DNS_RECORDS. */
#pragma once

#include "net/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_PORT    53
#define DNS_NAME    255	 /* bytes of a name on the wire */
#define DNS_TEXT    1024 /* of its text, with the NUL */
#define DNS_UDP_MIN 512
/* What fits a frame everywhere, so that fragments are never needed. */
#define DNS_UDP_MAX 1232
#define DNS_MSG_MAX 65535
#define DNS_RECORDS 128 /* kept of one answer */
#define DNS_HOPS    16	/* of CNAME */

enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_OPT = 41,
	DNS_SVCB = 64,
	DNS_HTTPS = 65,
	DNS_META_FIRST = 128, /* what is not data, up to 255 */
	DNS_META_LAST = 255,
};

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
};

/* RFC 8914 */
#define DNS_EDE_NONE	   0xffff
#define DNS_EDE_BLOCKED	   15
#define DNS_EDE_PROHIBITED 18
#define DNS_EDE_NETWORK	   23

/* Length bytes and labels up to the empty one, case as it came. */
struct dns_name {
	uint8_t len;
	uint8_t b[DNS_NAME];
};

struct dns_query {
	uint16_t id;
	bool rd, cd;
	bool edns;
	uint16_t udp_size; /* what the asker takes, within the bounds above */
	uint16_t type;
	struct dns_name name; /* len 0: the question could not be read */
};

struct dns_record {
	uint16_t type;
	uint16_t off, len; /* of its data in the message */
	uint32_t ttl;	   /* seconds */
	uint8_t hop;	   /* how many CNAMEs lead to it */
	bool drop;	   /* the caller's: not for dns_answer_build() */
};

struct dns_answer {
	const uint8_t *msg; /* borrowed */
	size_t len;
	uint8_t rcode;
	bool truncated;
	unsigned nrecords;
	struct dns_record records[DNS_RECORDS];
};

/* 0; a dns_rcode to answer with (dns_reply()); -EBADMSG: not worth one. */
int dns_query_parse(const uint8_t *msg, size_t len, struct dns_query *q);
/* To be sent to a server under an id of ours. Returns the length. */
size_t dns_query_build(const struct dns_query *q, uint16_t id,
		       uint8_t out[DNS_UDP_MIN]);

/* The answer to q as it was asked under id. -EBADMSG when it is not that. Past
 * DNS_RECORDS the rest is left out. msg must live as long as a. */
int dns_answer_parse(const uint8_t *msg, size_t len, const struct dns_query *q,
		     uint16_t id, struct dns_answer *a);
/* The address in a record of type A or AAAA; false when it is no such. */
bool dns_record_ip(const struct dns_answer *a, const struct dns_record *r,
		   struct ip *ip);
/* No record lives longer than max_ttl seconds. Where room does not suffice the
 * message is empty and says that it was cut. Returns the length; room is at
 * least DNS_UDP_MIN. */
size_t dns_answer_build(const struct dns_query *q, const struct dns_answer *a,
			uint32_t max_ttl, uint8_t *out, size_t room);

/* An answer of our own: no records; ede is told to who understands it. */
size_t dns_reply(const struct dns_query *q, enum dns_rcode rcode, uint16_t ede,
		 uint8_t out[DNS_UDP_MIN]);
/* With one address, if it is what q asks for. */
size_t dns_reply_ip(const struct dns_query *q, const struct ip *ip,
		    uint32_t ttl, uint8_t out[DNS_UDP_MIN]);

/* Lower case, without the dot at the end ("." for the root); bytes that a host
 * name does not have, a dot inside of a label too, as \DDD. Returns out. */
char *dns_name_text(const struct dns_name *n, char out[DNS_TEXT]);
/* "A", "TYPE65". Returns out. */
const char *dns_type_text(uint16_t type, char out[16]);
