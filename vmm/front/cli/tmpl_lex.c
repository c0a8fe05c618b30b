/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a template to tokens. */
#include "base/auto.h"
#include "cli/tmpl_priv.h"

#include <string.h>

#define SPACE " \t\r\n"
#define LETTER "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGIT "0123456789"

bool span_is(struct span a, const char *word)
{
	return a.len == strlen(word) && memcmp(a.s, word, a.len) == 0;
}

bool span_same(struct span a, struct span b)
{
	return a.len == b.len && memcmp(a.s, b.s, a.len) == 0;
}

static bool is_space(char c)
{
	return c && strchr(SPACE, c);
}

static bool looking_at(const struct lex *l, const char *word)
{
	return strncmp(l->text + l->at, word, strlen(word)) == 0;
}

static void bad(struct lex *l, struct tok *t, const char *why)
{
	t->kind = TOK_BAD;
	l->bad = why;
}

/* Behind "{{": the dash, and a comment, which is no action. Returns false
 * when the comment has no end. */
static bool begin_action(struct lex *l)
{
	const char *end;

	l->at += 2;
	if (l->text[l->at] == '-' && is_space(l->text[l->at + 1]))
		l->at += 2;
	l->inside = true;
	if (!looking_at(l, "/*"))
		return true;
	end = strstr(l->text + l->at + 2, "*/");
	if (!end)
		return false;
	l->at = (size_t)(end - l->text) + 2;
	if (is_space(l->text[l->at]) &&
	    strncmp(l->text + l->at + 1, "-}}", 3) == 0)
		l->trim = true, l->at += 4;
	else if (looking_at(l, "}}"))
		l->at += 2;
	else
		return false;
	l->inside = false;
	return true;
}

/* Up to the next action. Returns false when there is nothing. */
static bool text(struct lex *l, struct tok *t)
{
	const char *s = l->text + l->at, *end = strstr(s, "{{");
	size_t len = end ? (size_t)(end - s) : l->len - l->at;

	*t = (struct tok){ .kind = TOK_TEXT, .at = l->at, .len = len };
	l->at += len;
	if (l->trim)
		while (t->len && is_space(l->text[t->at]))
			t->at++, t->len--;
	l->trim = false;
	if (end && end[2] == '-' && is_space(end[3]))
		while (t->len && is_space(l->text[t->at + t->len - 1]))
			t->len--;
	if (end && !begin_action(l))
		bad(l, t, "unclosed comment");
	return t->len > 0 || t->kind == TOK_BAD;
}

static void quoted(struct lex *l, struct tok *t)
{
	char quote = l->text[l->at];
	size_t i = l->at + 1;

	while (l->text[i] && l->text[i] != quote) {
		if (quote == '"' && l->text[i] == '\n')
			break;
		if (quote == '"' && l->text[i] == '\\' && l->text[i + 1])
			i++;
		i++;
	}
	if (l->text[i] != quote) {
		bad(l, t,
		    quote == '"' ? "unterminated quoted string"
				 : "unterminated raw quoted string");
		return;
	}
	t->kind = TOK_STRING;
	t->len = i + 1 - l->at;
}

static void named(struct lex *l, struct tok *t, enum tok_kind kind,
		  size_t prefix)
{
	t->kind = kind;
	t->len = prefix + strspn(l->text + l->at + prefix, LETTER DIGIT);
}

static bool number(const struct lex *l, struct tok *t)
{
	const char *s = l->text + l->at;
	size_t sign = strchr("+-", *s) != NULL;

	if (!s[sign] || !strchr(DIGIT, s[sign + (s[sign] == '.')]) ||
	    !s[sign + (s[sign] == '.')])
		return false;
	t->kind = TOK_NUMBER;
	t->len = sign + strspn(s + sign, LETTER DIGIT ".");
	/* 1e-5 */
	if (strchr("eE", s[t->len - 1]) && strchr("+-", s[t->len]) &&
	    s[t->len] && s[sign + 1] != 'x')
		t->len += 1 + strspn(s + t->len + 1, DIGIT);
	return true;
}

static void mark(struct lex *l, struct tok *t)
{
	static const struct {
		const char *mark;
		enum tok_kind kind;
	} marks[] = {
		{ "|", TOK_PIPE },     { "(", TOK_OPEN },   { ")", TOK_SHUT },
		{ ":=", TOK_DECLARE }, { "=", TOK_ASSIGN }, { ",", TOK_COMMA },
	};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (looking_at(l, marks[i].mark)) {
			t->kind = marks[i].kind;
			t->len = strlen(marks[i].mark);
			return;
		}
	bad(l, t, "unexpected character in action");
}

static void in_action(struct lex *l, struct tok *t)
{
	const char *s = l->text + l->at;

	if (*s == '"' || *s == '`')
		quoted(l, t);
	else if (*s == '$')
		named(l, t, TOK_VAR, 1);
	else if (strchr(LETTER, *s))
		named(l, t, TOK_WORD, 0);
	else if (number(l, t))
		;
	else if (*s == '.' && s[1] && strchr(LETTER, s[1]))
		named(l, t, TOK_FIELD, 1);
	else if (*s == '.')
		t->kind = TOK_DOT, t->len = 1;
	else
		mark(l, t);
	l->at += t->len;
}

void lex_next(struct lex *l, struct tok *t)
{
	size_t spaces;

	while (!l->inside && l->at < l->len)
		if (text(l, t))
			return;
	*t = (struct tok){ .kind = TOK_END, .at = l->at };
	if (!l->inside)
		return;
	spaces = strspn(l->text + l->at, SPACE);
	l->at += spaces;
	t->at = l->at;
	t->spaced = spaces > 0;
	if (l->at >= l->len) {
		bad(l, t, "unclosed action");
		return;
	}
	l->trim = spaces && looking_at(l, "-}}");
	if (!l->trim && !looking_at(l, "}}")) {
		in_action(l, t);
		return;
	}
	t->kind = TOK_CLOSE;
	t->len = l->trim ? 3 : 2;
	l->at += t->len;
	l->inside = false;
}

/* Hexadecimal or octal digits at *s as a number; -1 when they are none. */
static long digits(const char **s, size_t count, int base)
{
	char copy[9], *end;
	long n;

	for (size_t i = 0; i < count; i++)
		if (!(*s)[i])
			return -1;
	memcpy(copy, *s, count);
	copy[count] = '\0';
	if (strspn(copy, base == 8 ? "01234567" : DIGIT "abcdefABCDEF") !=
	    count)
		return -1;
	n = strtol(copy, &end, base);
	*s += count;
	return n;
}

static size_t utf8(char *out, unsigned long c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* The escape behind a backslash at *s. Returns bytes written, 0: none. */
static size_t escape(const char **s, char *out)
{
	static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
	const char *simple = strchr(from, **s);
	long c;

	if (simple) {
		*out = to[simple - from];
		++*s;
		return 1;
	}
	if (**s == 'u' || **s == 'U') {
		size_t n = **s == 'u' ? 4 : 8;

		++*s;
		c = digits(s, n, 16);
		if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
			return 0;
		return utf8(out, (unsigned long)c);
	}
	if (**s == 'x') {
		++*s;
		c = digits(s, 2, 16);
	} else {
		c = digits(s, 3, 8);
	}
	*out = (char)c;
	return c >= 0 && c < 256;
}

json_t *lex_unquote(struct span q)
{
	autofree char *out = malloc(q.len);
	const char *s = q.s + 1, *end = q.s + q.len - 1;
	size_t n = 0;

	if (!out)
		return NULL;
	if (*q.s == '`')
		return json_stringn_nocheck(s, q.len - 2);
	while (s < end) {
		size_t got;

		if (*s != '\\') {
			out[n++] = *s++;
			continue;
		}
		s++;
		got = escape(&s, out + n);
		/* Never longer than what it is written as. */
		if (!got || s > end)
			return NULL;
		n += got;
	}
	return json_stringn_nocheck(out, n);
}
