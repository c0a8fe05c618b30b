/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a query, and as the answer to one. What is built of them is
 * within its room and can be read again with the same meaning. The first byte
 * says which; an answer follows its question. */
#include "net/dns.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[DNS_MSG_MAX], again[DNS_MSG_MAX];

static void must(int ok)
{
	if (!ok)
		__builtin_trap();
}

static void as_query(const uint8_t *data, size_t size)
{
	struct dns_query q, q2;
	char text[DNS_TEXT];
	int r = dns_query_parse(data, size, &q);
	size_t n;

	must(r >= 0 || size < 12 || (data[2] & 0x80));
	if (r < 0)
		return;
	must(strlen(dns_name_text(&q.name, text)) < DNS_TEXT);
	n = dns_reply(&q, (enum dns_rcode)r, DNS_EDE_BLOCKED, out);
	must(n >= 12 && n <= DNS_UDP_MIN);
	if (r > 0)
		return;
	n = dns_query_build(&q, 1, out);
	must(n <= DNS_UDP_MIN && dns_query_parse(out, n, &q2) == 0);
	must(q2.type == q.type && q2.name.len == q.name.len);
	must(memcmp(q2.name.b, q.name.b, q.name.len) == 0);
}

/* The question is the answer's own, so that most of them fit. */
static void as_answer(const uint8_t *data, size_t size)
{
	static const size_t rooms[] = { DNS_UDP_MIN, DNS_UDP_MAX, DNS_MSG_MAX };
	struct dns_answer a, b;
	struct dns_query q;
	struct ip ip;
	uint8_t head[DNS_MSG_MAX];

	if (size < 12 || size > sizeof(head))
		return;
	memcpy(head, data, size);
	head[2] = 1;
	memset(head + 6, 0, 6);
	if (dns_query_parse(head, size, &q) != 0 ||
	    dns_answer_parse(data, size, &q, q.id, &a) < 0)
		return;
	must(a.nrecords <= DNS_RECORDS);
	for (unsigned i = 0; i < a.nrecords; i++) {
		must(a.records[i].hop <= DNS_HOPS);
		dns_record_ip(&a, &a.records[i], &ip);
	}
	for (unsigned i = 0; i < 3; i++) {
		size_t n = dns_answer_build(&q, &a, 60, out, rooms[i]);

		must(n >= 12 && n <= rooms[i]);
		must(dns_answer_parse(out, n, &q, q.id, &b) == 0);
		must(b.nrecords <= a.nrecords && b.rcode == a.rcode);
	}
	/* What was built says the same when it is built again. */
	memcpy(again, out, sizeof(again));
	must(dns_answer_build(&q, &b, 60, out, DNS_MSG_MAX) <= DNS_MSG_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		as_answer(data + 1, size - 1);
	else
		as_query(data + 1, size - 1);
	return 0;
}
