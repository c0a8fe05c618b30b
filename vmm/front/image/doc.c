/* SPDX-License-Identifier: Apache-2.0 */
#include "image/doc.h"

#include "base/auto.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An upper bound of the values in it: what is within strings counts too. */
static size_t count_values(const char *text, size_t len)
{
	size_t n = 1;

	for (size_t i = 0; i < len; i++)
		n += text[i] == ',' || text[i] == '[' || text[i] == '{';
	return n;
}

json_t *doc_text_any(const char *text, size_t len, const char *what,
		     struct err *e)
{
	json_error_t why;
	json_t *v;

	if (len > DOC_TEXT_MAX) {
		err_set(e, EFBIG, "%s: larger than %u MiB", what,
			DOC_TEXT_MAX >> 20);
		return NULL;
	}
	if (count_values(text, len) > DOC_VALUES_MAX) {
		err_set(e, EFBIG, "%s: more than %u values", what,
			DOC_VALUES_MAX);
		return NULL;
	}
	v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
	if (!v)
		err_set(e, EBADMSG, "%s is no JSON: %.120s (line %d)", what,
			why.text, why.line);
	return v;
}

json_t *doc_text(const char *text, size_t len, const char *what, struct err *e)
{
	json_t *v = doc_text_any(text, len, what, e);

	if (v && !json_is_object(v)) {
		json_decref(v);
		err_set(e, EBADMSG, "%s is no JSON object", what);
		return NULL;
	}
	return v;
}

static json_t *field(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return json_is_null(v) ? NULL : v;
}

static int wrong(const char *key, const char *type, struct err *e)
{
	return err_set(e, EBADMSG, "%s is not %s", key, type);
}

int doc_str(json_t *o, const char *key, const char **out, struct err *e)
{
	json_t *v = field(o, key);

	if (!v)
		return 0;
	if (!json_is_string(v))
		return wrong(key, "a string", e);
	*out = json_string_value(v);
	return 1;
}

int doc_copy(json_t *o, const char *key, char *out, size_t size, struct err *e)
{
	const char *text = "";

	if (doc_str(o, key, &text, e) < 0)
		return -e->code;
	if (strlen(text) >= size)
		return err_set(e, EBADMSG, "%s is too long", key);
	snprintf(out, size, "%s", text);
	return 0;
}

int doc_u64(json_t *o, const char *key, uint64_t *out, struct err *e)
{
	json_t *v = field(o, key);

	if (!v)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return wrong(key, "a positive number", e);
	*out = (uint64_t)json_integer_value(v);
	return 1;
}

int doc_bool(json_t *o, const char *key, bool *out, struct err *e)
{
	json_t *v = field(o, key);

	if (!v)
		return 0;
	if (!json_is_boolean(v))
		return wrong(key, "true or false", e);
	*out = json_is_true(v);
	return 1;
}

int doc_object(json_t *o, const char *key, json_t **out, struct err *e)
{
	json_t *v = field(o, key);

	if (!v)
		return 0;
	if (!json_is_object(v))
		return wrong(key, "an object", e);
	*out = v;
	return 1;
}

int doc_array(json_t *o, const char *key, json_t **out, struct err *e)
{
	json_t *v = field(o, key);

	if (!v)
		return 0;
	if (!json_is_array(v))
		return wrong(key, "a list", e);
	*out = v;
	return 1;
}

int doc_strs(json_t *o, const char *key, const char ***out, size_t *n,
	     struct err *e)
{
	autofree const char **list = NULL;
	json_t *a = NULL, *v;
	size_t i;
	int r = doc_array(o, key, &a, e);

	if (r <= 0)
		return r;
	list = calloc(json_array_size(a) + 1, sizeof(*list));
	if (!list)
		return err_set(e, ENOMEM, "out of memory");
	json_array_foreach(a, i, v)
	{
		if (!json_is_string(v))
			return wrong(key, "a list of strings", e);
		list[i] = json_string_value(v);
	}
	*n = json_array_size(a);
	*out = take_ptr(&list);
	return 1;
}
