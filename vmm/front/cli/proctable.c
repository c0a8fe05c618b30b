/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/proctable.h"

#include "base/auto.h"
#include "base/utf8.h"
#include "cli/human.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GAP 3
#define LEAST 20
#define DAY_S 86400
#define US_PER_S 1000000

typedef void show_fn(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out);

struct proctable_kind {
	const char *names; /* "cmd|args": what -o calls it */
	const char *heading;
	show_fn *show;
};

/* ---- cells ---- */

static void show_user(const struct proctable *t, const Vial__Agent__Process *p,
		      FILE *out)
{
	(void)t;
	fputs(p->user, out);
}

static void show_uid(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out)
{
	(void)t;
	fprintf(out, "%" PRIu32, p->uid);
}

static void show_pid(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out)
{
	(void)t;
	fprintf(out, "%" PRIu32, p->pid);
}

static void show_ppid(const struct proctable *t, const Vial__Agent__Process *p,
		      FILE *out)
{
	(void)t;
	fprintf(out, "%" PRIu32, p->ppid);
}

static void show_comm(const struct proctable *t, const Vial__Agent__Process *p,
		      FILE *out)
{
	(void)t;
	fputs(p->comm, out);
}

static void show_args(const struct proctable *t, const Vial__Agent__Process *p,
		      FILE *out)
{
	(void)t;
	fputs(p->args, out);
}

static void show_tty(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out)
{
	(void)t;
	fputs(p->tty, out);
}

static void show_state(const struct proctable *t, const Vial__Agent__Process *p,
		       FILE *out)
{
	(void)t;
	fputs(p->state, out);
}

static void show_rss(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out)
{
	(void)t;
	fprintf(out, "%" PRIu64, p->rss_bytes / 1024);
}

static void show_vsz(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out)
{
	(void)t;
	fprintf(out, "%" PRIu64, p->vsz_bytes / 1024);
}

/* A guest's clock may be ahead of ours. */
static uint64_t elapsed(const struct proctable *t,
			const Vial__Agent__Process *p)
{
	return t->now_s > 0 && (uint64_t)t->now_s > p->start_s
		     ? (uint64_t)t->now_s - p->start_s
		     : 0;
}

/* Of one CPU, since it began. */
static double cpu_share(const struct proctable *t,
			const Vial__Agent__Process *p)
{
	uint64_t s = elapsed(t, p);

	return s ? (double)p->cpu_us / US_PER_S / (double)s * 100 : 0;
}

static void show_cpu(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out)
{
	fprintf(out, "%.1f", cpu_share(t, p));
}

static void show_c(const struct proctable *t, const Vial__Agent__Process *p,
		   FILE *out)
{
	fprintf(out, "%d", (int)MIN(cpu_share(t, p), 99.0));
}

static void show_mem(const struct proctable *t, const Vial__Agent__Process *p,
		     FILE *out)
{
	fprintf(out, "%.1f",
		t->ram_bytes ? (double)p->rss_bytes * 100 / (double)t->ram_bytes
			     : 0);
}

/* An hour of today, a day before that. */
static void show_start(const struct proctable *t, const Vial__Agent__Process *p,
		       FILE *out)
{
	time_t at = (time_t)p->start_s;
	char text[16] = "?";
	struct tm tm;

	if (localtime_r(&at, &tm))
		strftime(text, sizeof(text),
			 elapsed(t, p) < DAY_S ? "%H:%M" : "%b%d", &tm);
	fputs(text, out);
}

static void show_clock(uint64_t s, FILE *out)
{
	if (s >= DAY_S)
		fprintf(out, "%" PRIu64 "-", s / DAY_S);
	fprintf(out, "%02u:%02u:%02u", (unsigned)(s % DAY_S / 3600),
		(unsigned)(s / 60 % 60), (unsigned)(s % 60));
}

static void show_time(const struct proctable *t, const Vial__Agent__Process *p,
		      FILE *out)
{
	(void)t;
	show_clock(p->cpu_us / US_PER_S, out);
}

static void show_bsdtime(const struct proctable *t,
			 const Vial__Agent__Process *p, FILE *out)
{
	uint64_t s = p->cpu_us / US_PER_S;

	(void)t;
	fprintf(out, "%" PRIu64 ":%02u", s / 60, (unsigned)(s % 60));
}

static void show_etime(const struct proctable *t, const Vial__Agent__Process *p,
		       FILE *out)
{
	uint64_t s = elapsed(t, p);

	if (s >= 3600)
		show_clock(s, out);
	else
		fprintf(out, "%02u:%02u", (unsigned)(s / 60),
			(unsigned)(s % 60));
}

static void show_etimes(const struct proctable *t,
			const Vial__Agent__Process *p, FILE *out)
{
	fprintf(out, "%" PRIu64, elapsed(t, p));
}

static const struct proctable_kind kinds[] = {
	{ "user|uname|euser|ruser", "USER", show_user },
	{ "uid|euid|ruid", "UID", show_uid },
	{ "pid|tgid", "PID", show_pid },
	{ "ppid", "PPID", show_ppid },
	{ "comm|ucmd|ucomm", "COMMAND", show_comm },
	{ "args|command", "COMMAND", show_args },
	{ "cmd", "CMD", show_args },
	{ "tty|tt", "TT", show_tty },
	{ "tname", "TTY", show_tty },
	{ "stat", "STAT", show_state },
	{ "s|state", "S", show_state },
	{ "rss|rssize|rsz", "RSS", show_rss },
	{ "vsz|vsize", "VSZ", show_vsz },
	{ "pcpu|%cpu", "%CPU", show_cpu },
	{ "c", "C", show_c },
	{ "pmem|%mem", "%MEM", show_mem },
	{ "stime", "STIME", show_start },
	{ "start|start_time|bsdstart", "START", show_start },
	{ "time|cputime", "TIME", show_time },
	{ "bsdtime", "TIME", show_bsdtime },
	{ "etime", "ELAPSED", show_etime },
	{ "etimes", "ELAPSED", show_etimes },
};

/* ---- options ---- */

static bool in_list(const char *list, const char *word, size_t len)
{
	for (; *list; list += *list == '|') {
		size_t n = strcspn(list, "|");

		if (n == len && strncmp(list, word, n) == 0)
			return true;
		list += n;
	}
	return false;
}

/* "pid", or "pid=HEADING", which goes to the end. */
static int add_column(struct proctable *t, const char *word, size_t len,
		      const char *heading, struct err *e)
{
	if (t->n == PROCTABLE_MAX)
		return err_set(e, EINVAL, "too many columns");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!in_list(kinds[i].names, word, len))
			continue;
		t->column[t->n].kind = &kinds[i];
		t->column[t->n++].heading = heading ? heading
						    : kinds[i].heading;
		return 0;
	}
	return err_set(e, EINVAL,
		       "'%.*s' is no column that is known here (such as pid, "
		       "ppid, user, comm, args, rss, time)",
		       (int)MIN(len, (size_t)40), word);
}

static int add_columns(struct proctable *t, const char *list, struct err *e)
{
	while (*list) {
		size_t len = strcspn(list, ", =");
		const char *eq = list[len] == '=' ? list + len + 1 : NULL;

		if (len > 0 && add_column(t, list, len, eq, e) < 0)
			return -e->code;
		if (eq)
			return 0;
		list += len + (list[len] != '\0');
	}
	return 0;
}

/* Letters of one word. Those that choose processes mean nothing: all are
 * shown. list: what stands behind an o; NULL: it is the next word. */
struct letters {
	bool full, user, o;
	const char *list;
};

static int read_letters(struct letters *l, const char *word, struct err *e)
{
	bool dash = *word == '-';

	for (const char *s = word + dash; *s; s++) {
		if (*s == 'o' || *s == 'O') {
			l->o = true;
			l->list = s[1] ? s + 1 : NULL;
			return 0;
		}
		if (*s == 'f' && dash)
			l->full = true;
		else if (*s == 'u')
			l->user = true;
		else if (!strchr(dash ? "eAadxww" : "axewwf", *s))
			return err_set(e, EINVAL,
				       "'%.40s': only ps's -ef, aux and -eo "
				       "COLUMN,... are known here",
				       word);
	}
	return 0;
}

int proctable_parse(struct proctable *t, char **words, int n, struct err *e)
{
	struct letters l = { .full = n == 0 };

	t->n = 0;
	for (int i = 0; i < n; i++) {
		l.o = false;
		if (read_letters(&l, words[i], e) < 0)
			return -e->code;
		if (!l.o)
			continue;
		if (!l.list && i + 1 == n)
			return err_set(e, EINVAL, "'%.40s' needs columns",
				       words[i]);
		if (add_columns(t, l.list ? l.list : words[++i], e) < 0)
			return -e->code;
	}
	if (t->n > 0)
		return 0;
	if (l.user)
		return add_columns(t,
				   "user,pid,pcpu,pmem,vsz,rss,tname,stat,"
				   "start,bsdtime,args",
				   e);
	if (!l.full)
		return add_columns(t, "pid,tname,time,cmd", e);
	if (add_column(t, "user", 4, "UID", e) < 0)
		return -e->code;
	return add_columns(t, "pid,ppid,c,stime,tname,time,cmd", e);
}

/* ---- printing ---- */

/* What a guest says cannot move the cursor. The caller frees it. */
static char *cell(const struct proctable *t, const struct proctable_column *c,
		  const Vial__Agent__Process *p)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return NULL;
	c->kind->show(t, p, f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	for (char *s = text; *s; s++)
		if (*s == '\n' || *s == '\t')
			*s = ' ';
	utf8_clean(text);
	return text;
}

static void measure(const struct proctable *t,
		    const Vial__Agent__ProcessList *all, size_t *width)
{
	for (size_t c = 0; c < t->n; c++) {
		width[c] = strlen(t->column[c].heading) + GAP;
		width[c] = MAX(width[c], (size_t)LEAST);
	}
	for (size_t i = 0; i < all->n_processes; i++)
		for (size_t c = 0; c + 1 < t->n; c++) {
			autofree char *text =
				cell(t, &t->column[c], all->processes[i]);
			size_t len = text ? human_width(text, strlen(text)) : 0;

			if (len + GAP > width[c])
				width[c] = len + GAP;
		}
}

static void put(FILE *out, const char *text, size_t width, bool last)
{
	size_t used = human_width(text, strlen(text));

	fputs(text, out);
	if (last)
		fputc('\n', out);
	else
		fprintf(out, "%*s", (int)(width - MIN(used, width)), "");
}

void proctable_print(const struct proctable *t,
		     const Vial__Agent__ProcessList *all, FILE *out)
{
	size_t width[PROCTABLE_MAX] = { 0 };

	measure(t, all, width);
	for (size_t c = 0; c < t->n; c++)
		put(out, t->column[c].heading, width[c], c + 1 == t->n);
	for (size_t i = 0; i < all->n_processes; i++)
		for (size_t c = 0; c < t->n; c++) {
			autofree char *text =
				cell(t, &t->column[c], all->processes[i]);

			put(out, text ? text : "", width[c], c + 1 == t->n);
		}
}
