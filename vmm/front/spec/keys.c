/* SPDX-License-Identifier: Apache-2.0 */
#include "spec/keys.h"

#include "base/auto.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static int key(const char *word)
{
	if (strlen(word) == 1)
		return (unsigned char)word[0];
	if (strncasecmp(word, "ctrl-", 5) != 0 || strlen(word) != 6)
		return -1;
	if (isalpha((unsigned char)word[5]))
		return tolower((unsigned char)word[5]) - 'a' + 1;
	switch (word[5]) {
	case '@':
		return 0;
	case '[':
		return 27;
	case '\\':
		return 28;
	case ']':
		return 29;
	case '^':
		return 30;
	case '_':
		return 31;
	default:
		return -1;
	}
}

int keys_parse(struct keys *k, const char *text, struct err *e)
{
	autofree char *copy = strdup(text ? text : "ctrl-p,ctrl-q");
	char *next = copy;
	const char *word;

	*k = (struct keys){ 0 };
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	if (!*copy)
		return 0;
	while ((word = strsep(&next, ",")) != NULL) {
		int one = key(word);

		if (one < 0 || k->n == KEYS_MAX)
			return err_set(e, EINVAL,
				       "'%s': keys are single characters and "
				       "ctrl-X, with ',' between them",
				       text);
		k->key[k->n++] = (unsigned char)one;
	}
	return 0;
}

bool keys_feed(struct keys *k, const unsigned char *in, size_t len,
	       unsigned char *out, size_t *outlen)
{
	size_t to = 0;

	*outlen = 0;
	for (size_t i = 0; i < len; i++) {
		if (k->n > 0 && in[i] == k->key[k->matched]) {
			if (++k->matched < k->n)
				continue;
			k->matched = 0;
			*outlen = to;
			return true;
		}
		/* It was not meant, but may begin here again. */
		memcpy(out + to, k->key, (size_t)k->matched);
		to += (size_t)k->matched;
		k->matched = 0;
		if (k->n > 0 && in[i] == k->key[0])
			k->matched = 1;
		else
			out[to++] = in[i];
	}
	*outlen = to;
	return false;
}
