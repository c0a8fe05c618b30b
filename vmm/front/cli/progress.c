/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "base/auto.h"
#include "cli/human.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define EVERY_MS 150

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void progress_init(struct progress *p, const char *what, uint64_t total_bytes)
{
	const char *term = getenv("TERM");

	*p = (struct progress){
		.what = what,
		.total_bytes = total_bytes,
		.on = term && *term && strcmp(term, "dumb") != 0 &&
		      isatty(STDERR_FILENO),
	};
	p->started_ms = p->last_ms = now_ms();
}

void progress_line(const struct progress *p, uint64_t done_bytes, int64_t ms,
		   int width, char *buf, unsigned size)
{
	char done[HUMAN_MAX], total[HUMAN_MAX], rate[HUMAN_MAX];
	char share[2 * HUMAN_MAX] = "";
	double per_second = ms > 0 ? (double)done_bytes * 1000.0 / (double)ms
				   : 0;
	int n;

	if (p->total_bytes)
		snprintf(share, sizeof(share), " of %.20s (%u%%)",
			 human_size(p->total_bytes, 3, total),
			 (unsigned)(100.0 * (double)done_bytes /
				    (double)p->total_bytes));
	n = snprintf(buf, size, "%.60s  %.20s%s  %.20s/s", p->what,
		     human_size(done_bytes, 3, done), share,
		     human_size((uint64_t)per_second, 3, rate));
	if (width >= 0 && n > width && (unsigned)width < size)
		buf[width] = '\0';
}

void progress_update(struct progress *p, uint64_t done_bytes)
{
	struct winsize size = { .ws_col = 80 };
	char line[256];
	int64_t now;

	if (!p->on)
		return;
	now = now_ms();
	if (now - p->last_ms < EVERY_MS)
		return;
	p->last_ms = now;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		size.ws_col = 80;
	progress_line(p, done_bytes, now - p->started_ms, size.ws_col - 1, line,
		      sizeof(line));
	dprintf(STDERR_FILENO, "\r%s\033[K", line);
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		dprintf(STDERR_FILENO, "\r\033[K");
	p->shown = p->on = false;
}
