/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/complete.h"

#include "base/auto.h"
#include "cli/cmd.h"
#include "cli/imagerow.h"
#include "image/ref.h"
#include "box/state.h"
#include "box/volume.h"

#include <string.h>

/* What is known when the word being typed is reached. */
struct line {
	FILE *out;
	const char *word;	 /* being typed */
	size_t skip;		 /* of it in front of the value: "--name=" */
	const struct opt *wants; /* the option whose value it is */
	int position;		 /* words that are no option before it */
	bool words_only;	 /* options are over */
	bool image_files;	 /* an image may be a file as well */
	bool files, dirs, nospace;
};

static bool begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* name + tail, if that is what is being typed. */
static void offer(struct line *l, const char *name, const char *tail,
		  const char *about)
{
	if (!begins(name, l->word + l->skip))
		return;
	fprintf(l->out, "%.*s%s%s\t%.*s\n", (int)l->skip, l->word, name, tail,
		(int)strcspn(about, "\t\n"), about);
}

static const struct opt *find_opt(const struct cmd *c, const char *name,
				  size_t len, char letter)
{
	for (const struct opt *o = c->opts; o && o->name; o++)
		if (name ? *o->name && strlen(o->name) == len &&
				    memcmp(o->name, name, len) == 0
			 : o->letter == letter)
			return o;
	return NULL;
}

/* The option at word whose value is the next word, or NULL. */
static const struct opt *wants_next(const struct cmd *c, const char *word)
{
	const struct opt *o;

	if (begins(word, "--")) {
		if (strchr(word, '='))
			return NULL;
		o = find_opt(c, word + 2, strlen(word + 2), 0);
		return o && o->arg ? o : NULL;
	}
	for (word++; *word; word++) {
		o = find_opt(c, NULL, 0, *word);
		if (!o || o->arg)
			return o && !word[1] ? o : NULL;
	}
	return NULL;
}

/* Goes through the words before the one being typed. */
static void walk(struct line *l, const struct cmd *c, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *w = argv[i];

		if (l->wants) {
			l->wants = NULL;
		} else if (!l->words_only && strcmp(w, "--") == 0) {
			l->words_only = true;
		} else if (!l->words_only && w[0] == '-' && w[1]) {
			l->wants = wants_next(c, w);
		} else {
			l->position++;
			l->words_only |= !c->mixed;
		}
	}
}

/* ---- kinds of words ---- */

static void offer_boxes(struct line *l, const char *tail)
{
	autofree struct box_info *all = NULL;
	struct err e;
	int n = state_list(&all, &e);

	for (int i = 0; i < n; i++)
		offer(l, all[i].name, tail, all[i].status);
	/* Ids only where no name fits: nobody types them for pleasure. */
	for (int i = 0; i < n && l->word[l->skip]; i++)
		if (!begins(all[i].name, l->word + l->skip)) {
			all[i].id[BOX_SHORT_LEN] = '\0';
			offer(l, all[i].id, tail, all[i].name);
		}
}

static void offer_signals(struct line *l)
{
	static const char *const names[] = { "HUP",  "INT",  "QUIT",
					     "KILL", "USR1", "USR2",
					     "TERM", "STOP", "CONT" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		offer(l, names[i], "", "");
}

static void offer_volumes(struct line *l)
{
	struct strv names;
	struct err e;

	if (volume_names(&names, &e) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		offer(l, names.v[i], "", "");
	strv_fini(&names);
}

/* Names as people write them. */
static void offer_images(struct line *l)
{
	struct catalog c = { .lock = -1 };
	char name[REF_TEXT_MAX];
	struct store s;
	struct err e;

	if (imagerow_store(&s, &e) < 0)
		return;
	if (catalog_load(&s, &c, &e) == 0)
		for (size_t i = 0; i < c.n; i++) {
			if (!c.v[i].name)
				continue;
			imagerow_familiar(c.v[i].name, name, sizeof(name));
			offer(l, name, "", "");
		}
	catalog_fini(&c);
	store_close(&s);
}

/* what: as help names it, such as "BOX" or "HOST:GUEST". */
static void offer_value(struct line *l, const char *what)
{
	bool path = strchr(what, ':') && opt_takes(what) != OPT_VALUE_IMAGE;

	/* Behind the colon is a path of the guest. */
	if (path && strchr(l->word + l->skip, ':'))
		return;
	switch (opt_takes(what)) {
	case OPT_VALUE_BOX:
		offer_boxes(l, path ? ":" : "");
		l->nospace = l->files = path;
		break;
	case OPT_VALUE_IMAGE:
		offer_images(l);
		l->files = l->image_files;
		break;
	case OPT_VALUE_FILE:
		l->files = true;
		break;
	case OPT_VALUE_DIR:
		l->dirs = true;
		break;
	case OPT_VALUE_VOLUME:
		offer_volumes(l);
		break;
	case OPT_VALUE_SIGNAL:
		offer_signals(l);
		break;
	default:
		break;
	}
}

static void offer_options(struct line *l, const struct cmd *c)
{
	char name[64];

	for (const struct opt *o = c->opts; o && o->name; o++) {
		if (o->kind != OPT_KIND_OWN)
			continue;
		snprintf(name, sizeof(name), "--%s", o->name);
		offer(l, name, "", o->help);
	}
	offer(l, "--help", "", "Explain the command");
}

/* Of "[OPTIONS] IMAGE [COMMAND] [ARG...]" the word at position, without its
 * brackets: "IMAGE". The last of them again when it ends in "...". */
static bool usage_word(const char *usage, int position, char *out, size_t size)
{
	bool again = false;

	*out = '\0';
	for (const char *s = usage; *s;) {
		size_t len;

		s += strspn(s, " [(");
		len = strcspn(s, " ])");
		if (len && *s != '-' && *s != '|' && !begins(s, "OPTIONS")) {
			snprintf(out, size, "%.*s", (int)len, s);
			again = strstr(out, "...") != NULL;
			if (position-- == 0)
				return true;
		}
		s += len + strspn(s + len, "])");
	}
	return again;
}

static void offer_words(struct line *l, const struct cmd *c)
{
	const char *s = c->usage;
	char word[64];

	/* "BOX:PATH PATH | PATH BOX:PATH": each of both. */
	for (;;) {
		if (usage_word(s, l->position, word, sizeof(word)))
			offer_value(l, word);
		s = strstr(s, " | ");
		if (!s)
			return;
		s += 3;
	}
}

/* ---- commands ---- */

static void offer_commands(struct line *l, const struct cmd *const *all)
{
	for (; *all; all++) {
		const char *blank = strrchr((*all)->name, ' ');

		offer(l, blank ? blank + 1 : (*all)->name, "", (*all)->summary);
	}
}

static void in_command(struct line *l, const struct cmd *c, int argc,
		       char **argv)
{
	const char *value = strchr(l->word, '=');

	l->image_files = strcmp(c->name, "run") == 0 ||
			 strcmp(c->name, "create") == 0;
	walk(l, c, argc, argv);
	if (l->wants) {
		offer_value(l, l->wants->arg);
		return;
	}
	if (l->words_only || l->word[0] != '-') {
		offer_words(l, c);
		return;
	}
	if (!value || !begins(l->word, "--")) {
		offer_options(l, c);
		return;
	}
	l->wants = find_opt(c, l->word + 2, (size_t)(value - l->word) - 2, 0);
	l->skip = (size_t)(value - l->word) + 1;
	if (l->wants && l->wants->arg)
		offer_value(l, l->wants->arg);
}

void complete(FILE *out, int argc, char **argv)
{
	struct line l = { .out = out, .word = argc ? argv[argc - 1] : "" };
	const struct cmd *const *all = cmds;
	const struct cmd *c = NULL;
	bool help = argc > 1 && strcmp(argv[0], "help") == 0;

	/* "volume", and what is behind it. */
	argc -= help;
	argv += help;
	while (argc > 1 && all) {
		c = cmd_find(all, argv[0]);
		all = c ? c->sub : NULL;
		argc--;
		argv++;
	}
	if (all) {
		offer_commands(&l, all);
		if (all == cmds && !help)
			offer(&l, "help", "", "Explain a command or a topic.");
	} else if (c && !help) {
		in_command(&l, c, argc - 1, argv);
	}
	fprintf(out, ":%s%s%s\n", l.files ? "f" : "", l.dirs ? "d" : "",
		l.nospace ? "s" : "");
}
