/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - options about the network. */
#include "spec/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* What can be the name of a network or a host. */
static bool name_like(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < 254 && !strchr("_.-", *text) &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
			    "YZ0123456789_.-") == len;
}

int spec_network(void *spec, const char *text, struct err *e)
{
	struct spec *s = spec;

	/* What docker calls its default. */
	if (strcmp(text, "default") == 0 || strcmp(text, "bridge") == 0) {
		s->network = NULL;
		return 0;
	}
	if (strcmp(text, "none") == 0 || strcmp(text, "user") == 0 ||
	    strcmp(text, "nat") == 0) {
		s->network = text;
		return 0;
	}
	if (strcmp(text, "host") == 0)
		return err_set(e, EINVAL,
			       "'host': a guest has a kernel of its own, so it "
			       "cannot share the host's network (-p publishes "
			       "its ports there)");
	/* That there is one of that name is looked up when the box starts. */
	if (!name_like(strncmp(text, "container:", 10) == 0 ? text + 10 : text))
		return err_set(e, EINVAL,
			       "'%s' is neither a mode nor the name of a "
			       "network",
			       text);
	s->network = text;
	return 0;
}

int spec_ip(void *spec, const char *text, struct err *e)
{
	unsigned char raw[sizeof(struct in_addr)];

	if (inet_pton(AF_INET, text, raw) != 1)
		return err_set(e, EINVAL, "'%s' is not an IPv4 address", text);
	((struct spec *)spec)->ip = text;
	return 0;
}

int spec_service(void *spec, const char *text, struct err *e)
{
	if (!*text || *text == ',')
		return err_set(e, EINVAL, "'%s' names no image", text);
	if (strv_add(&((struct spec *)spec)->services, text) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int spec_alias(void *spec, const char *text, struct err *e)
{
	if (!name_like(text))
		return err_set(e, EINVAL, "'%s' is not a name", text);
	if (strv_add(&((struct spec *)spec)->aliases, text) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int spec_publish(void *spec, const char *text, struct err *e)
{
	return spec_ports_add(&((struct spec *)spec)->publish, text, e);
}

int spec_expose(void *spec, const char *text, struct err *e)
{
	return spec_ports_expose(&((struct spec *)spec)->expose, text, e);
}

/* What can stand in resolv.conf. */
static int add_word(struct strv *v, const char *text, struct err *e)
{
	if (!*text || text[strcspn(text, " \t\r\n#;")])
		return err_set(e, EINVAL, "'%s': not one word", text);
	if (strv_add(v, text) < 0)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

int spec_dns(void *spec, const char *text, struct err *e)
{
	unsigned char raw[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, text, raw) != 1 &&
	    inet_pton(AF_INET6, text, raw) != 1)
		return err_set(e, EINVAL, "'%s' is not an IP address", text);
	return add_word(&((struct spec *)spec)->dns, text, e);
}

int spec_dns_search(void *spec, const char *text, struct err *e)
{
	return add_word(&((struct spec *)spec)->dns_search, text, e);
}

int spec_dns_option(void *spec, const char *text, struct err *e)
{
	return add_word(&((struct spec *)spec)->dns_options, text, e);
}
