/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"

#include "base/auto.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN 32
#define TABLE_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
	return MIN(MIN(a, b), c);
}

/* Letters to change, add, drop or swap to make b of a. */
static size_t distance(const char *a, const char *b)
{
	size_t d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > NAME_MAX_LEN || lb > NAME_MAX_LEN)
		return NAME_MAX_LEN;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++)
		for (size_t j = 1; j <= lb; j++) {
			d[i][j] =
				min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				     d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[la][lb];
}

const char *opt_nearest(const char *word, const char *const *names,
			size_t count)
{
	const char *best = NULL;
	size_t least = NAME_MAX_LEN;

	for (size_t i = 0; i < count; i++) {
		size_t d = names[i] ? distance(word, names[i]) : NAME_MAX_LEN;

		/* A third of the word may be wrong, one letter always. */
		if (d < least && d <= MAX(strlen(word) / 3, 1u)) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

static int unknown_long(const struct opt *table, const char *name,
			struct err *e)
{
	const char *names[TABLE_MAX] = { "help" }, *near;
	size_t n = 1;

	for (; table->name && n < TABLE_MAX; table++)
		names[n++] = table->name;
	near = opt_nearest(name, names, n);
	if (near)
		return err_set(e, EINVAL,
			       "unknown flag: --%s (did you mean --%s?)", name,
			       near);
	return err_set(e, EINVAL, "unknown flag: --%s", name);
}

static const struct opt *find_long(const struct opt *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
	for (; table->name; table++)
		if (table->letter == letter)
			return table;
	return NULL;
}

static int set_flag(const struct opt *o, const char *value, void *what,
		    struct err *e)
{
	bool on = !value || strcmp(value, "true") == 0 ||
		  strcmp(value, "1") == 0;

	if (!on && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
		return err_set(e, EINVAL,
			       "--%s is a flag: '%s' must be true "
			       "or false",
			       o->name, value);
	*(bool *)((char *)what + o->flag - 1) = on;
	return 0;
}

static int set_value(const struct opt *o, const char *value, void *what,
		     struct err *e)
{
	if (o->str) {
		*(const char **)(void *)((char *)what + o->str - 1) = value;
		return 0;
	}
	if (o->set(what, value, e) < 0)
		return err_wrap(e, "--%s", o->name);
	return 0;
}

/* "--name", "--name=value", "--name value". Returns how many words it took. */
static int parse_long(const struct opt *table, char *word, const char *next,
		      void *what, bool *help, struct err *e)
{
	const char *value = strchr(word, '=');
	char name[NAME_MAX_LEN + 1];
	const struct opt *o;
	size_t len = strcspn(word, "=");

	if (len > NAME_MAX_LEN)
		return err_set(e, EINVAL, "unknown flag: --%.40s", word);
	memcpy(name, word, len);
	name[len] = '\0';
	o = find_long(table, name);
	if (!o && strcmp(name, "help") == 0) {
		*help = true;
		return 1;
	}
	if (!o)
		return unknown_long(table, name, e);
	if (!o->arg)
		return set_flag(o, value ? value + 1 : NULL, what, e) < 0
			     ? -EINVAL
			     : 1;
	if (!value && !next)
		return err_set(e, EINVAL, "flag needs an argument: --%s", name);
	if (set_value(o, value ? value + 1 : next, what, e) < 0)
		return -EINVAL;
	return value ? 1 : 2;
}

/* "-it", "-eA=b", "-e A=b", "-e=A=b", "-t=false". */
static int parse_short(const struct opt *table, const char *word,
		       const char *next, void *what, bool *help, struct err *e)
{
	for (const char *p = word; *p; p++) {
		const struct opt *o = find_letter(table, *p);
		const char *rest = p[1] == '=' ? p + 2 : p + 1;

		if (!o && *p == 'h') {
			*help = true;
			return 1;
		}
		if (!o)
			return err_set(e, EINVAL,
				       "unknown shorthand flag: '%c' in -%s",
				       *p, word);
		if (o->arg) {
			if (!p[1] && !next)
				return err_set(e, EINVAL,
					       "flag needs an "
					       "argument: '%c' in -%s",
					       *p, word);
			if (set_value(o, p[1] ? rest : next, what, e) < 0)
				return -EINVAL;
			return p[1] ? 1 : 2;
		}
		if (p[1] == '=')
			return set_flag(o, rest, what, e) < 0 ? -EINVAL : 1;
		set_flag(o, NULL, what, e);
	}
	return 1;
}

int opt_parse(const struct opt *table, int argc, char **argv, void *what,
	      bool *help, struct err *e)
{
	int i = 1;

	*help = false;
	while (i < argc && argv[i][0] == '-' && argv[i][1] && !*help) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		int took;

		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		took = argv[i][1] == '-' ? parse_long(table, argv[i] + 2, next,
						      what, help, e)
					 : parse_short(table, argv[i] + 1, next,
						       what, help, e);
		if (took < 0)
			return took;
		i += took;
	}
	return i;
}

void opt_help(const struct opt *table, FILE *out)
{
	for (; table->name; table++) {
		char left[48], letter[8] = "    ";

		if (table->letter)
			snprintf(letter, sizeof(letter), "-%c, ",
				 table->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, table->name,
			 table->arg ? " " : "", table->arg ? table->arg : "");
		fprintf(out, "  %-31s %s\n", left, table->help);
	}
}
