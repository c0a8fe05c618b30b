/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables as text: the help, what values are, and near misses. */
#include "base/auto.h"
#include "cli/opt.h"

#include <string.h>

#define WORD_MAX 32
#define HELP_COLUMN 34
#define HELP_WIDTH 80

static size_t min3(size_t a, size_t b, size_t c)
{
	return MIN(MIN(a, b), c);
}

/* Letters to change, add, drop or swap to make b of a. */
static size_t distance(const char *a, const char *b)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
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
	size_t least = WORD_MAX;

	for (size_t i = 0; i < count; i++) {
		size_t d = names[i] ? distance(word, names[i]) : WORD_MAX;

		/* A third of the word may be wrong, one letter always. */
		if (d < least && d <= MAX(strlen(word) / 3, 1u)) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

/* text in columns HELP_COLUMN to HELP_WIDTH, the cursor being in used. */
static void put_wrapped(FILE *out, const char *text, int used)
{
	int column = MAX(used + 1, HELP_COLUMN);
	bool start = true;

	fprintf(out, "%*s", column - used, "");
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (!start && column + 1 + len > HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
			start = true;
		}
		column += fprintf(out, "%s%.*s", start ? "" : " ", len, text);
		start = false;
		text += len + (text[len] == ' ');
	}
	fputc('\n', out);
}

static void help_line(const struct opt *o, FILE *out)
{
	char left[80], letter[8] = "    ";
	int n;

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	n = snprintf(left, sizeof(left), "  %s--%.32s%s%.28s%s", letter,
		     o->name, o->arg ? " " : "", o->arg ? o->arg : "",
		     o->many ? "..." : "");
	fputs(left, out);
	if (n >= HELP_COLUMN) {
		fputc('\n', out);
		n = 0;
	}
	put_wrapped(out, o->help, n);
}

static void help_ignored(const struct opt *table, FILE *out, const char *bold,
			 const char *plain)
{
	size_t column = 80;
	bool any = false;

	for (; table->name; table++) {
		if (table->kind != OPT_KIND_IGNORED)
			continue;
		if (!any)
			fprintf(out,
				"\n%sAccepted for docker's callers, "
				"without effect:%s",
				bold, plain);
		any = true;
		if (column + strlen(table->name) + 3 > 78) {
			fprintf(out, "\n ");
			column = 1;
		}
		fprintf(out, " --%s", table->name);
		column += strlen(table->name) + 3;
	}
	if (any)
		fprintf(out, "\n");
}

void opt_help_styled(const struct opt *table, FILE *out, const char *bold,
		     const char *plain)
{
	const char *title = "Options";
	bool any = false;

	for (const struct opt *o = table; o->name; o++) {
		if (o->kind == OPT_KIND_GROUP)
			title = o->help;
		if (o->kind != OPT_KIND_OWN)
			continue;
		/* A group of which nothing is shown has no heading. */
		if (title)
			fprintf(out, "%s%s%s:%s\n", any ? "\n" : "", bold,
				title, plain);
		any = true;
		title = NULL;
		help_line(o, out);
	}
	help_ignored(table, out, bold, plain);
}

void opt_help(const struct opt *table, FILE *out)
{
	opt_help_styled(table, out, "", "");
}

enum opt_value opt_takes(const char *word)
{
	static const struct {
		const char *word;
		enum opt_value value;
	} words[] = {
		{ "FILE", OPT_VALUE_FILE },	{ "PATH", OPT_VALUE_FILE },
		{ "HOST", OPT_VALUE_FILE },	{ "TAR", OPT_VALUE_FILE },
		{ "DIR", OPT_VALUE_DIR },	{ "BOX", OPT_VALUE_BOX },
		{ "IMAGE", OPT_VALUE_IMAGE },	{ "VOLUME", OPT_VALUE_VOLUME },
		{ "SIGNAL", OPT_VALUE_SIGNAL }, { "SRC", OPT_VALUE_FILE },
		{ "DEST", OPT_VALUE_FILE },
	};
	size_t len;

	if (!word)
		return OPT_VALUE_NONE;
	word += *word == '[';
	len = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (len == strlen(words[i].word) &&
		    memcmp(word, words[i].word, len) == 0)
			return words[i].value;
	return OPT_VALUE_TEXT;
}
