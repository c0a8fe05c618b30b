/* SPDX-License-Identifier: Apache-2.0 */
#include "net/record.h"

#include "base/fd.h"
#include "net/dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name of escapes, brackets, port and protocol. */
#define WORD_MAX (DNS_TEXT + 16)

static const char head[] = "# What a run used, for --egress @FILE.\n";

void record_fini(struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i]);
	free(r->v);
	*r = (struct record){ 0 };
}

/* Where it is or belongs: v is kept in order. */
static size_t place(const struct record *r, const char *word, bool *there)
{
	size_t low = 0, high = r->n;

	*there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(word, r->v[mid]);

		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static void add(struct record *r, const char *word)
{
	bool there;
	size_t at = place(r, word, &there);
	char *copy;
	void *v;

	if (there)
		return;
	copy = r->n < RECORD_MAX ? strdup(word) : NULL;
	if (copy && r->n == r->room) {
		v = reallocarray(r->v, r->room + 256, sizeof(*r->v));
		if (v) {
			r->v = v;
			r->room += 256;
		}
	}
	if (!copy || r->n == r->room) {
		free(copy);
		r->full = true;
		return;
	}
	memmove(r->v + at + 1, r->v + at, (r->n - at) * sizeof(*r->v));
	r->v[at] = copy;
	r->n++;
}

void record_use(struct record *r, const char *host, uint8_t proto,
		uint16_t port)
{
	char word[WORD_MAX];

	if (!port)
		snprintf(word, sizeof(word), "%s", host);
	else
		snprintf(word, sizeof(word),
			 strchr(host, ':') ? "[%s]:%u/%s" : "%s:%u/%s", host,
			 port, proto == IPPROTO_TCP ? "tcp" : "udp");
	add(r, word);
}

/* What no list can name cannot be recorded. */
void record_asked(struct record *r, const char *name)
{
	char word[WORD_MAX];

	if (strchr(name, '\\') || strcmp(name, ".") == 0)
		return;
	snprintf(word, sizeof(word), "%s:0", name);
	add(r, word);
}

/* Any other word of the same name stands beside it. */
static bool needless(const struct record *r, size_t i)
{
	size_t len = strlen(r->v[i]);

	if (len < 2 || strcmp(r->v[i] + len - 2, ":0") != 0)
		return false;
	return (i + 1 < r->n && strncmp(r->v[i], r->v[i + 1], len - 1) == 0) ||
	       (i > 0 && strlen(r->v[i - 1]) == len - 2 &&
		strncmp(r->v[i], r->v[i - 1], len - 2) == 0);
}

int record_write(struct record *r, int fd, struct err *e)
{
	char line[WORD_MAX + 1];
	int bad = fd_write_full(fd, head, sizeof(head) - 1);

	for (size_t i = 0; i < r->n && bad >= 0; i++) {
		int n = snprintf(line, sizeof(line), "%s\n", r->v[i]);

		if (!needless(r, i))
			bad = fd_write_full(fd, line, (size_t)n);
	}
	if (bad >= 0 && r->full)
		bad = dprintf(fd, "# There was more: only %d are kept.\n",
			      RECORD_MAX) < 0
			    ? -errno
			    : 0;
	if (bad < 0)
		return err_lib(e, -bad, "the list of what was used", NULL);
	return 0;
}
