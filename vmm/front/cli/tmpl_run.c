/* SPDX-License-Identifier: Apache-2.0 */
/* tmpl - the templates of --format.
 *
 * THEORY OF OPERATION. A template is compiled to nodes (tmpl_parse.c) before
 * anything else is done, so that a bad one is refused in time. Running walks
 * them over a JSON value; output goes to memory and is handed out only when
 * all of it went well. Values are borrowed for the length of a run, see
 * tmpl_priv.h. What a template can cost is bounded by counting steps, bytes
 * made by functions, and bytes of output; depth by the parser. */
#include "cli/tmpl.h"

#include "base/auto.h"
#include "cli/tmpl_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static json_t *eval_pipe(struct run *r, const struct node *n, json_t *dot);
static json_t *eval_word(struct run *r, const struct node *n, json_t *dot);
static int run_list(struct run *r, const struct node *n, json_t *dot);

static json_t *fail(struct run *r, const struct node *n, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Line and column as Go counts them: a column begins at 0 in line 1. */
static json_t *fail(struct run *r, const struct node *n, const char *fmt, ...)
{
	unsigned line = 1, column = (unsigned)n->pos;
	char why[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < n->pos; i++)
		if (r->t->text[i] == '\n') {
			line++;
			column = (unsigned)(n->pos - i);
		}
	err_set(r->e, EINVAL,
		"template parsing error: template: :%u:%u: executing \"\" at "
		"<%.*s>: %s",
		line, column, (int)MIN(n->len, 80u), r->t->text + n->at, why);
	return NULL;
}

json_t *run_why(struct run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return NULL;
}

json_t *run_keep(struct run *r, json_t *made, size_t bytes)
{
	r->made_bytes += bytes + 64;
	if (r->made_bytes > TMPL_MADE_MAX) {
		json_decref(made);
		return run_why(r, "too much text");
	}
	if (!made || json_array_append_new(r->made, made) < 0)
		return run_why(r, "out of memory");
	return made;
}

json_t *run_text(struct run *r, const char *s, size_t len)
{
	if (len > TMPL_MADE_MAX)
		return run_why(r, "too much text");
	return run_keep(r, json_stringn_nocheck(s, len), len);
}

/* ---- fields ---- */

/* Go's maps, where a missing key is no mistake. */
static bool is_map(struct span name)
{
	static const char *const maps[] = {
		"Labels",   "Annotations", "Options",	   "DriverOpts",
		"Networks", "Ports",	   "PortBindings", "ExposedPorts",
		"Volumes",  "Sysctls",	   "Tmpfs",
	};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		if (span_is(name, maps[i]))
			return true;
	return false;
}

/* Left out of docker's JSON when empty, and there all the same. */
static bool is_optional(struct span key)
{
	static const char *const names[] = {
		"Health",     "Healthcheck", "StopTimeout", "Annotations",
		"Tmpfs",      "Sysctls",     "Shell",	    "SizeRw",
		"SizeRootFs", "OnBuild",     "Mounts",	    "Labels",
		"Ports",      "Networks",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (span_is(key, names[i]))
			return true;
	return false;
}

/* v has the name of in the object it was taken from. */
static json_t *field(struct run *r, const struct node *chain, json_t *v,
		     struct span of, struct span key)
{
	json_t *found;
	int len = (int)MIN(key.len, 60u);

	if (json_is_null(v))
		return fail(r, chain,
			    "nil pointer evaluating interface {}.%.*s", len,
			    key.s);
	if (!json_is_object(v))
		return fail(r, chain, "can't evaluate field %.*s in type %s",
			    len, key.s, value_type(v));
	found = json_object_getn(v, key.s, key.len);
	if (found)
		return found;
	if (is_map(of) || is_optional(key))
		return json_null();
	return fail(r, chain, "map has no entry for key \"%.*s\"", len, key.s);
}

static json_t *eval_chain(struct run *r, const struct node *n, json_t *dot,
			  bool all)
{
	json_t *v = eval_word(r, n->pipe, dot);
	struct span of = { "", 0 };

	for (const struct node *k = n->items; k && v; k = k->next) {
		struct span key = { r->t->text + k->at, k->len };

		if (!all && !k->next)
			break;
		v = field(r, n, v, of, key);
		of = key;
	}
	return v;
}

/* .Label "x": a method of docker's lists. Labels are an object there, or the
 * text "a=b,c=d" of a list. */
static json_t *label(struct run *r, json_t *row, json_t *name)
{
	const char *key = json_string_value(name), *s;
	json_t *labels = json_object_get(row, "Labels");
	size_t len = json_string_length(name);

	if (!key)
		return run_why(r, "the name of a label is a string");
	if (r->headings) {
		s = strrchr(key, '.');
		s = s ? s + 1 : key;
		return run_text(r, s, strlen(s));
	}
	if (json_is_object(labels)) {
		json_t *v = json_object_getn(labels, key, len);

		return v ? v : run_text(r, "", 0);
	}
	for (s = json_string_value(labels); s && *s; s += *s == ',') {
		size_t item = strcspn(s, ",");

		if (item > len && s[len] == '=' && memcmp(s, key, len) == 0)
			return run_text(r, s + len + 1, item - len - 1);
		s += item;
	}
	return run_text(r, "", 0);
}

/* ---- commands ---- */

/* and, or: the first that decides; the rest is not looked at. */
static json_t *lazy(struct run *r, const struct node *cmd,
		    const struct node *arg, json_t *dot, json_t *final)
{
	bool stop = strcmp(cmd->items->func->name, "or") == 0;
	json_t *v = NULL;

	for (; arg; arg = arg->next) {
		v = eval_word(r, arg, dot);
		if (!v || value_true(v) == stop)
			return v;
	}
	if (final)
		return final;
	return v ? v
		 : fail(r, cmd,
			"wrong number of args for %s: "
			"want at least 1 got 0",
			cmd->items->func->name);
}

/* at: what errors show. */
static json_t *call(struct run *r, const struct node *at,
		    const struct func *func, const struct node *arg,
		    json_t *dot, json_t *final)
{
	json_t *argv[TMPL_ARGS_MAX + 1], *v;
	unsigned argc = 0;

	for (; arg; arg = arg->next) {
		argv[argc] = eval_word(r, arg, dot);
		if (!argv[argc++])
			return NULL;
	}
	if (final)
		argv[argc++] = final;
	if (argc < func->least || argc > func->most)
		return fail(r, at,
			    "wrong number of args for %s: want %s%u got %u",
			    func->name,
			    func->least == func->most ? "" : "at least ",
			    func->least, argc);
	if (r->headings && func->plain && argc > 0)
		return argv[0];
	v = func->call(r, argv, argc);
	if (!v)
		return fail(r, at, "error calling %s: %s", func->name, r->why);
	return v;
}

static json_t *eval_cmd(struct run *r, const struct node *n, json_t *dot,
			json_t *final)
{
	const struct node *first = n->items, *last = first->items;
	json_t *v;

	if (first->kind == NODE_FUNC && first->func->lazy)
		return lazy(r, n, first->next, dot, final);
	if (first->kind == NODE_FUNC)
		return call(r, n, first->func, first->next, dot, final);
	if (!first->next && !final)
		return eval_word(r, first, dot);
	while (last && last->next)
		last = last->next;
	if (first->kind != NODE_CHAIN || !last || !first->next ||
	    first->next->next || final ||
	    !span_is((struct span){ r->t->text + last->at, last->len },
		     "Label"))
		return fail(r, n, "can't give argument to non-function %.*s",
			    (int)MIN(first->len, 60u), r->t->text + first->at);
	dot = eval_chain(r, first, dot, false);
	v = dot ? eval_word(r, first->next, dot) : NULL;
	if (!v)
		return NULL;
	v = label(r, dot, v);
	return v ? v : fail(r, n, "error calling Label: %s", r->why);
}

static json_t *eval_var(struct run *r, const struct node *n)
{
	struct span name = { r->t->text + n->at, n->len };

	for (unsigned i = r->nvars; i-- > 0;)
		if (span_same(r->var[i].name, name))
			return r->var[i].value;
	return fail(r, n, "undefined variable");
}

static json_t *eval_word(struct run *r, const struct node *n, json_t *dot)
{
	if (++r->steps > TMPL_STEPS_MAX)
		return fail(r, n, "the template takes too many steps");
	switch (n->kind) {
	case NODE_DOT:
		return dot;
	case NODE_CONST:
		return n->value;
	case NODE_VAR:
		return eval_var(r, n);
	case NODE_CHAIN:
		return eval_chain(r, n, dot, true);
	case NODE_PIPE:
		return eval_pipe(r, n, dot);
	case NODE_FUNC:
		return call(r, n, n->func, NULL, dot, NULL);
	default:
		return fail(r, n, "not a value");
	}
}

static void set_var(struct run *r, struct span name, bool assign, json_t *v)
{
	for (unsigned i = r->nvars; assign && i-- > 0;)
		if (span_same(r->var[i].name, name)) {
			r->var[i].value = v;
			return;
		}
	/* The parser has counted them. */
	if (r->nvars < TMPL_VARS_MAX) {
		r->var[r->nvars].name = name;
		r->var[r->nvars++].value = v;
	}
}

/* Without the variables. */
static json_t *eval_cmds(struct run *r, const struct node *n, json_t *dot)
{
	json_t *v = NULL;

	for (const struct node *c = n->items; c; c = c->next) {
		v = eval_cmd(r, c, dot, v);
		if (!v)
			return NULL;
	}
	return v;
}

static json_t *eval_pipe(struct run *r, const struct node *n, json_t *dot)
{
	json_t *v = eval_cmds(r, n, dot);

	if (v && n->nvars)
		set_var(r, n->var[0], n->assign, v);
	return v;
}

/* ---- statements ---- */

static int emit(struct run *r, const struct node *n, const char *s, size_t len)
{
	long so_far = ftell(r->out);

	if (fwrite(s, 1, len, r->out) != len || so_far < 0 ||
	    (size_t)so_far + len > TMPL_OUT_MAX)
		return fail(r, n, "too much output") ? 0 : -EINVAL;
	return 0;
}

static int run_action(struct run *r, const struct node *n, json_t *dot)
{
	json_t *v = eval_pipe(r, n->pipe, dot);

	if (!v)
		return -EINVAL;
	if (n->pipe->nvars)
		return 0;
	if (json_is_null(v))
		return emit(r, n, "<no value>", 10);
	if (json_is_string(v))
		return emit(r, n, json_string_value(v), json_string_length(v));
	fmt_value(r->out, v);
	return emit(r, n, "", 0);
}

/* One turn of a range. */
static int turn(struct run *r, const struct node *n, json_t *key, json_t *v)
{
	unsigned vars = r->nvars;
	int result;

	if (!key || !v || ++r->steps > TMPL_STEPS_MAX)
		return fail(r, n->pipe, "the template takes too many steps")
			     ? 0
			     : -EINVAL;
	if (n->pipe->nvars == 2)
		set_var(r, n->pipe->var[0], n->pipe->assign, key);
	if (n->pipe->nvars)
		set_var(r, n->pipe->var[n->pipe->nvars - 1], n->pipe->assign,
			v);
	result = run_list(r, n->items, v);
	r->nvars = vars;
	if (r->flow == FLOW_CONTINUE)
		r->flow = FLOW_ON;
	return result;
}

static int range_object(struct run *r, const struct node *n, json_t *v)
{
	size_t count;
	autofree const char **keys = value_keys(v, &count);
	int result = 0;

	if (!keys)
		return err_set(r->e, ENOMEM, "out of memory");
	for (size_t i = 0; i < count && result == 0 && r->flow == FLOW_ON; i++)
		result = turn(r, n, run_text(r, keys[i], strlen(keys[i])),
			      json_object_get(v, keys[i]));
	return result;
}

/* Arrays, and the numbers below an integer. */
static int range_count(struct run *r, const struct node *n, json_t *v)
{
	json_int_t count = json_is_array(v) ? (json_int_t)json_array_size(v)
					    : json_integer_value(v);
	int result = 0;

	for (json_int_t i = 0; i < count && result == 0 && r->flow == FLOW_ON;
	     i++) {
		json_t *key = run_keep(r, json_integer(i), 0);

		result = turn(r, n, key,
			      json_is_array(v) ? json_array_get(v, (size_t)i)
					       : key);
	}
	return result;
}

static int run_range(struct run *r, const struct node *n, json_t *dot)
{
	/* The variables are set by each turn. */
	json_t *v = eval_cmds(r, n->pipe, dot);
	int result;

	if (!v)
		return -EINVAL;
	if (!value_true(v) && !json_is_boolean(v) &&
	    (!json_is_string(v) || json_string_length(v) == 0))
		return run_list(r, n->other, dot);
	if (json_is_object(v))
		result = range_object(r, n, v);
	else if (json_is_array(v) || json_is_integer(v))
		result = range_count(r, n, v);
	else
		return fail(r, n->pipe, "range can't iterate over %s",
			    value_type(v))
			     ? 0
			     : -EINVAL;
	r->flow = FLOW_ON;
	return result;
}

static int run_branch(struct run *r, const struct node *n, json_t *dot)
{
	json_t *v = eval_pipe(r, n->pipe, dot);

	if (!v)
		return -EINVAL;
	if (!value_true(v))
		return run_list(r, n->other, dot);
	return run_list(r, n->items, n->kind == NODE_WITH ? v : dot);
}

static int run_one(struct run *r, const struct node *n, json_t *dot)
{
	unsigned vars = r->nvars;
	int result;

	switch (n->kind) {
	case NODE_TEXT:
		return emit(r, n, r->t->text + n->at, n->len);
	case NODE_ACTION:
		return run_action(r, n, dot);
	case NODE_BREAK:
		r->flow = FLOW_BREAK;
		return 0;
	case NODE_CONTINUE:
		r->flow = FLOW_CONTINUE;
		return 0;
	case NODE_RANGE:
		result = run_range(r, n, dot);
		break;
	default:
		result = run_branch(r, n, dot);
	}
	r->nvars = vars;
	return result;
}

static int run_list(struct run *r, const struct node *n, json_t *dot)
{
	for (; n && r->flow == FLOW_ON; n = n->next) {
		int result = run_one(r, n, dot);

		if (result < 0)
			return result;
	}
	return 0;
}

/* ---- the whole of it ---- */

struct tmpl *tmpl_new(const char *text, struct err *e)
{
	struct tmpl *t = calloc(1, sizeof(*t));

	if (!t || !(t->text = strdup(text))) {
		free(t);
		err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	t->len = strlen(text);
	if (t->len > TMPL_TEXT_MAX)
		err_set(e, EINVAL, "the template is longer than %u bytes",
			TMPL_TEXT_MAX);
	else if (tmpl_parse(t, e) == 0)
		return t;
	tmpl_free(t);
	return NULL;
}

void tmpl_free(struct tmpl *t)
{
	if (!t)
		return;
	while (t->all) {
		struct node *n = t->all;

		t->all = n->all;
		json_decref(n->value);
		free(n);
	}
	free(t->text);
	free(t);
}

static int run(const struct tmpl *t, json_t *value, bool headings, char **out,
	       struct err *e)
{
	struct run r = {
		.t = t,
		.root = value,
		.headings = headings,
		.var = { { .name = { "$", 1 }, .value = value } },
		.nvars = 1,
		.e = e,
	};
	autofree char *text = NULL;
	size_t len;
	int result;

	r.out = open_memstream(&text, &len);
	if (!r.out)
		return err_sys(e, "template");
	r.made = json_array();
	result = r.made ? run_list(&r, t->root, value)
			: err_set(e, ENOMEM, "out of memory");
	json_decref(r.made);
	if (fclose(r.out) != 0 && result == 0)
		result = err_sys(e, "template");
	if (result == 0)
		*out = take_ptr(&text);
	return result;
}

int tmpl_text(const struct tmpl *t, json_t *value, char **out, struct err *e)
{
	return run(t, value, false, out, e);
}

int tmpl_headings(const struct tmpl *t, json_t *value, char **out,
		  struct err *e)
{
	return run(t, value, true, out, e);
}
