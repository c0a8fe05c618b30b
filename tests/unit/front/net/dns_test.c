/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of the guest and of servers: what is understood, what is kept. */
#include "net/dns.h"

#include "base/auto.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* A message that is put together byte by byte. */
static struct {
	uint8_t b[DNS_MSG_MAX];
	size_t n;
} m;

static uint8_t out[DNS_MSG_MAX];
static struct dns_query q;
static struct dns_answer a;

static void u8(unsigned v)
{
	m.b[m.n++] = (uint8_t)v;
}
static void u16(unsigned v)
{
	u8(v >> 8), u8(v & 0xff);
}
static void u32(uint32_t v)
{
	u16(v >> 16), u16(v & 0xffff);
}

static void name(const char *text)
{
	while (*text) {
		size_t len = strcspn(text, ".");

		u8((unsigned)len);
		memcpy(m.b + m.n, text, len);
		m.n += len;
		text += len + (text[len] == '.');
	}
	u8(0);
}

static void head(unsigned id, unsigned flags, unsigned answers)
{
	m.n = 0;
	u16(id), u16(flags), u16(1), u16(answers), u16(0), u16(0);
}

static void ask(const char *text, unsigned type)
{
	head(7, 0x0100, 0);
	name(text), u16(type), u16(1);
	assert_int_equal(dns_query_parse(m.b, m.n, &q), 0);
}

/* The begin of an answer to what was asked. */
static void answer(const char *text, unsigned type, unsigned count)
{
	head(99, 0x8180, count);
	name(text), u16(type), u16(1);
}

static void rr(const char *owner, unsigned type, uint32_t ttl, unsigned len)
{
	name(owner), u16(type), u16(1), u32(ttl), u16(len);
}

static void rr_a(const char *owner, uint32_t ttl, uint32_t ip)
{
	rr(owner, DNS_A, ttl, 4), u32(ip);
}

static void rr_cname(const char *owner, const char *target)
{
	rr(owner, DNS_CNAME, 60, (unsigned)strlen(target) + 2), name(target);
}

static int parse(void)
{
	return dns_answer_parse(m.b, m.n, &q, 99, &a);
}

static void query(void **state)
{
	char text[DNS_TEXT], type[16];

	(void)state;
	ask("WWW.Example.test", DNS_AAAA);
	assert_string_equal(dns_name_text(&q.name, text), "www.example.test");
	assert_string_equal(dns_type_text(q.type, type), "AAAA");
	assert_string_equal(dns_type_text(257, type), "TYPE257");
	assert_int_equal(q.id, 7);
	assert_true(q.rd);
	assert_false(q.edns);
	assert_int_equal(q.udp_size, 512);
	/* Asked anew: another id, room for more. */
	m.n = dns_query_build(&q, 0x1234, out);
	assert_int_equal(out[0], 0x12);
	memcpy(m.b, out, m.n);
	assert_int_equal(dns_query_parse(m.b, m.n, &q), 0);
	assert_true(q.edns);
	assert_int_equal(q.udp_size, DNS_UDP_MAX);
	assert_string_equal(dns_name_text(&q.name, text), "www.example.test");
}

static void odd_names(void **state)
{
	char text[DNS_TEXT];

	(void)state;
	head(1, 0, 0);
	u8(6), u8('a'), u8('.'), u8('b'), u8('"'), u8(0), u8(200), u8(0);
	u16(DNS_A), u16(1);
	assert_int_equal(dns_query_parse(m.b, m.n, &q), 0);
	assert_string_equal(dns_name_text(&q.name, text),
			    "a\\046b\\034\\000\\200");
	ask("", DNS_NS);
	assert_string_equal(dns_name_text(&q.name, text), ".");
	/* The longest there is, of bytes with the longest text. */
	head(1, 0, 0);
	for (int i = 0; i < 127; i++)
		u8(1), u8(1);
	u8(0), u16(DNS_A), u16(1);
	assert_int_equal(dns_query_parse(m.b, m.n, &q), 0);
	assert_int_equal(q.name.len, 255);
	assert_int_equal(strlen(dns_name_text(&q.name, text)), 127 * 5 - 1);
	assert_true(dns_reply(&q, DNS_NXDOMAIN, DNS_EDE_NONE, out) < 512);
}

static void queries_that_are_none(void **state)
{
	(void)state;
	ask("a.test", DNS_A);
	for (size_t n = 0; n < m.n; n++) {
		int r = dns_query_parse(m.b, n, &q);

		assert_int_equal(r, n < 12 ? -EBADMSG : DNS_FORMERR);
	}
	m.b[2] |= 0x80; /* an answer */
	assert_int_equal(dns_query_parse(m.b, m.n, &q), -EBADMSG);
	m.b[2] = 0x28; /* an update */
	assert_int_equal(dns_query_parse(m.b, m.n, &q), DNS_NOTIMP);
	m.b[2] = 0, m.b[5] = 2; /* two questions */
	assert_int_equal(dns_query_parse(m.b, m.n, &q), DNS_FORMERR);
	head(1, 0, 0), name("a"), u16(252), u16(1); /* a transfer */
	assert_int_equal(dns_query_parse(m.b, m.n, &q), DNS_NOTIMP);
	head(1, 0, 0), name("a"), u16(1), u16(3); /* of another class */
	assert_int_equal(dns_query_parse(m.b, m.n, &q), DNS_NOTIMP);
	head(1, 0, 0), u8(0xc0), u8(12), u16(1), u16(1); /* to itself */
	assert_int_equal(dns_query_parse(m.b, m.n, &q), DNS_FORMERR);
	head(1, 0, 0), u8(1), u8('a'), u8(0xc0), u8(12), u16(1), u16(1);
	assert_int_equal(dns_query_parse(m.b, m.n, &q), DNS_FORMERR);
	head(1, 0, 0), u8(0x41), u8('a'), u8(0), u16(1), u16(1);
	assert_int_equal(dns_query_parse(m.b, m.n, &q), DNS_FORMERR);
}

static void edns(void **state)
{
	(void)state;
	ask("a.test", DNS_A);
	m.b[11] = 1;
	u8(0), u16(DNS_OPT), u16(65535), u32(0), u16(0);
	assert_int_equal(dns_query_parse(m.b, m.n, &q), 0);
	assert_true(q.edns);
	assert_int_equal(q.udp_size, DNS_UDP_MAX);
	m.n = dns_reply(&q, DNS_NXDOMAIN, DNS_EDE_BLOCKED, out);
	assert_int_equal(out[3] & 15, DNS_NXDOMAIN);
	assert_int_equal(out[11], 1);
	assert_memory_equal(out + m.n - 8, "\0\6\0\17\0\2\0\17", 8);
}

static void chain(void **state)
{
	struct ip ip;

	(void)state;
	ask("a.test", DNS_A);
	answer("A.test", DNS_A, 6);
	rr_a("c.test", 30, 0x01020304);
	rr_cname("b.test", "c.test");
	rr_cname("a.test", "b.test");
	rr_a("evil.test", 30, 0x0a000001); /* belongs to nobody */
	rr("c.test", DNS_AAAA, 30, 16), u32(0), u32(0), u32(0), u32(1);
	rr_a("C.TEST", 0x80000001, 0x01020305);
	assert_int_equal(parse(), 0);
	assert_int_equal(a.nrecords, 4);
	assert_int_equal(a.records[0].type, DNS_CNAME);
	assert_int_equal(a.records[1].type, DNS_CNAME);
	assert_true(dns_record_ip(&a, &a.records[2], &ip));
	assert_memory_equal(ip.b, "\1\2\3\4", 4);
	assert_int_equal(a.records[2].hop, 2);
	assert_int_equal(a.records[3].ttl, 0);
	assert_false(dns_record_ip(&a, &a.records[0], &ip));

	/* One of them is not for the guest; the rest is a whole message. */
	a.records[2].drop = true;
	m.n = dns_answer_build(&q, &a, 20, out, sizeof(out));
	memcpy(m.b, out, m.n);
	assert_int_equal(dns_answer_parse(m.b, m.n, &q, 7, &a), 0);
	assert_int_equal(a.nrecords, 3);
	assert_int_equal(a.records[0].ttl, 20);
	assert_true(dns_record_ip(&a, &a.records[2], &ip));
	assert_memory_equal(ip.b, "\1\2\3\5", 4);
}

static void circle(void **state)
{
	(void)state;
	ask("a.test", DNS_A);
	answer("a.test", DNS_A, 3);
	rr_cname("a.test", "b.test");
	rr_cname("b.test", "a.test");
	rr_a("b.test", 1, 1);
	assert_int_equal(parse(), 0);
	assert_true(a.nrecords <= DNS_HOPS + 1);
	assert_true(dns_answer_build(&q, &a, 9, out, sizeof(out)) > 12);
}

static void names_inside(void **state)
{
	(void)state;
	ask("a.test", DNS_MX);
	answer("a.test", DNS_MX, 3);
	rr("a.test", DNS_MX, 5, 7);
	u16(10), u8(2), u8('m'), u8('x'), u8(0xc0), u8(12);
	rr("a.test", DNS_MX, 5, 4), u16(10), u16(0xc00c);
	rr("a.test", DNS_MX, 5, 1), u8(1); /* too short for any */
	assert_int_equal(parse(), 0);
	assert_int_equal(a.nrecords, 3);
	m.n = dns_answer_build(&q, &a, 9, out, sizeof(out));
	assert_int_equal(out[7], 2);
	/* Expanded: the pointer would lead elsewhere in the new message. */
	assert_non_null(memmem(out, m.n, "\2mx\1a\4test", 10));
}

static void not_to_us(void **state)
{
	(void)state;
	ask("a.test", DNS_A);
	answer("a.test", DNS_A, 1), rr_a("a.test", 1, 1);
	assert_int_equal(dns_answer_parse(m.b, m.n, &q, 98, &a), -EBADMSG);
	assert_int_equal(parse(), 0);
	m.b[2] &= 0x7f;
	assert_int_equal(parse(), -EBADMSG);
	answer("b.test", DNS_A, 1), rr_a("a.test", 1, 1);
	assert_int_equal(parse(), -EBADMSG);
	answer("a.test", DNS_AAAA, 1), rr_a("a.test", 1, 1);
	assert_int_equal(parse(), -EBADMSG);
	/* Cut off anywhere: what was whole counts. */
	answer("a.test", DNS_A, 2), rr_a("a.test", 1, 1), rr_a("a.test", 1, 2);
	for (size_t n = 0; n < m.n; n++) {
		int r = dns_answer_parse(m.b, n, &q, 99, &a);

		assert_int_equal(r, n < 24 ? -EBADMSG : 0);
		assert_true(a.nrecords < 2);
	}
}

static void sixty_four_kib(void **state)
{
	(void)state;
	ask("a.test", DNS_A);
	answer("a.test", DNS_A, 4000);
	while (m.n + 16 <= DNS_MSG_MAX)
		u16(0xc00c), u16(1), u16(1), u32(60), u16(4), u32(0x01010101);
	assert_int_equal(parse(), 0);
	assert_int_equal(a.nrecords, DNS_RECORDS);
	m.n = dns_answer_build(&q, &a, 9, out, sizeof(out));
	assert_int_equal(out[7], DNS_RECORDS);
	assert_int_equal(m.n, 12 + 12 + DNS_RECORDS * 16);
	/* Not into a datagram: nothing, and a word that there is more. */
	m.n = dns_answer_build(&q, &a, 9, out, 512);
	assert_int_equal(m.n, 24);
	assert_int_equal(out[7], 0);
	assert_int_equal(out[2] & 2, 2);
}

static void own_answers(void **state)
{
	struct ip ip;

	(void)state;
	ask("db", DNS_A);
	ip_parse("10.1.2.3", &ip);
	m.n = dns_reply_ip(&q, &ip, 5, out);
	memcpy(m.b, out, m.n);
	assert_int_equal(dns_answer_parse(m.b, m.n, &q, 7, &a), 0);
	assert_int_equal(a.nrecords, 1);
	ask("db", DNS_AAAA);
	m.n = dns_reply_ip(&q, &ip, 5, out);
	assert_int_equal(out[7], 0);
	assert_int_equal(out[3] & 15, DNS_NOERROR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query),
		cmocka_unit_test(odd_names),
		cmocka_unit_test(queries_that_are_none),
		cmocka_unit_test(edns),
		cmocka_unit_test(chain),
		cmocka_unit_test(circle),
		cmocka_unit_test(names_inside),
		cmocka_unit_test(not_to_us),
		cmocka_unit_test(sixty_four_kib),
		cmocka_unit_test(own_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
