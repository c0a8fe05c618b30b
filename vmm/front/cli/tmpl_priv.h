/* SPDX-License-Identifier: Apache-2.0 */
/* tmpl_priv.h - what the files of tmpl share.
 *
 *   text --tmpl_lex--> tokens --tmpl_parse--> nodes --tmpl_run--> text
 *                                                   tmpl_func, tmpl_fmt
 *
 * Nodes point into the template's text and belong to it. While it runs,
 * values are borrowed: those of the input, those of the nodes, and those that
 * functions made, which struct run keeps until its end. */
#pragma once

#include "cli/tmpl.h"

#include <stdbool.h>
#include <stddef.h>

#define TMPL_TEXT_MAX  (64u << 10)
#define TMPL_NODES_MAX 20000
#define TMPL_DEPTH_MAX 48
#define TMPL_VARS_MAX  64
#define TMPL_ARGS_MAX  32
#define TMPL_STEPS_MAX 1000000
#define TMPL_OUT_MAX   (64u << 20)
#define TMPL_MADE_MAX  (16u << 20) /* bytes made by functions */
#define TMPL_WIDTH_MAX 4096	   /* pad, printf */

struct span {
	const char *s;
	size_t len;
};

bool span_is(struct span a, const char *word);
bool span_same(struct span a, struct span b);

/* ---- tokens ---- */

enum tok_kind {
	TOK_END,
	TOK_BAD, /* lex.bad says why */
	TOK_TEXT,
	TOK_CLOSE, /* }} */
	TOK_DOT,
	TOK_FIELD, /* .name */
	TOK_VAR,   /* $ and $name */
	TOK_WORD,
	TOK_NUMBER,
	TOK_STRING, /* with its quotes */
	TOK_PIPE,
	TOK_OPEN,
	TOK_SHUT,
	TOK_DECLARE, /* := */
	TOK_ASSIGN,  /* = */
	TOK_COMMA,
};

struct tok {
	enum tok_kind kind;
	bool spaced; /* white space in front */
	size_t at, len;
};

/* Copied to look ahead. */
struct lex {
	const char *text;
	size_t len, at;
	bool inside; /* between {{ and }} */
	bool trim;   /* the last }} eats white space */
	const char *bad;
};

void lex_next(struct lex *l, struct tok *t);
/* The value of a TOK_STRING; NULL when an escape is none. */
json_t *lex_unquote(struct span quoted);

/* ---- nodes ---- */

enum node_kind {
	NODE_TEXT,
	NODE_ACTION,
	NODE_IF,
	NODE_RANGE,
	NODE_WITH,
	NODE_BREAK,
	NODE_CONTINUE,
	NODE_PIPE,
	NODE_CMD,
	NODE_DOT,
	NODE_CONST,
	NODE_VAR,
	NODE_FUNC,
	NODE_CHAIN,
	NODE_KEY,
};

struct func;

struct node {
	enum node_kind kind;
	size_t at, len; /* in the text */
	size_t pos;	/* where an error points to */
	struct node *next, *all;
	struct node *pipe;  /* of statements; of a chain, what it begins with */
	struct node *items; /* a body, a pipe's commands, a command's words, a
			     * chain's keys */
	struct node *other; /* else */
	struct span var[2]; /* of a pipe: what it sets */
	unsigned nvars;
	bool assign; /* "=", not ":=" */
	json_t *value;
	const struct func *func;
};

struct tmpl {
	char *text;
	size_t len;
	struct node *root; /* first of a list */
	struct node *all;
};

int tmpl_parse(struct tmpl *t, struct err *e);

/* ---- running ---- */

struct run {
	const struct tmpl *t;
	FILE *out;
	json_t *root;
	bool headings;
	json_t *made; /* array: keeps what functions made */
	size_t made_bytes;
	unsigned steps, depth;
	struct {
		struct span name;
		json_t *value;
	} var[TMPL_VARS_MAX];
	unsigned nvars;
	enum { FLOW_ON, FLOW_BREAK, FLOW_CONTINUE } flow;
	char why[160]; /* a function's error */
	struct err *e;
};

/* Keeps a new value, which cost so many bytes; NULL when it is too much. */
json_t *run_keep(struct run *r, json_t *made, size_t bytes);
json_t *run_text(struct run *r, const char *s, size_t len);
/* Sets run.why; returns NULL. */
json_t *run_why(struct run *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct func {
	const char *name;
	unsigned least, most;
	bool lazy;  /* and, or: run by tmpl_run.c */
	bool plain; /* in headings: its first argument */
	json_t *(*call)(struct run *r, json_t **argv, unsigned argc);
};
const struct func *func_find(struct span name);

/* ---- printing ---- */

bool value_true(json_t *v);
/* "string", "int", "map": as in docker's messages. */
const char *value_type(json_t *v);
/* Go's %v. */
void fmt_value(FILE *f, json_t *v);
void fmt_real(FILE *f, double d);
void fmt_print(FILE *f, json_t **argv, unsigned argc, bool line);
void fmt_printf(FILE *f, struct span format, json_t **argv, unsigned argc);
/* The keys of an object, sorted; the caller frees the array. */
const char **value_keys(json_t *object, size_t *count);
