/* SPDX-License-Identifier: Apache-2.0 */
/* tmpl.h - the templates of --format: Go's text/template as docker's users
 * write it, over a JSON value.
 *
 * Known: .A.B, $x.A, ( ... ).A; pipelines; if, else if, range, with, break,
 * continue; $x := and $x =; {{- -}} and comments; and or not eq ne lt le gt ge
 * len index slice print printf println; docker's json join split lower upper
 * title pad truncate; and .Label "name" of what has Labels. Not known: define,
 * template, block, call, html, js, urlquery.
 *
 * A field that an object lacks is an error, since it is most often a typing
 * mistake. It is "<no value>" in what docker has as maps (.Config.Labels.x)
 * and for fields docker leaves out when empty (.State.Health).
 *
 * Depth, steps, output and what functions make are bounded, so that a
 * template may come from anywhere. Errors read as docker's do: "template
 * parsing error: template: :1:2: ...". */
#pragma once

#include "base/err.h"

#include <jansson.h>
#include <stdio.h>

struct tmpl;

/* NULL and the reason when the text is no template. */
struct tmpl *tmpl_new(const char *text, struct err *e);
void tmpl_free(struct tmpl *t);

/* What comes of it with value as "."; the caller frees *out. Nothing is made
 * on an error. */
int tmpl_text(const struct tmpl *t, json_t *value, char **out, struct err *e);
/* The same for the headings of a table: value has them by field, and
 * functions that change a value leave it as it is. */
int tmpl_headings(const struct tmpl *t, json_t *value, char **out,
		  struct err *e);

/* Compiles, runs, and prints with a newline behind, as inspect -f does. */
int tmpl_print(FILE *out, const char *text, json_t *value, struct err *e);
/* To standard output, each value of a list, as the inspect commands do: "json"
 * is a line for each, and no format is the list, indented. */
int tmpl_print_all(const char *format, const json_t *all, struct err *e);
