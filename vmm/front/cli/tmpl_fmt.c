/* SPDX-License-Identifier: Apache-2.0 */
/* Values as Go prints them. */
#include "base/auto.h"
#include "cli/human.h"
#include "cli/tmpl_priv.h"

#include <stdint.h>
#include <string.h>

#define NESTED_MAX 64

bool value_true(json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_STRING:
		return json_string_length(v) > 0;
	case JSON_ARRAY:
		return json_array_size(v) > 0;
	case JSON_OBJECT:
		return json_object_size(v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v) != 0;
	case JSON_REAL:
		return json_real_value(v) < 0 || json_real_value(v) > 0;
	case JSON_TRUE:
		return true;
	default:
		return false;
	}
}

const char *value_type(json_t *v)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "map",	  [JSON_ARRAY] = "slice",
		[JSON_STRING] = "string", [JSON_INTEGER] = "int",
		[JSON_REAL] = "float64",  [JSON_TRUE] = "bool",
		[JSON_FALSE] = "bool",	  [JSON_NULL] = "nil",
	};

	return names[json_typeof(v)];
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **value_keys(json_t *object, size_t *count)
{
	const char **keys, *key;
	json_t *v;

	*count = 0;
	keys = calloc(json_object_size(object) + 1, sizeof(*keys));
	if (!keys)
		return NULL;
	json_object_foreach(object, key, v) keys[(*count)++] = key;
	qsort(keys, *count, sizeof(*keys), by_name);
	return keys;
}

/* The fewest digits that read back as the same number, with an exponent below
 * 1e-4 and from 1e6 on. */
void fmt_real(FILE *f, double d)
{
	char text[40], *e;
	int digits = 1;
	long exponent;

	for (; digits < 17; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, d);
		if (strtod(text, NULL) == d)
			break;
	}
	snprintf(text, sizeof(text), "%.*e", digits - 1, d);
	e = strchr(text, 'e');
	exponent = e ? strtol(e + 1, NULL, 10) : 0;
	if (!e || exponent < -4 || exponent >= 6)
		fputs(text, f);
	else
		fprintf(f, "%.*f", (int)MAX(digits - 1 - exponent, 0), d);
}

static void fmt_nested(FILE *f, json_t *v, unsigned depth);

static void fmt_object(FILE *f, json_t *v, unsigned depth)
{
	size_t count;
	autofree const char **keys = value_keys(v, &count);

	fputs("map[", f);
	for (size_t i = 0; keys && i < count; i++) {
		fprintf(f, "%s%s:", i ? " " : "", keys[i]);
		fmt_nested(f, json_object_get(v, keys[i]), depth + 1);
	}
	fputc(']', f);
}

static void fmt_array(FILE *f, json_t *v, unsigned depth)
{
	fputc('[', f);
	for (size_t i = 0; i < json_array_size(v); i++) {
		fputs(i ? " " : "", f);
		fmt_nested(f, json_array_get(v, i), depth + 1);
	}
	fputc(']', f);
}

static void fmt_nested(FILE *f, json_t *v, unsigned depth)
{
	if (depth > NESTED_MAX) {
		fputs("...", f);
		return;
	}
	switch (json_typeof(v)) {
	case JSON_STRING:
		fwrite(json_string_value(v), 1, json_string_length(v), f);
		break;
	case JSON_ARRAY:
		fmt_array(f, v, depth);
		break;
	case JSON_OBJECT:
		fmt_object(f, v, depth);
		break;
	case JSON_INTEGER:
		fprintf(f, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_REAL:
		fmt_real(f, json_real_value(v));
		break;
	case JSON_NULL:
		fputs("<nil>", f);
		break;
	default:
		fputs(json_is_true(v) ? "true" : "false", f);
	}
}

void fmt_value(FILE *f, json_t *v)
{
	fmt_nested(f, v, 0);
}

void fmt_print(FILE *f, json_t **argv, unsigned argc, bool line)
{
	for (unsigned i = 0; i < argc && ftell(f) <= (long)TMPL_MADE_MAX; i++) {
		/* print puts blanks only between what is no text. */
		if (i && (line || (!json_is_string(argv[i]) &&
				   !json_is_string(argv[i - 1]))))
			fputc(' ', f);
		fmt_value(f, argv[i]);
	}
	if (line)
		fputc('\n', f);
}

/* ---- printf ---- */

struct verb {
	bool left, zero, plus;
	int width, precision; /* precision -1: none */
	char letter;
};

/* Behind a '%'. Returns what follows the verb. */
static const char *verb_parse(const char *s, const char *end, struct verb *v)
{
	*v = (struct verb){ .precision = -1 };
	for (; s < end && *s && strchr("-+# 0", *s); s++) {
		v->left |= *s == '-';
		v->zero |= *s == '0';
		v->plus |= *s == '+';
	}
	for (; s < end && *s >= '0' && *s <= '9'; s++)
		v->width = MIN(v->width * 10 + (*s - '0'), TMPL_WIDTH_MAX);
	if (s < end && *s == '.') {
		v->precision = 0;
		for (s++; s < end && *s >= '0' && *s <= '9'; s++)
			v->precision = MIN(v->precision * 10 + (*s - '0'), 100);
	}
	if (s < end)
		v->letter = *s++;
	return s;
}

static void put_padded(FILE *f, const struct verb *v, const char *s, size_t len)
{
	size_t width = human_width(s, len);
	int blanks = (size_t)v->width > width ? v->width - (int)width : 0;
	bool zero = v->zero && !v->left && v->letter != 's';

	if (zero && len && (*s == '-' || *s == '+')) {
		fputc(*s++, f);
		len--;
	}
	for (int i = 0; !v->left && i < blanks; i++)
		fputc(zero ? '0' : ' ', f);
	fwrite(s, 1, len, f);
	for (int i = 0; v->left && i < blanks; i++)
		fputc(' ', f);
}

static bool put_number(FILE *f, const struct verb *v, json_t *arg)
{
	long long n = json_integer_value(arg);

	if (strchr("feEgG", v->letter) && json_is_number(arg)) {
		char format[8] = { '%', '.', '*', v->letter, '\0' };
		double d = json_number_value(arg);

		if (v->precision < 0 && strchr("gG", v->letter)) {
			fmt_real(f, d);
			return true;
		}
		_Pragma("GCC diagnostic push") _Pragma(
			"GCC diagnostic ignored \"-Wformat-nonliteral\"")
			fprintf(f, format, v->precision < 0 ? 6 : v->precision,
				d);
		_Pragma("GCC diagnostic pop") return true;
	}
	if (!json_is_integer(arg))
		return false;
	if (v->letter == 'd')
		fprintf(f, v->plus ? "%+lld" : "%lld", n);
	else if (v->letter == 'x' || v->letter == 'X')
		fprintf(f, v->letter == 'x' ? "%s%llx" : "%s%llX",
			n < 0 ? "-" : "",
			n < 0 ? 0ull - (uint64_t)n : (uint64_t)n);
	else if (v->letter == 'o')
		fprintf(f, "%s%llo", n < 0 ? "-" : "",
			n < 0 ? 0ull - (uint64_t)n : (uint64_t)n);
	else
		return false;
	return true;
}

static bool put_text(FILE *f, const struct verb *v, json_t *arg)
{
	const char *s = json_string_value(arg);
	autofree char *quoted = NULL;

	if (v->letter == 'x') {
		for (; *s; s++)
			fprintf(f, "%02x", (uint8_t)*s);
		return true;
	}
	if (v->letter != 'q')
		return false;
	quoted = human_quote(s);
	fputs(quoted ? quoted : "", f);
	return true;
}

/* Unpadded. */
static void put_arg(FILE *f, const struct verb *v, json_t *arg)
{
	bool fits;

	if (v->letter == 'v' || (v->letter == 's' && !json_is_number(arg) &&
				 !json_is_boolean(arg) && !json_is_null(arg)))
		return fmt_value(f, arg);
	if (json_is_string(arg))
		fits = put_text(f, v, arg);
	else if (json_is_boolean(arg))
		fits = v->letter == 't' &&
		       fputs(json_is_true(arg) ? "true" : "false", f) >= 0;
	else
		fits = put_number(f, v, arg);
	if (fits)
		return;
	fprintf(f, "%%!%c(%s=", v->letter, value_type(arg));
	fmt_value(f, arg);
	fputc(')', f);
}

/* With a precision, a text is cut at so many characters. */
static void put_verb(FILE *f, const struct verb *v, json_t *arg)
{
	autofree char *text = NULL;
	size_t len = 0, n = 0;
	FILE *piece = open_memstream(&text, &len);

	if (!piece)
		return;
	put_arg(piece, v, arg);
	if (fclose(piece) != 0)
		return;
	if (v->precision >= 0 && v->letter == 's') {
		while (n < len &&
		       human_width(text, n + 1) <= (size_t)v->precision)
			n++;
		len = n;
	}
	put_padded(f, v, text, len);
}

static void put_extra(FILE *f, json_t **argv, unsigned argc)
{
	if (argc == 0)
		return;
	fputs("%!(EXTRA ", f);
	for (unsigned i = 0; i < argc && ftell(f) <= (long)TMPL_MADE_MAX; i++) {
		fprintf(f, "%s%s=", i ? ", " : "", value_type(argv[i]));
		fmt_value(f, argv[i]);
	}
	fputc(')', f);
}

void fmt_printf(FILE *f, struct span format, json_t **argv, unsigned argc)
{
	const char *s = format.s, *end = s + format.len;
	unsigned used = 0;
	struct verb v;

	while (s < end && ftell(f) <= (long)TMPL_MADE_MAX) {
		if (*s != '%') {
			fputc(*s++, f);
			continue;
		}
		s = verb_parse(s + 1, end, &v);
		if (!v.letter)
			fputs("%!(NOVERB)", f);
		else if (v.letter == '%')
			fputc('%', f);
		else if (used >= argc)
			fprintf(f, "%%!%c(MISSING)", v.letter);
		else
			put_verb(f, &v, argv[used++]);
	}
	put_extra(f, argv + used, argc - used);
}
