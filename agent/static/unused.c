/* SPDX-License-Identifier: Apache-2.0 */
/* unused.c - what libnl can do and the agent never asks for.
 *
 * It resolves names of hosts and protocols, and reads numbers from text. For
 * that the C library would bring its whole name service, which loads shared
 * libraries that no guest is sure to have, and its number parsers: a quarter
 * of a megabyte in every guest's memory. These answer "none" instead. Linked
 * into vial-agent only. */
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* The names fscanf() and sscanf() have behind the header. */
int unused_fscanf(FILE *f, const char *format, ...) __asm__("__isoc99_fscanf");
int unused_sscanf(const char *s, const char *format,
		  ...) __asm__("__isoc99_sscanf");

int unused_fscanf(FILE *f, const char *format, ...)
{
	(void)f;
	(void)format;
	return EOF;
}

int unused_sscanf(const char *s, const char *format, ...)
{
	(void)s;
	(void)format;
	return EOF;
}

double strtod(const char *restrict s, char **restrict end)
{
	if (end)
		*end = (char *)(size_t)s;
	return 0;
}

int getaddrinfo(const char *node, const char *service,
		const struct addrinfo *hints, struct addrinfo **res)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)res;
	return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *res)
{
	(void)res;
}

const char *gai_strerror(int error)
{
	(void)error;
	return "no name service";
}

struct protoent *getprotobyname(const char *name)
{
	(void)name;
	return NULL;
}

struct protoent *getprotobynumber(int number)
{
	(void)number;
	return NULL;
}

int getnameinfo(const struct sockaddr *restrict sa, socklen_t salen,
		char *restrict host, socklen_t hostlen, char *restrict serv,
		socklen_t servlen, int flags)
{
	(void)sa;
	(void)salen;
	(void)host;
	(void)hostlen;
	(void)serv;
	(void)servlen;
	(void)flags;
	return EAI_NONAME;
}
