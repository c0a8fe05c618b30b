/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch/bars.h"

#include "base/auto.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define ID_CHARS 12
#define BAR_MAX 50
#define BAR_MIN 5

static const char *const words[] = {
	[BAR_WAITING] = "Waiting",
	[BAR_DOWNLOADING] = "Downloading",
	[BAR_DONE] = "Pull complete",
	[BAR_THERE] = "Already exists",
};
static_assert(ARRAY_LEN(words) == BAR_NSTATES, "a state has no word");

/* ---- one line ---- */

/* Powers of 1000, four digits, as docker has it. */
static void size_text(uint64_t bytes, char *out, size_t size)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1000 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1000;
	snprintf(out, size, "%.4g%s", v, units[i]);
}

/* "[===>      ]", between the brackets so many characters. */
static void bar(uint64_t done, uint64_t total, size_t chars, char *out)
{
	size_t full = total ? (size_t)((double)MIN(done, total) /
				       (double)total * (double)chars)
			    : 0;

	*out++ = '[';
	for (size_t i = 0; i < chars; i++)
		*out++ = i + 1 < full || full == chars ? '='
		       : i + 1 == MAX(full, 1u)	       ? '>'
						       : ' ';
	*out++ = ']';
	*out = '\0';
}

void bar_line(const char *id, enum bar_state state, uint64_t done,
	      uint64_t total, unsigned width, char *out, size_t size)
{
	char have[32], all[32], drawn[BAR_MAX + 3];
	size_t taken;

	snprintf(out, size, "%.*s: %s", ID_CHARS, id, words[state]);
	if (width == 0)
		return;
	taken = strlen(out);
	size_text(done, have, sizeof(have));
	size_text(total, all, sizeof(all));
	/* Two blanks, two brackets, two blanks, a slash. */
	taken += strlen(have) + strlen(all) + 6;
	if (state == BAR_DOWNLOADING && width > taken + BAR_MIN) {
		bar(done, total, MIN(width - taken, BAR_MAX), drawn);
		snprintf(out + strlen(out), size - strlen(out), " %s  %s/%s",
			 drawn, have, all);
	}
	if (width < size)
		out[width] = '\0';
}

/* ---- all of them ---- */

void bars_init(struct bars *b, size_t n)
{
	const char *term = getenv("TERM");
	struct winsize size = { 0 };

	*b = (struct bars){ 0 };
	if (!term || !*term || strcmp(term, "dumb") == 0 ||
	    !isatty(STDOUT_FILENO) ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	/* The last column is where some begin a new line. */
	b->width = (size.ws_col > 1 ? size.ws_col : 80u) - 1;
	b->live = n > 0 && n + 1 < (size.ws_row ? size.ws_row : 24u);
}

void bars_begin(struct bars *b)
{
	if (b->drawn)
		printf("\033[%zuA", b->drawn);
	b->drawn = 0;
}

void bars_add(struct bars *b, const char *line)
{
	printf("\r\033[K%s\n", line);
	b->drawn++;
}
