/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a template to nodes. A list of statements ends with its text or
 * at a word (end, else) that its caller knows what to do with. */
#include "base/auto.h"
#include "cli/tmpl_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

struct parse {
	struct tmpl *t;
	struct lex lex;
	struct tok tok; /* the next one */
	struct span var[TMPL_VARS_MAX];
	unsigned nvars, nodes, depth, loops;
	struct err *e;
};

enum list_end { LIST_TEXT, LIST_END, LIST_ELSE };

static struct node *pipeline(struct parse *p, enum tok_kind end,
			     const char *where);
static int list(struct parse *p, struct node **out, enum list_end *end);

static int fail(struct parse *p, size_t at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct parse *p, size_t at, const char *fmt, ...)
{
	char why[160];
	unsigned line = 1;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < at && i < p->t->len; i++)
		line += p->t->text[i] == '\n';
	return err_set(p->e, EINVAL,
		       "template parsing error: template: :%u: %s", line, why);
}

static struct span span_of(const struct parse *p, const struct tok *t)
{
	return (struct span){ p->t->text + t->at, t->len };
}

static void step(struct parse *p)
{
	lex_next(&p->lex, &p->tok);
}

static int unexpected(struct parse *p, const char *where)
{
	const struct tok *t = &p->tok;
	int len = (int)MIN(t->len, 20u);

	if (t->kind == TOK_BAD)
		return fail(p, t->at, "%s", p->lex.bad);
	if (t->kind == TOK_END)
		return fail(p, t->at, "unexpected EOF");
	return fail(p, t->at, "unexpected \"%.*s\" in %s", len,
		    p->t->text + t->at, where);
}

static struct node *node_new(struct parse *p, enum node_kind kind, size_t at,
			     size_t len)
{
	struct node *n;

	if (p->nodes++ >= TMPL_NODES_MAX) {
		fail(p, at, "the template is too long");
		return NULL;
	}
	n = calloc(1, sizeof(*n));
	if (!n) {
		err_set(p->e, ENOMEM, "out of memory");
		return NULL;
	}
	n->kind = kind;
	n->at = n->pos = at;
	n->len = len;
	n->all = p->t->all;
	p->t->all = n;
	return n;
}

/* ---- words of a command ---- */

static struct node *variable(struct parse *p)
{
	struct span name = span_of(p, &p->tok);

	for (unsigned i = p->nvars; i-- > 0;)
		if (span_same(p->var[i], name))
			return node_new(p, NODE_VAR, p->tok.at, p->tok.len);
	fail(p, p->tok.at, "undefined variable \"%.*s\"",
	     (int)MIN(name.len, 40u), name.s);
	return NULL;
}

static struct node *constant(struct parse *p, json_t *value)
{
	struct node *n = node_new(p, NODE_CONST, p->tok.at, p->tok.len);

	if (!n || !value) {
		json_decref(value);
		if (n)
			fail(p, p->tok.at, "bad value %.*s",
			     (int)MIN(p->tok.len, 40u), p->t->text + p->tok.at);
		return NULL;
	}
	n->value = value;
	return n;
}

static json_t *number(struct span s)
{
	char copy[64], *end;
	json_int_t i;
	double d;

	if (s.len >= sizeof(copy))
		return NULL;
	memcpy(copy, s.s, s.len);
	copy[s.len] = '\0';
	errno = 0;
	i = strtoll(copy, &end, 0);
	if (!*end && errno == 0)
		return json_integer(i);
	errno = 0;
	d = strtod(copy, &end);
	return *end || errno ? NULL : json_real(d);
}

static struct node *word(struct parse *p)
{
	struct span name = span_of(p, &p->tok);
	const struct func *func = func_find(name);
	struct node *n;

	if (span_is(name, "true") || span_is(name, "false"))
		return constant(p, json_boolean(*name.s == 't'));
	if (span_is(name, "nil"))
		return constant(p, json_null());
	if (!func) {
		fail(p, p->tok.at, "function \"%.*s\" not defined",
		     (int)MIN(name.len, 40u), name.s);
		return NULL;
	}
	n = node_new(p, NODE_FUNC, p->tok.at, p->tok.len);
	if (n)
		n->func = func;
	return n;
}

static struct node *in_parentheses(struct parse *p)
{
	size_t at = p->tok.at;
	struct node *n;

	if (++p->depth > TMPL_DEPTH_MAX) {
		fail(p, at, "nested too deeply");
		return NULL;
	}
	step(p);
	n = pipeline(p, TOK_SHUT, "parenthesized pipeline");
	p->depth--;
	if (n) {
		n->at = n->pos = at;
		n->len = p->tok.at + p->tok.len - at;
	}
	return n;
}

/* The word at the next token, which stays the last one of the word. */
static struct node *term(struct parse *p)
{
	switch (p->tok.kind) {
	case TOK_DOT:
		return node_new(p, NODE_DOT, p->tok.at, p->tok.len);
	case TOK_FIELD:
		/* Its own token is the first key. */
		return node_new(p, NODE_DOT, p->tok.at, 0);
	case TOK_VAR:
		return variable(p);
	case TOK_WORD:
		return word(p);
	case TOK_NUMBER:
		return constant(p, number(span_of(p, &p->tok)));
	case TOK_STRING:
		return constant(p, lex_unquote(span_of(p, &p->tok)));
	case TOK_OPEN:
		return in_parentheses(p);
	default:
		unexpected(p, "operand");
		return NULL;
	}
}

/* ".A.B" behind what base is. */
static struct node *chain(struct parse *p, struct node *base)
{
	struct node *n = node_new(p, NODE_CHAIN, base->at, 0), *key;
	struct node **end = n ? &n->items : NULL;

	if (!n)
		return NULL;
	n->pipe = base;
	while (p->tok.kind == TOK_FIELD &&
	       (end == &n->items || !p->tok.spaced)) {
		if (base->kind == NODE_CONST) {
			unexpected(p, "operand");
			return NULL;
		}
		key = node_new(p, NODE_KEY, p->tok.at + 1, p->tok.len - 1);
		if (!key)
			return NULL;
		*end = key;
		end = &key->next;
		n->pos = p->tok.at;
		n->len = p->tok.at + p->tok.len - n->at;
		step(p);
	}
	/* docker points at the second key, whatever fails. */
	if (n->items->next)
		n->pos = n->items->next->at - 1;
	return n;
}

static struct node *operand(struct parse *p)
{
	bool field = p->tok.kind == TOK_FIELD;
	struct node *n = term(p);

	if (!n)
		return NULL;
	if (!field)
		step(p);
	if (p->tok.kind == TOK_FIELD && (field || !p->tok.spaced))
		n = chain(p, n);
	return n;
}

/* ---- pipelines ---- */

static struct node *command(struct parse *p, enum tok_kind end)
{
	struct node *n = node_new(p, NODE_CMD, p->tok.at, 0);
	struct node **last = n ? &n->items : NULL;
	unsigned count = 0;

	while (n && p->tok.kind != end && p->tok.kind != TOK_PIPE) {
		if (count && !p->tok.spaced) {
			unexpected(p, "operand");
			return NULL;
		}
		if (++count > TMPL_ARGS_MAX) {
			fail(p, p->tok.at, "too many arguments");
			return NULL;
		}
		*last = operand(p);
		if (!*last)
			return NULL;
		n->len = (*last)->at + (*last)->len - n->at;
		last = &(*last)->next;
	}
	if (n && !n->items) {
		fail(p, p->tok.at, "missing value for command");
		return NULL;
	}
	if (n)
		n->pos = n->items->pos;
	return n;
}

/* "$x :=", "$x =", "$k, $v :=" in front of a pipeline. */
static int declaration(struct parse *p, struct node *pipe, bool pair)
{
	struct parse ahead = *p;
	unsigned n = 0;

	while (ahead.tok.kind == TOK_VAR && n < 2) {
		pipe->var[n++] = span_of(p, &ahead.tok);
		step(&ahead);
		if (ahead.tok.kind != TOK_COMMA || !pair)
			break;
		step(&ahead);
	}
	if (n == 0 ||
	    (ahead.tok.kind != TOK_DECLARE && ahead.tok.kind != TOK_ASSIGN))
		return 0;
	pipe->nvars = n;
	pipe->assign = ahead.tok.kind == TOK_ASSIGN;
	for (unsigned i = 0; pipe->assign && i < n; i++) {
		p->tok.at = (size_t)(pipe->var[i].s - p->t->text);
		p->tok.len = pipe->var[i].len;
		if (!variable(p))
			return -EINVAL;
	}
	p->lex = ahead.lex;
	step(p);
	return 0;
}

/* After the pipeline, so that "$x := $x" is an error. */
static int declare(struct parse *p, const struct node *pipe)
{
	for (unsigned i = 0; i < pipe->nvars && !pipe->assign; i++) {
		if (p->nvars == TMPL_VARS_MAX)
			return fail(p, pipe->at, "too many variables");
		p->var[p->nvars++] = pipe->var[i];
	}
	return 0;
}

/* Up to the token end, which is not taken. */
static struct node *pipeline(struct parse *p, enum tok_kind end,
			     const char *where)
{
	struct node *n = node_new(p, NODE_PIPE, p->tok.at, 0);
	struct node **last = n ? &n->items : NULL;

	if (!n || declaration(p, n, strcmp(where, "range") == 0) < 0)
		return NULL;
	if (p->tok.kind == end) {
		fail(p, p->tok.at, "missing value for %s", where);
		return NULL;
	}
	for (;;) {
		*last = command(p, end);
		if (!*last)
			return NULL;
		last = &(*last)->next;
		if (p->tok.kind == end)
			break;
		step(p);
	}
	n->len = p->tok.at - n->at;
	if (n->nvars == 0 && !n->items->next && !n->items->items->next &&
	    json_is_null(n->items->items->value)) {
		fail(p, n->at, "nil is not a command");
		return NULL;
	}
	return declare(p, n) < 0 ? NULL : n;
}

/* ---- statements ---- */

static int statement(struct parse *p, struct node *n, const char *name);

/* {{else}}, or {{else if ...}}, which shares the {{end}}. */
static int otherwise(struct parse *p, struct node *n, const char *name)
{
	struct tok t = p->tok;
	enum list_end end;

	if (t.kind == TOK_WORD && n->kind != NODE_RANGE &&
	    span_is(span_of(p, &t), name)) {
		n->other = node_new(p, n->kind, t.at, 0);
		if (!n->other)
			return -EINVAL;
		step(p);
		return statement(p, n->other, name);
	}
	if (t.kind != TOK_CLOSE)
		return unexpected(p, "else");
	step(p);
	if (list(p, &n->other, &end) < 0)
		return -EINVAL;
	if (end == LIST_ELSE)
		return fail(p, t.at, "unexpected {{else}}");
	return end == LIST_END ? 0 : fail(p, p->t->len, "unexpected EOF");
}

/* if, range, with: from the pipeline to {{end}}. */
static int statement(struct parse *p, struct node *n, const char *name)
{
	unsigned vars = p->nvars;
	enum list_end end;
	int r;

	if (++p->depth > TMPL_DEPTH_MAX)
		return fail(p, n->at, "nested too deeply");
	n->pipe = pipeline(p, TOK_CLOSE, name);
	if (!n->pipe)
		return -EINVAL;
	step(p);
	p->loops += n->kind == NODE_RANGE;
	r = list(p, &n->items, &end);
	p->loops -= n->kind == NODE_RANGE;
	if (r < 0)
		return r;
	if (end == LIST_TEXT)
		return fail(p, p->t->len, "unexpected EOF");
	if (end == LIST_ELSE && otherwise(p, n, name) < 0)
		return -EINVAL;
	p->nvars = vars;
	p->depth--;
	return 0;
}

static int leave(struct parse *p, struct node *n, const char *name)
{
	if (!p->loops)
		return fail(p, n->at, "{{%s}} outside {{range}}", name);
	if (p->tok.kind != TOK_CLOSE)
		return unexpected(p, name);
	step(p);
	return 0;
}

/* The rest of {{end}} and {{else}}. */
static int list_end(struct parse *p, enum list_end how)
{
	step(p);
	if (how == LIST_ELSE)
		return 0;
	if (p->tok.kind != TOK_CLOSE)
		return unexpected(p, "end");
	step(p);
	return 0;
}

static int action(struct parse *p, struct node **out)
{
	static const struct {
		const char *name;
		enum node_kind kind;
		int (*parse)(struct parse *, struct node *, const char *);
	} words[] = {
		{ "if", NODE_IF, statement },
		{ "range", NODE_RANGE, statement },
		{ "with", NODE_WITH, statement },
		{ "break", NODE_BREAK, leave },
		{ "continue", NODE_CONTINUE, leave },
	};
	struct span name = span_of(p, &p->tok);
	struct node *n = *out = node_new(p, NODE_ACTION, p->tok.at, p->tok.len);

	if (!n)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (p->tok.kind == TOK_WORD && span_is(name, words[i].name)) {
			n->kind = words[i].kind;
			step(p);
			return words[i].parse(p, n, words[i].name);
		}
	n->pipe = pipeline(p, TOK_CLOSE, "command");
	if (!n->pipe)
		return -EINVAL;
	step(p);
	return 0;
}

/* Statements up to {{end}}, {{else}} or the end of the text. The close of
 * {{else}} is left to the caller: "if" may stand there. */
static int list(struct parse *p, struct node **out, enum list_end *end)
{
	for (;; out = &(*out)->next) {
		struct span name = span_of(p, &p->tok);
		bool is_word = p->tok.kind == TOK_WORD;

		if (p->tok.kind == TOK_END) {
			*end = LIST_TEXT;
			return 0;
		}
		if (is_word &&
		    (span_is(name, "end") || span_is(name, "else"))) {
			*end = span_is(name, "end") ? LIST_END : LIST_ELSE;
			return list_end(p, *end);
		}
		if (p->tok.kind == TOK_TEXT) {
			*out = node_new(p, NODE_TEXT, p->tok.at, p->tok.len);
			if (!*out)
				return -EINVAL;
			step(p);
		} else if (action(p, out) < 0) {
			return -EINVAL;
		}
	}
}

int tmpl_parse(struct tmpl *t, struct err *e)
{
	struct parse p = {
		.t = t,
		.lex = { .text = t->text, .len = t->len },
		.var = { { .s = "$", .len = 1 } },
		.nvars = 1,
		.e = e,
	};
	enum list_end end;

	step(&p);
	if (list(&p, &t->root, &end) < 0)
		return -EINVAL;
	if (end != LIST_TEXT)
		return fail(&p, p.tok.at, "unexpected {{%s}}",
			    end == LIST_END ? "end" : "else");
	return 0;
}
