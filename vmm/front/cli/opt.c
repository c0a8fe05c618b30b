/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/opt.h"

#include "base/auto.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_LEN 32
#define TABLE_MAX 128

static int unknown_long(const struct opt *table, const char *name,
			struct err *e)
{
	const char *names[TABLE_MAX] = { "help" }, *near;
	size_t n = 1;

	/* Those that do nothing are not worth a hint. */
	for (; table->name && n < TABLE_MAX; table++)
		if (table->kind == OPT_KIND_OWN)
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
		if (*name && strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static const struct opt *find_letter(const struct opt *table, char letter)
{
	for (; table->name; table++)
		if (table->letter && table->letter == letter)
			return table;
	return NULL;
}

/* Whether value is one of "a|b|c". */
static bool one_of(const char *value, const char *list)
{
	size_t len = strlen(value);

	while (list) {
		if (strncmp(list, value, len) == 0 &&
		    (list[len] == '|' || list[len] == '\0'))
			return true;
		list = strchr(list, '|');
		list = list ? list + 1 : NULL;
	}
	return false;
}

/* An option of docker's that no box has a use for. */
static int set_foreign(const struct opt *o, const char *value, void *what,
		       struct err *e)
{
	/* Who judges it warns, too. */
	if (o->set)
		return o->set(what, value, e) < 0 ? err_wrap(e, "--%s", o->name)
						  : 0;
	if (one_of(value, o->fine))
		return 0;
	if (o->kind == OPT_KIND_REFUSED)
		return err_set(e, EINVAL, "--%s %s: %s", o->name,
			       o->arg ? value : "is refused", o->help);
	log_warn("--%s is ignored: %s", o->name, o->help);
	return 0;
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
	if (o->kind != OPT_KIND_OWN)
		return on ? set_foreign(o, "true", what, e) : 0;
	*(bool *)((char *)what + o->flag - 1) = on;
	return 0;
}

static int set_value(const struct opt *o, const char *value, void *what,
		     struct err *e)
{
	if (o->kind != OPT_KIND_OWN)
		return set_foreign(o, value, what, e);
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
	value = value ? value + 1 : next;
	if (!value)
		return err_set(e, EINVAL, "flag needs an argument: --%s", name);
	if (set_value(o, value, what, e) < 0)
		return -EINVAL;
	return word[len] ? 1 : 2;
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
			const char *value = p[1] ? rest : next;

			if (!value)
				return err_set(e, EINVAL,
					       "flag needs an argument: '%c' "
					       "in -%s",
					       *p, word);
			if (set_value(o, value, what, e) < 0)
				return -EINVAL;
			return p[1] ? 1 : 2;
		}
		if (p[1] == '=')
			return set_flag(o, rest, what, e) < 0 ? -EINVAL : 1;
		if (set_flag(o, NULL, what, e) < 0)
			return -EINVAL;
	}
	return 1;
}

/* The options at argv[i], with all that belongs to them. Returns how many
 * words these are, 0 when argv[i] is none. */
static int parse_one(const struct opt *table, int argc, char **argv, int i,
		     void *what, bool *help, struct err *e)
{
	const char *next = i + 1 < argc ? argv[i + 1] : NULL;
	char *word = argv[i];

	if (word[0] != '-' || !word[1])
		return 0;
	if (word[1] == '-')
		return parse_long(table, word + 2, next, what, help, e);
	return parse_short(table, word + 1, next, what, help, e);
}

int opt_parse(const struct opt *table, int argc, char **argv, void *what,
	      bool *help, struct err *e)
{
	int i = 1;

	*help = false;
	while (i < argc && !*help) {
		int took;

		if (strcmp(argv[i], "--") == 0)
			return i + 1;
		took = parse_one(table, argc, argv, i, what, help, e);
		if (took <= 0)
			return took < 0 ? took : i;
		i += took;
	}
	return i;
}

/* Puts argv[at] and the len - 1 words behind it at argv[to], to <= at. */
static void move_down(char **argv, int to, int at, int len)
{
	for (int n = 0; n < len; n++)
		for (int i = at + n; i > to + n; i--) {
			char *word = argv[i];

			argv[i] = argv[i - 1];
			argv[i - 1] = word;
		}
}

int opt_parse_mixed(const struct opt *table, int argc, char **argv, void *what,
		    bool *help, struct err *e)
{
	int first = 1; /* word that is no option */

	*help = false;
	for (int i = 1; i < argc && !*help;) {
		bool end = strcmp(argv[i], "--") == 0;
		int took = end ? 1
			       : parse_one(table, argc, argv, i, what, help, e);

		if (took < 0)
			return took;
		move_down(argv, first, i, took);
		first += took;
		if (end)
			break;
		i += MAX(took, 1);
	}
	return first;
}
