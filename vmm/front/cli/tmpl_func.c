/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of templates. */
#include "base/auto.h"
#include "cli/tmpl_priv.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define ANY (TMPL_ARGS_MAX + 1)

static json_t *call_not(struct run *r, json_t **argv, unsigned argc)
{
	(void)r;
	(void)argc;
	return json_boolean(!value_true(argv[0]));
}

static json_t *call_len(struct run *r, json_t **argv, unsigned argc)
{
	json_t *v = argv[0];
	size_t n;

	(void)argc;
	if (json_is_string(v))
		n = json_string_length(v);
	else if (json_is_array(v))
		n = json_array_size(v);
	else if (json_is_object(v))
		n = json_object_size(v);
	else
		return run_why(r, "len of type %s", value_type(v));
	return run_keep(r, json_integer((json_int_t)n), 0);
}

/* One key of index. What a map lacks is an empty string. */
static json_t *index_one(struct run *r, json_t *v, json_t *key)
{
	json_int_t i = json_integer_value(key);
	json_t *found;

	if (json_is_null(v))
		return run_why(r, "index of untyped nil");
	if (json_is_object(v)) {
		if (!json_is_string(key))
			return run_why(r, "value has type %s; should be string",
				       value_type(key));
		found = json_object_getn(v, json_string_value(key),
					 json_string_length(key));
		return found ? found : run_text(r, "", 0);
	}
	if (!json_is_array(v) && !json_is_string(v))
		return run_why(r, "can't index item of type %s", value_type(v));
	if (!json_is_integer(key))
		return run_why(r, "cannot index slice/array with type %s",
			       value_type(key));
	if (i < 0 || (size_t)i >= (json_is_array(v) ? json_array_size(v)
						    : json_string_length(v)))
		return run_why(r, "index out of range: %lld", (long long)i);
	if (json_is_array(v))
		return json_array_get(v, (size_t)i);
	return run_keep(
		r, json_integer((uint8_t)json_string_value(v)[(size_t)i]), 0);
}

static json_t *call_index(struct run *r, json_t **argv, unsigned argc)
{
	json_t *v = argv[0];

	for (unsigned i = 1; i < argc && v; i++)
		v = index_one(r, v, argv[i]);
	return v;
}

static json_t *slice_array(struct run *r, json_t *v, size_t from, size_t to)
{
	json_t *out = json_array();

	for (size_t i = from; out && i < to; i++)
		json_array_append(out, json_array_get(v, i));
	return run_keep(r, out, (to - from) * sizeof(void *));
}

static json_t *call_slice(struct run *r, json_t **argv, unsigned argc)
{
	json_t *v = argv[0];
	size_t at[2] = { 0, json_is_array(v) ? json_array_size(v)
					     : json_string_length(v) };
	size_t size = at[1];

	if (!json_is_array(v) && !json_is_string(v))
		return run_why(r, "can't slice item of type %s", value_type(v));
	for (unsigned i = 1; i < argc; i++) {
		json_int_t n = json_integer_value(argv[i]);

		if (!json_is_integer(argv[i]) || n < 0 || (size_t)n > size)
			return run_why(r, "index out of range: %lld",
				       (long long)n);
		at[i - 1] = (size_t)n;
	}
	if (at[0] > at[1])
		return run_why(r, "invalid slice index: %zu > %zu", at[0],
			       at[1]);
	if (json_is_array(v))
		return slice_array(r, v, at[0], at[1]);
	return run_text(r, json_string_value(v) + at[0], at[1] - at[0]);
}

/* ---- text made of values ---- */

/* Closes what a function wrote, and keeps it as a value. */
static json_t *written(struct run *r, FILE *f, char **text, const size_t *len)
{
	json_t *v;

	if (fclose(f) != 0 || !*text)
		v = run_why(r, "out of memory");
	else
		v = run_text(r, *text, *len);
	free(*text);
	return v;
}

static json_t *printed(struct run *r, json_t **argv, unsigned argc, bool line)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return run_why(r, "out of memory");
	fmt_print(f, argv, argc, line);
	return written(r, f, &text, &len);
}

static json_t *call_print(struct run *r, json_t **argv, unsigned argc)
{
	return printed(r, argv, argc, false);
}

static json_t *call_println(struct run *r, json_t **argv, unsigned argc)
{
	return printed(r, argv, argc, true);
}

static json_t *call_printf(struct run *r, json_t **argv, unsigned argc)
{
	struct span format = { json_string_value(argv[0]),
			       json_string_length(argv[0]) };
	char *text = NULL;
	size_t len;
	FILE *f;

	if (!format.s)
		return run_why(r, "the format is no string");
	f = open_memstream(&text, &len);
	if (!f)
		return run_why(r, "out of memory");
	fmt_printf(f, format, argv + 1, argc - 1);
	return written(r, f, &text, &len);
}

static json_t *call_json(struct run *r, json_t **argv, unsigned argc)
{
	autofree char *text =
		json_dumps(argv[0], JSON_COMPACT | JSON_ENCODE_ANY |
					    JSON_REAL_PRECISION(15));

	(void)argc;
	if (!text)
		return run_why(r, "not valid UTF-8");
	return run_text(r, text, strlen(text));
}

/* ---- comparing ---- */

enum cmp_kind { CMP_NONE, CMP_NIL, CMP_BOOL, CMP_NUMBER, CMP_TEXT };

static enum cmp_kind cmp_kind(json_t *v)
{
	if (json_is_null(v))
		return CMP_NIL;
	if (json_is_boolean(v))
		return CMP_BOOL;
	if (json_is_number(v))
		return CMP_NUMBER;
	return json_is_string(v) ? CMP_TEXT : CMP_NONE;
}

static int compare_numbers(json_t *a, json_t *b)
{
	double x = json_number_value(a), y = json_number_value(b);
	json_int_t i = json_integer_value(a), j = json_integer_value(b);

	if (json_is_integer(a) && json_is_integer(b))
		return (i > j) - (i < j);
	return (x > y) - (x < y);
}

static int compare_text(json_t *a, json_t *b)
{
	size_t la = json_string_length(a), lb = json_string_length(b);
	int c = memcmp(json_string_value(a), json_string_value(b), MIN(la, lb));

	return c ? c : (la > lb) - (la < lb);
}

/* Of *order the sign counts. NULL when they cannot be compared. */
static json_t *compare(struct run *r, json_t *a, json_t *b, int *order)
{
	enum cmp_kind kind = cmp_kind(a);

	if (kind == CMP_NONE || cmp_kind(b) == CMP_NONE)
		return run_why(r, "uncomparable type %s",
			       value_type(kind == CMP_NONE ? a : b));
	if (kind == CMP_NIL || cmp_kind(b) == CMP_NIL)
		*order = kind != cmp_kind(b);
	else if (kind != cmp_kind(b))
		return run_why(r, "incompatible types for comparison");
	else if (kind == CMP_NUMBER)
		*order = compare_numbers(a, b);
	else if (kind == CMP_TEXT)
		*order = compare_text(a, b);
	else
		*order = json_is_true(a) - json_is_true(b);
	return a;
}

/* Whether any of the others equals the first. */
static json_t *call_eq(struct run *r, json_t **argv, unsigned argc)
{
	for (unsigned i = 1; i < argc; i++) {
		int order = 0;

		if (!compare(r, argv[0], argv[i], &order))
			return NULL;
		if (order == 0)
			return json_true();
	}
	return json_false();
}

static json_t *call_ne(struct run *r, json_t **argv, unsigned argc)
{
	json_t *v = call_eq(r, argv, argc);

	return v ? json_boolean(!json_is_true(v)) : NULL;
}

/* a < b, or with equal also a <= b. */
static json_t *less(struct run *r, json_t *a, json_t *b, bool equal)
{
	enum cmp_kind kind = cmp_kind(a);
	int order = 0;

	if (kind != CMP_NUMBER && kind != CMP_TEXT)
		return run_why(r, "invalid type for comparison");
	if (!compare(r, a, b, &order))
		return NULL;
	return json_boolean(order < 0 || (equal && order == 0));
}

static json_t *call_lt(struct run *r, json_t **argv, unsigned argc)
{
	(void)argc;
	return less(r, argv[0], argv[1], false);
}

static json_t *call_le(struct run *r, json_t **argv, unsigned argc)
{
	(void)argc;
	return less(r, argv[0], argv[1], true);
}

static json_t *call_gt(struct run *r, json_t **argv, unsigned argc)
{
	(void)argc;
	return less(r, argv[1], argv[0], false);
}

static json_t *call_ge(struct run *r, json_t **argv, unsigned argc)
{
	(void)argc;
	return less(r, argv[1], argv[0], true);
}

/* ---- docker's ---- */

/* The text of an argument; NULL with the reason. */
static const char *text_of(struct run *r, json_t *v)
{
	if (!json_is_string(v))
		run_why(r, "wrong type for value; expected string; got %s",
			value_type(v));
	return json_string_value(v);
}

static json_t *call_join(struct run *r, json_t **argv, unsigned argc)
{
	const char *sep = text_of(r, argv[1]);
	char *text = NULL;
	size_t len;
	FILE *f;

	(void)argc;
	if (!sep)
		return NULL;
	if (!json_is_array(argv[0]) && !json_is_null(argv[0]))
		return run_why(r,
			       "wrong type for value; expected []string; "
			       "got %s",
			       value_type(argv[0]));
	f = open_memstream(&text, &len);
	if (!f)
		return run_why(r, "out of memory");
	for (size_t i = 0; i < json_array_size(argv[0]); i++) {
		fputs(i ? sep : "", f);
		fmt_value(f, json_array_get(argv[0], i));
		if (ftell(f) > (long)TMPL_MADE_MAX)
			break;
	}
	return written(r, f, &text, &len);
}

/* Bytes of the character at s, of which there are len. */
static size_t char_len(const char *s, size_t len)
{
	size_t n = 1;

	while (n < len && n < 4 && ((uint8_t)s[n] & 0xc0) == 0x80)
		n++;
	return n;
}

static json_t *call_split(struct run *r, json_t **argv, unsigned argc)
{
	const char *s = text_of(r, argv[0]), *sep, *end;
	json_t *out, *piece;

	(void)argc;
	if (!s || !(sep = text_of(r, argv[1])))
		return NULL;
	out = run_keep(r, json_array(), 0);
	for (; out; s = end + strlen(sep)) {
		size_t left = strlen(s);

		end = *sep ? strstr(s, sep) : s + char_len(s, left);
		if (!*sep && !left)
			break;
		if (!end)
			end = s + left;
		piece = run_text(r, s, (size_t)(end - s));
		if (!piece || json_array_append(out, piece) < 0)
			return NULL;
		if (*sep && !*end)
			break;
	}
	return out;
}

/* Each letter by change(); with words only the first of each. */
static json_t *changed(struct run *r, json_t *v, int (*change)(int), bool words)
{
	const char *s = text_of(r, v);
	autofree char *copy = s ? strdup(s) : NULL;
	bool start = true;

	if (!copy)
		return s ? run_why(r, "out of memory") : NULL;
	for (char *p = copy; *p; p++) {
		if ((uint8_t)*p < 0x80 && (!words || start))
			*p = (char)change(*p);
		start = !isalnum((uint8_t)*p) && *p != '_' && *p != '\'';
	}
	return run_text(r, copy, strlen(copy));
}

static json_t *call_lower(struct run *r, json_t **argv, unsigned argc)
{
	(void)argc;
	return changed(r, argv[0], tolower, false);
}

static json_t *call_upper(struct run *r, json_t **argv, unsigned argc)
{
	(void)argc;
	return changed(r, argv[0], toupper, false);
}

static json_t *call_title(struct run *r, json_t **argv, unsigned argc)
{
	(void)argc;
	return changed(r, argv[0], toupper, true);
}

/* So many blanks in front of a text and behind it, none around nothing. */
static json_t *call_pad(struct run *r, json_t **argv, unsigned argc)
{
	const char *s = text_of(r, argv[0]);
	json_int_t before = json_integer_value(argv[1]);
	json_int_t after = json_integer_value(argv[2]);
	char *text = NULL;
	size_t len;
	FILE *f;

	(void)argc;
	if (!s || !*s)
		return s ? argv[0] : NULL;
	if (before < 0 || after < 0 || before > TMPL_WIDTH_MAX ||
	    after > TMPL_WIDTH_MAX)
		return run_why(r, "a width is from 0 to %d", TMPL_WIDTH_MAX);
	f = open_memstream(&text, &len);
	if (!f)
		return run_why(r, "out of memory");
	fprintf(f, "%*s%s%*s", (int)before, "", s, (int)after, "");
	return written(r, f, &text, &len);
}

static json_t *call_truncate(struct run *r, json_t **argv, unsigned argc)
{
	const char *s = text_of(r, argv[0]);
	json_int_t max = json_integer_value(argv[1]);
	size_t len = s ? strlen(s) : 0, n = 0;

	(void)argc;
	if (!s)
		return NULL;
	if (max < 0)
		return run_why(r, "a length is not negative");
	/* No character is cut in two. */
	while (n < len && n + char_len(s + n, len - n) <= (size_t)max)
		n += char_len(s + n, len - n);
	return run_text(r, s, n);
}

static const struct func funcs[] = {
	{ .name = "and", .least = 1, .most = ANY, .lazy = true },
	{ .name = "or", .least = 1, .most = ANY, .lazy = true },
	{ .name = "not", .least = 1, .most = 1, .call = call_not },
	{ .name = "len", .least = 1, .most = 1, .call = call_len },
	{ .name = "index", .least = 1, .most = ANY, .call = call_index },
	{ .name = "slice", .least = 1, .most = 3, .call = call_slice },
	{ .name = "print", .least = 0, .most = ANY, .call = call_print },
	{ .name = "println", .least = 0, .most = ANY, .call = call_println },
	{ .name = "printf", .least = 1, .most = ANY, .call = call_printf },
	{ .name = "eq", .least = 2, .most = ANY, .call = call_eq },
	{ .name = "ne", .least = 2, .most = 2, .call = call_ne },
	{ .name = "lt", .least = 2, .most = 2, .call = call_lt },
	{ .name = "le", .least = 2, .most = 2, .call = call_le },
	{ .name = "gt", .least = 2, .most = 2, .call = call_gt },
	{ .name = "ge", .least = 2, .most = 2, .call = call_ge },
	{ .name = "json",
	  .least = 1,
	  .most = 1,
	  .plain = true,
	  .call = call_json },
	{ .name = "join",
	  .least = 2,
	  .most = 2,
	  .plain = true,
	  .call = call_join },
	{ .name = "split",
	  .least = 2,
	  .most = 2,
	  .plain = true,
	  .call = call_split },
	{ .name = "lower",
	  .least = 1,
	  .most = 1,
	  .plain = true,
	  .call = call_lower },
	{ .name = "upper",
	  .least = 1,
	  .most = 1,
	  .plain = true,
	  .call = call_upper },
	{ .name = "title",
	  .least = 1,
	  .most = 1,
	  .plain = true,
	  .call = call_title },
	{ .name = "pad",
	  .least = 3,
	  .most = 3,
	  .plain = true,
	  .call = call_pad },
	{ .name = "truncate",
	  .least = 2,
	  .most = 2,
	  .plain = true,
	  .call = call_truncate },
};

const struct func *func_find(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(funcs); i++)
		if (span_is(name, funcs[i].name))
			return &funcs[i];
	return NULL;
}
