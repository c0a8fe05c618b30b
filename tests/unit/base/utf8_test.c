/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void becomes(const char *text, const char *want)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	utf8_clean(copy);
	assert_string_equal(copy, want);
}

static void what_people_read_stays(void **state)
{
	(void)state;
	becomes("", "");
	becomes("a b~", "a b~");
	becomes("Gr\xc3\xbc\xc3\x9f", "Gr\xc3\xbc\xc3\x9f");
	becomes("\xc2\xa0", "\xc2\xa0");
	becomes("\xe0\xa0\x80\xed\x9f\xbf", "\xe0\xa0\x80\xed\x9f\xbf");
	becomes("\xf0\x9f\x90\xa7\xf4\x8f\xbf\xbf",
		"\xf0\x9f\x90\xa7\xf4\x8f\xbf\xbf");
}

static void controls_go(void **state)
{
	(void)state;
	becomes("a\x1b[31m\n\x7f", "a?[31m??");
	/* CSI as a character, and as a byte. */
	becomes("\xc2\x9b"
		"31m",
		"??31m");
	becomes("\x9b"
		"31m",
		"?31m");
	becomes("\xc2\x80\xc2\x9f", "????");
	/* Behind a character, not of it. */
	becomes("\xc3\xa9\x9b", "\xc3\xa9?");
}

static void what_is_no_character_goes(void **state)
{
	(void)state;
	becomes("\xff\xfe", "??");
	becomes("\xc0\x9b\xc1\xbf", "????");	/* too long */
	becomes("\xe0\x82\x9b", "???");		/* too long */
	becomes("\xed\xa0\x80", "???");		/* half of a pair */
	becomes("\xf4\x90\x80\x80", "????");	/* past the last */
	becomes("\xe2\x9b", "??");		/* cut */
	becomes("\xf0\x9f\x90", "???");		/* cut */
	becomes("\xe2\x28\xa1x", "?(?x");
}

/* No text of two or three bytes leaves a byte that a terminal acts on. */
static void nothing_is_left(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 1u << 24; v += 3) {
		char t[] = { (char)(v >> 16), (char)(v >> 8), (char)v, '\0' };

		utf8_clean(t);
		for (char *p = t; *p; p += utf8_len(p)) {
			size_t n = utf8_len(p);

			if (n == 0 || utf8_is_control(p, n))
				fail_msg("%06x", v);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_people_read_stays),
		cmocka_unit_test(controls_go),
		cmocka_unit_test(what_is_no_character_goes),
		cmocka_unit_test(nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
