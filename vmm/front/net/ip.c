/* SPDX-License-Identifier: Apache-2.0 */
#include "net/ip.h"

#include "base/auto.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool ip_parse(const char *text, struct ip *ip)
{
	*ip = (struct ip){ 0 };
	if (inet_pton(AF_INET, text, ip->b) == 1)
		ip->len = 4;
	else if (inet_pton(AF_INET6, text, ip->b) == 1)
		ip->len = 16;
	return ip->len > 0;
}

/* "0" to "128", digits alone. */
static bool parse_prefix(const char *text, unsigned max, uint8_t *out)
{
	unsigned n = 0;
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 3 || text[len])
		return false;
	while (*text)
		n = n * 10 + (unsigned)(*text++ - '0');
	*out = (uint8_t)n;
	return n <= max;
}

static void clear_behind(struct ip *ip, unsigned prefix)
{
	for (unsigned i = 0; i < ip->len; i++) {
		unsigned bits = prefix > i * 8 ? prefix - i * 8 : 0;

		if (bits < 8)
			ip->b[i] &= (uint8_t)(0xff00u >> bits);
	}
}

bool ip_range_parse(const char *text, struct ip_range *r)
{
	const char *slash = strchr(text, '/');
	char addr[IP_TEXT];
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (!ip_parse(addr, &r->ip))
		return false;
	r->prefix = (uint8_t)(r->ip.len * 8);
	if (slash && !parse_prefix(slash + 1, r->ip.len * 8, &r->prefix))
		return false;
	clear_behind(&r->ip, r->prefix);
	return true;
}

char *ip_text(const struct ip *ip, char *out)
{
	int family = ip->len == 4 ? AF_INET : AF_INET6;

	if (ip->len == 0 || !inet_ntop(family, ip->b, out, IP_TEXT))
		snprintf(out, IP_TEXT, "-");
	return out;
}

char *ip_range_text(const struct ip_range *r, char *out)
{
	size_t len = strlen(ip_text(&r->ip, out));

	if (r->prefix < r->ip.len * 8)
		snprintf(out + len, IP_TEXT - len, "/%u", r->prefix);
	return out;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

bool ip_in(const struct ip *ip, const struct ip_range *r)
{
	struct ip cut = *ip;

	if (ip->len != r->ip.len)
		return false;
	clear_behind(&cut, r->prefix);
	return ip_equal(&cut, &r->ip);
}

socklen_t ip_sockaddr(const struct ip *ip, uint16_t port,
		      struct sockaddr_storage *sa)
{
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;

	memset(sa, 0, sizeof(*sa));
	if (ip->len == 4) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, ip->b, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, ip->b, 16);
	return sizeof(*in6);
}

bool ip_from_sockaddr(const struct sockaddr *sa, struct ip *ip)
{
	*ip = (struct ip){ 0 };
	if (sa->sa_family == AF_INET) {
		ip->len = 4;
		memcpy(ip->b,
		       &((const struct sockaddr_in *)(const void *)sa)->sin_addr,
		       4);
	} else if (sa->sa_family == AF_INET6) {
		ip->len = 16;
		memcpy(ip->b,
		       &((const struct sockaddr_in6 *)(const void *)sa)
				->sin6_addr,
		       16);
	}
	return ip->len > 0;
}
