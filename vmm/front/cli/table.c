/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include "base/auto.h"
#include "cli/human.h"
#include "cli/tmpl.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define COLUMNS_MAX 64
#define GAP 3
#define LEAST 10

struct table {
	const struct table_kind *kind;
	struct tmpl *line; /* NULL: JSON */
	bool columns;
	char **rows;
	size_t count, room;
};

/* A shell hands on "\t" as two characters. The caller frees it. */
static char *unescaped(const char *s)
{
	char *out = malloc(strlen(s) + 1), *to = out;

	for (; out && *s; to++) {
		if (s[0] == '\\' && (s[1] == 't' || s[1] == 'n')) {
			*to = s[1] == 't' ? '\t' : '\n';
			s += 2;
		} else {
			*to = *s++;
		}
	}
	if (out)
		*to = '\0';
	return out;
}

/* "table {{.A}}" gives "{{.A}}". */
static const char *behind_table(const char *format)
{
	if (strncmp(format, "table", 5) != 0 ||
	    (format[5] && !strchr(" \t", format[5])))
		return NULL;
	return format + 5 + strspn(format + 5, " \t");
}

static int compile(struct table *t, const char *format, struct err *e)
{
	autofree char *text = NULL;
	const char *own;

	if (strcmp(format, "json") == 0)
		return 0;
	own = behind_table(format);
	if (own && !*own)
		own = behind_table(t->kind->layout);
	t->columns = own != NULL;
	text = unescaped(own ? own : format);
	if (!text)
		return err_set(e, ENOMEM, "out of memory");
	t->line = tmpl_new(text, e);
	return t->line ? 0 : -EINVAL;
}

struct table *table_new(const struct table_kind *kind, const char *format,
			struct err *e)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t) {
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	t->kind = kind;
	if (!format || !*format)
		format = kind->layout;
	if (compile(t, format, e) == 0)
		return t;
	table_free(t);
	return NULL;
}

static void drop_rows(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i]);
	t->count = 0;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	drop_rows(t);
	free(t->rows);
	tmpl_free(t->line);
	free(t);
}

int table_row(struct table *t, json_t *row, struct err *e)
{
	int r;

	if (t->count == t->room) {
		size_t room = t->room ? 2 * t->room : 16;
		char **more = reallocarray(t->rows, room, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "out of memory");
		t->rows = more;
		t->room = room;
	}
	if (t->line) {
		r = tmpl_text(t->line, row, &t->rows[t->count], e);
		if (r < 0)
			return r;
	} else {
		t->rows[t->count] =
			json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS |
						JSON_REAL_PRECISION(15));
		if (!t->rows[t->count])
			return err_set(e, EINVAL, "not valid UTF-8");
	}
	t->count++;
	return 0;
}

/* ---- columns ---- */

/* The last cell of a line is as wide as it is. */
static void measure(const char *s, size_t width[COLUMNS_MAX])
{
	size_t column = 0;

	while (*s) {
		size_t len = strcspn(s, "\t\n");

		if (s[len] == '\t' && column < COLUMNS_MAX) {
			width[column] =
				MAX(width[column], human_width(s, len) + GAP);
			column++;
		} else {
			column = 0;
		}
		s += len + (s[len] != '\0');
	}
}

static void put_cells(FILE *out, const char *s, const size_t width[COLUMNS_MAX])
{
	size_t column = 0;

	while (*s) {
		size_t len = strcspn(s, "\t\n");

		fwrite(s, 1, len, out);
		if (s[len] == '\t') {
			size_t wide = column < COLUMNS_MAX ? width[column] : 0;
			size_t used = human_width(s, len);

			fprintf(out, "%*s",
				wide > used ? (int)(wide - used) : 1, "");
			column++;
		} else if (s[len]) {
			fputc('\n', out);
			column = 0;
		}
		s += len + (s[len] != '\0');
	}
	fputc('\n', out);
}

/* NULL where the template makes nothing sensible of headings. */
static char *headings(const struct table *t)
{
	json_t *names = json_object();
	const struct table_column *c;
	struct err ignored;
	char *text = NULL;

	for (c = t->kind->columns; c->field; c++)
		json_object_set_new(names, c->field, json_string(c->heading));
	if (tmpl_headings(t->line, names, &text, &ignored) < 0)
		text = NULL;
	json_decref(names);
	return text;
}

static void put_columns(struct table *t, FILE *out)
{
	autofree char *head = headings(t);
	size_t width[COLUMNS_MAX];

	for (size_t i = 0; i < COLUMNS_MAX; i++)
		width[i] = LEAST;
	if (head)
		measure(head, width);
	for (size_t i = 0; i < t->count; i++)
		measure(t->rows[i], width);
	if (head)
		put_cells(out, head, width);
	for (size_t i = 0; i < t->count; i++)
		put_cells(out, t->rows[i], width);
}

int table_print(struct table *t, FILE *out, struct err *e)
{
	if (t->columns)
		put_columns(t, out);
	else
		for (size_t i = 0; i < t->count; i++)
			fprintf(out, "%s\n", t->rows[i]);
	drop_rows(t);
	if (fflush(out) != 0 || ferror(out))
		return err_sys(e, "write");
	return 0;
}
