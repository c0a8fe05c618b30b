/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - text of others on a terminal (RFC 3629).
 *
 * A terminal acts on control characters: those below the blank, DEL, and U+0080
 * to U+009F, which many take as bytes of their own too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the character that a text begins with; 0 when that is none. The end
 * of the text is a character of one byte. */
size_t utf8_len(const char *s);
/* Whether a character of len bytes is a control character. */
bool utf8_is_control(const char *s, size_t len);
/* Each byte of a control character, and each that belongs to no character,
 * becomes '?'. */
void utf8_clean(char *text);
