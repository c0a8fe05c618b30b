/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

/* What may come first, how long it is then, and what may come second: longer
 * forms than needed, halves of pairs and what is past U+10FFFF are none. */
static const struct {
	uint8_t first, last, len, low, high;
} forms[] = {
	{ 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf }, { 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};

size_t utf8_len(const char *s)
{
	const uint8_t *b = (const uint8_t *)s;
	size_t form = 0, n = 2;

	while (form < sizeof(forms) / sizeof(*forms) &&
	       (b[0] < forms[form].first || b[0] > forms[form].last))
		form++;
	if (form == sizeof(forms) / sizeof(*forms))
		return 0;
	if (forms[form].len == 1)
		return 1;
	if (b[1] < forms[form].low || b[1] > forms[form].high)
		return 0;
	while (n < forms[form].len && (b[n] & 0xc0) == 0x80)
		n++;
	return n == forms[form].len ? n : 0;
}

bool utf8_is_control(const char *s, size_t len)
{
	const uint8_t *b = (const uint8_t *)s;

	if (len == 1)
		return b[0] < 0x20 || b[0] == 0x7f;
	return len == 2 && b[0] == 0xc2 && b[1] < 0xa0;
}

void utf8_clean(char *text)
{
	while (*text) {
		size_t n = utf8_len(text);

		if (n == 0 || utf8_is_control(text, n)) {
			n = n ? n : 1;
			memset(text, '?', n);
		}
		text += n;
	}
}
