/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - what lists print: columns, or one line by --format for each row.
 *
 *   none, "table"    the layout of the command
 *   "table {{...}}"  columns of one's own, parted by \t, with headings
 *   "json"           one JSON object a line, fields sorted
 *   other            the template, a line for each row
 *
 * Columns are docker's: three blanks between them, none below ten wide. A row
 * is an object with a string for each column there is, shown or not. Rows are
 * kept until table_print(), so that nothing is printed when one fails. */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdio.h>

struct table_column {
	const char *field, *heading; /* "ID", "BOX ID" */
};

struct table_kind {
	const struct table_column *columns; /* all; field NULL ends them */
	const char *layout;		    /* "table {{.ID}}\t{{.Names}}" */
};

struct table;

/* format: of the user, may be NULL. A bad one is refused here. */
struct table *table_new(const struct table_kind *kind, const char *format,
			struct err *e);
void table_free(struct table *t);
/* row is borrowed. */
int table_row(struct table *t, json_t *row, struct err *e);
/* Headings and the rows since the last call. */
int table_print(struct table *t, FILE *out, struct err *e);
