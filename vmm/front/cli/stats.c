/* SPDX-License-Identifier: Apache-2.0 */
/* vial stats: what boxes use. */
#include "base/auto.h"
#include "base/fd.h"
#include "cli/cmd.h"
#include "cli/each.h"
#include "cli/human.h"
#include "cli/table.h"
#include "guest/ask.h"
#include "box/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 1000
#define FIRST_MS 500
#define EVERY_MS 1000

struct stats {
	bool all, once, whole;
	const char *format;
};

static const struct opt opts[] = {
	OPT_FLAG('a', "all", struct stats, all, "Those that do not run, too"),
	OPT_STR(0, "format", struct stats, format, "FORMAT",
		"'json', a Go template, or 'table TEMPLATE'"),
	OPT_FLAG(0, "no-stream", struct stats, once, "Once, then end"),
	OPT_FLAG(0, "no-trunc", struct stats, whole, "Whole ids"), OPT_END
};

static const struct table_column columns[] = {
	{ "Container", "CONTAINER" },
	{ "ID", "CONTAINER ID" },
	{ "Name", "NAME" },
	{ "CPUPerc", "CPU %" },
	{ "MemUsage", "MEM USAGE / LIMIT" },
	{ "MemPerc", "MEM %" },
	{ "MemReturned", "MEM RETURNED" },
	{ "NetIO", "NET I/O" },
	{ "BlockIO", "BLOCK I/O" },
	{ "PIDs", "PIDS" },
	{ NULL, NULL },
};

static const struct table_kind kind = {
	columns,
	"table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t"
	"{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"
};

/* One box, as it was asked last. */
struct seen {
	struct box_info info;
	const char *what; /* as the user calls it */
	uint64_t at_us, cpu_us, used, ram, returned, read, written;
	uint64_t rx, tx;
	double cpu; /* of one CPU, between the last two times */
	unsigned pids;
};

/* ---- asking ---- */

static void use(struct seen *s, const Vial__Control__Stats *m)
{
	uint64_t now = now_us();

	if (s->at_us && now > s->at_us && m->cpu_us >= s->cpu_us)
		s->cpu = (double)(m->cpu_us - s->cpu_us) * 100 /
			 (double)(now - s->at_us);
	s->at_us = now;
	s->cpu_us = m->cpu_us;
	s->ram = m->ram_bytes;
	s->returned = m->returned_bytes;
	s->read = m->disk_read_bytes;
	s->written = m->disk_write_bytes;
	s->rx = m->net_rx_bytes;
	s->tx = m->net_tx_bytes;
}

/* The guest knows what its memory is used for. One that does not answer uses
 * what its monitor does. */
static void look(struct seen *s)
{
	Vial__Agent__StatsReply guest;
	Vial__Control__Stats monitor;
	struct err ignored;
	struct box b;

	if (state_open(&b, s->info.id, &ignored) < 0)
		return;
	if (control_stats(b.dir, &monitor, &ignored) == 0) {
		use(s, &monitor);
		s->used = MIN(monitor.max_rss_bytes, monitor.ram_bytes);
		if (!monitor.paused &&
		    ask_stats(b.dir, PATIENCE_MS, &guest, &ignored) == 0) {
			s->pids = guest.processes;
			s->used = guest.mem_total_bytes -
				  MIN(guest.mem_available_bytes,
				      guest.mem_total_bytes);
		}
	}
	state_close(&b);
}

/* Whether one of them is still there. */
static bool look_at_all(struct seen *all, size_t n)
{
	bool alive = false;

	for (size_t i = 0; i < n; i++) {
		struct box_info info;
		struct err ignored;

		if (state_find(all[i].info.id, &info, &ignored) < 0)
			info = (struct box_info){ .alive = false };
		else
			all[i].info = info;
		if (info.alive) {
			look(&all[i]);
			alive = true;
		} else {
			all[i].cpu = 0;
			all[i].used = all[i].ram = all[i].pids = 0;
		}
	}
	return alive;
}

/* ---- which ---- */

static int choose_named(char **words, size_t n, struct seen *all, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (state_find(words[i], &all[i].info, e) < 0)
			return -e->code;
		all[i].what = words[i];
	}
	return 0;
}

/* Boxes that come later are found the next time. */
static int choose_all(const struct stats *o, struct seen **all, size_t *count,
		      struct err *e)
{
	autofree struct box_info *info = NULL;
	int n = state_list(&info, e);
	struct seen *next = n < 0 ? NULL : calloc((size_t)n + 1, sizeof(*next));
	size_t fresh = 0;

	if (!next)
		return n < 0 ? n : err_set(e, ENOMEM, "out of memory");
	for (int i = 0; i < n; i++) {
		if (!info[i].alive && !o->all)
			continue;
		for (size_t k = 0; k < *count; k++)
			if (strcmp((*all)[k].info.id, info[i].id) == 0)
				next[fresh] = (*all)[k];
		next[fresh].info = info[i];
		next[fresh++].what = NULL;
	}
	free(*all);
	*all = next;
	*count = fresh;
	return 0;
}

/* ---- showing ---- */

static json_t *row(const struct seen *s, bool whole)
{
	char id[HUMAN_MAX], used[HUMAN_MAX], ram[HUMAN_MAX];
	char in[HUMAN_MAX], out[HUMAN_MAX], rx[HUMAN_MAX], tx[HUMAN_MAX];
	char back[HUMAN_MAX];
	const char *shown = whole ? s->info.id : human_id(s->info.id, id);
	double mem = s->ram ? (double)s->used * 100 / (double)s->ram : 0;

	return json_pack("{s:s s:s s:s s:o s:o s:o s:s s:o s:o s:o}",
			 "Container", s->what ? s->what : shown, "ID", shown,
			 "Name", s->info.name, "CPUPerc",
			 json_sprintf("%.2f%%", s->cpu), "MemUsage",
			 json_sprintf("%s / %s", human_bytes(s->used, used),
				      human_bytes(s->ram, ram)),
			 "MemPerc", json_sprintf("%.2f%%", mem), "MemReturned",
			 human_bytes(s->returned, back), "NetIO",
			 json_sprintf("%s / %s", human_size(s->rx, 3, rx),
				      human_size(s->tx, 3, tx)),
			 "BlockIO",
			 json_sprintf("%s / %s", human_size(s->read, 3, in),
				      human_size(s->written, 3, out)),
			 "PIDs", json_sprintf("%u", s->pids));
}

static int show(const struct stats *o, struct table *t, const struct seen *all,
		size_t n, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		json_t *line = row(&all[i], o->whole);

		r = table_row(t, line, e);
		json_decref(line);
	}
	if (r == 0 && !o->once && isatty(STDOUT_FILENO))
		printf("\033[2J\033[H");
	return r < 0 ? r : table_print(t, stdout, e);
}

static void pause_ms(unsigned ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000,
				     .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

/* A share of CPU time takes two looks. */
static int watch(const struct stats *o, struct table *t, char **words, size_t n,
		 struct err *e)
{
	struct seen *all = calloc(n + 1, sizeof(*all));
	bool named = n > 0, alive = true;
	int r = all ? 0 : err_set(e, ENOMEM, "out of memory");

	for (unsigned i = 0; r == 0 && (alive || !named); i++) {
		r = !named ? choose_all(o, &all, &n, e)
		  : i == 0 ? choose_named(words, n, all, e)
			   : 0;
		if (r < 0)
			break;
		alive = look_at_all(all, n);
		if (i > 0 || !alive)
			r = show(o, t, all, n, e);
		if (o->once && (i > 0 || !alive))
			break;
		pause_ms(i ? EVERY_MS : FIRST_MS);
	}
	free(all);
	return r;
}

static int stats_main(const struct cmd *c, int argc, char **argv)
{
	struct stats o = { 0 };
	struct err e = { 0 };
	int status, r, first = cmd_parse(c, argc, argv, &o, &status);
	struct table *t;

	if (first < 0)
		return status;
	t = table_new(&kind, o.format, &e);
	if (!t)
		return cmd_misused(c, &e);
	r = watch(&o, t, argv + first, (size_t)(argc - first), &e);
	table_free(t);
	return r < 0 && e.code != EPIPE ? cmd_error(&e) : 0;
}

const struct cmd cmd_stats = {
	.name = "stats",
	.usage = "[OPTIONS] [BOX...]",
	.summary = "Show what boxes use, again and again.",
	.opts = opts,
	.mixed = true,
	.example = "vial stats --no-stream\n",
	.run = stats_main,
};
