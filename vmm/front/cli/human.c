/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/human.h"

#include "base/auto.h"
#include "base/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HOUR INT64_C(3600)
#define DAY (24 * HOUR)
#define COMMAND_WIDTH 20
#define ELLIPSIS "\xe2\x80\xa6"

static char *word(char buf[HUMAN_MAX], const char *text)
{
	snprintf(buf, HUMAN_MAX, "%s", text);
	return buf;
}

char *human_span(int64_t seconds, char buf[HUMAN_MAX])
{
	int64_t hours = seconds / HOUR + (seconds % HOUR >= HOUR / 2);
	const char *unit = "years";
	int64_t n = seconds / DAY / 365;

	if (seconds < 1)
		return word(buf, "Less than a second");
	if (seconds == 1)
		return word(buf, "1 second");
	if (seconds >= 60 && seconds < 120)
		return word(buf, "About a minute");
	if (seconds >= HOUR && hours == 1)
		return word(buf, "About an hour");
	if (seconds < 60)
		n = seconds, unit = "seconds";
	else if (seconds < HOUR)
		n = seconds / 60, unit = "minutes";
	else if (hours < 48)
		n = hours, unit = "hours";
	else if (hours < 14 * DAY / HOUR)
		n = hours / 24, unit = "days";
	else if (hours < 60 * DAY / HOUR)
		n = hours / 24 / 7, unit = "weeks";
	else if (hours < 730 * DAY / HOUR)
		n = hours / 24 / 30, unit = "months";
	snprintf(buf, HUMAN_MAX, "%" PRId64 " %s", n, unit);
	return buf;
}

char *human_ago(int64_t seconds, char buf[HUMAN_MAX])
{
	char span[HUMAN_MAX];

	snprintf(buf, HUMAN_MAX, "%.100s ago", human_span(seconds, span));
	return buf;
}

static char *size_text(uint64_t bytes, double base, int digits,
		       const char *const units[], char buf[HUMAN_MAX])
{
	double n = (double)bytes;
	char number[32];
	size_t unit = 0;

	for (; n >= base && units[unit + 1]; unit++)
		n /= base;
	snprintf(number, sizeof(number), "%.*g", digits, n);
	/* 999.9 in three digits is a thousand: one of the next unit. */
	if (strchr(number, 'e')) {
		unit += units[unit + 1] != NULL;
		snprintf(number, sizeof(number), "1");
	}
	snprintf(buf, HUMAN_MAX, "%s%s", number, units[unit]);
	return buf;
}

char *human_size(uint64_t bytes, int digits, char buf[HUMAN_MAX])
{
	static const char *const units[] = { "B",  "kB", "MB", "GB",
					     "TB", "PB", "EB", NULL };

	return size_text(bytes, 1000, digits, units, buf);
}

char *human_bytes(uint64_t bytes, char buf[HUMAN_MAX])
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB", NULL };

	return size_text(bytes, 1024, 4, units, buf);
}

char *human_time(int64_t unix_seconds, char buf[HUMAN_MAX])
{
	time_t t = (time_t)unix_seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm) ||
	    strftime(buf, HUMAN_MAX, "%Y-%m-%d %H:%M:%S %z %Z", &tm) == 0)
		return word(buf, "?");
	return buf;
}

char *human_rfc3339(int64_t unix_seconds, uint32_t ns, char buf[HUMAN_MAX])
{
	time_t t = (time_t)unix_seconds;
	struct tm tm;
	size_t n;

	if (unix_seconds == 0 && ns == 0)
		return word(buf, "0001-01-01T00:00:00Z");
	if (!gmtime_r(&t, &tm))
		return word(buf, "?");
	n = strftime(buf, HUMAN_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	if (ns > 0)
		n += (size_t)snprintf(buf + n, HUMAN_MAX - n, ".%09u",
				      ns % 1000000000u);
	while (ns > 0 && buf[n - 1] == '0')
		n--;
	snprintf(buf + n, HUMAN_MAX - n, "Z");
	return buf;
}

char *human_id(const char *id, char buf[HUMAN_MAX])
{
	static const char sha[] = "sha256:";

	if (strncmp(id, sha, sizeof(sha) - 1) == 0)
		id += sizeof(sha) - 1;
	snprintf(buf, HUMAN_MAX, "%.12s", id);
	return buf;
}

/* A byte that begins a character of UTF-8. */
static bool begins(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

size_t human_width(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += begins(s[i]);
	return n;
}

/* Bytes of the first width characters, and whether these are all. What is
 * not UTF-8 could be of any length: a character has four bytes at most. */
static size_t chars(const char *text, size_t width, bool *all)
{
	size_t n = 0, seen = 0;

	while (n < 4 * width && text[n]) {
		if (begins(text[n]) && ++seen > width)
			break;
		n++;
	}
	*all = text[n] == '\0';
	return n;
}

char *human_cut(const char *text, size_t width, char buf[HUMAN_MAX])
{
	bool all;
	size_t n = chars(text, MIN(width, 40u), &all);

	if (!all)
		n = chars(text, MIN(width, 40u) - 1, &all);
	snprintf(buf, HUMAN_MAX, "%.*s%s", (int)n, text, all ? "" : ELLIPSIS);
	return buf;
}

/* A character of several bytes, as it is if a terminal does nothing by it. */
static void quote_long(FILE *f, const char *s, size_t n)
{
	if (utf8_is_control(s, n))
		fprintf(f, "\\u%04x", (unsigned char)s[1]);
	else
		fwrite(s, 1, n, f);
}

/* One byte in quotes. */
static void quote_byte(FILE *f, unsigned char c)
{
	static const char letters[] = "abtnvfr";

	if (c == '"' || c == '\\')
		fprintf(f, "\\%c", c);
	else if (c >= 7 && c < 14)
		fprintf(f, "\\%c", letters[c - 7]);
	else if (c < 32 || c >= 127)
		fprintf(f, "\\x%02x", c);
	else
		fputc(c, f);
}

char *human_quote(const char *text)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (!f)
		return NULL;
	fputc('"', f);
	for (size_t n; *text; text += n) {
		n = utf8_len(text);
		if (n > 1)
			quote_long(f, text, n);
		else
			quote_byte(f, (unsigned char)*text);
		n = MAX(n, (size_t)1);
	}
	fputc('"', f);
	if (fclose(f) == 0)
		return out;
	free(out);
	return NULL;
}

char *human_command(const char *command, char buf[HUMAN_MAX])
{
	char cut[HUMAN_MAX];
	autofree char *quoted =
		human_quote(human_cut(command, COMMAND_WIDTH, cut));

	snprintf(buf, HUMAN_MAX, "%s", quoted ? quoted : cut);
	return buf;
}

static char *up(const struct human_state *s, char buf[HUMAN_MAX])
{
	char span[HUMAN_MAX], note[48] = "";

	human_span(s->started_ago, span);
	if (strcmp(s->status, "paused") == 0)
		snprintf(note, sizeof(note), " (Paused)");
	else if (s->health && strcmp(s->health, "starting") == 0)
		snprintf(note, sizeof(note), " (health: starting)");
	else if (s->health && *s->health && strcmp(s->health, "none") != 0)
		snprintf(note, sizeof(note), " (%s)", s->health);
	snprintf(buf, HUMAN_MAX, "Up %.100s%s", span, note);
	return buf;
}

char *human_status(const struct human_state *s, char buf[HUMAN_MAX])
{
	char span[HUMAN_MAX];
	bool restarting = strcmp(s->status, "restarting") == 0;

	if (strcmp(s->status, "running") == 0 ||
	    strcmp(s->status, "paused") == 0)
		return up(s, buf);
	if (strcmp(s->status, "created") == 0)
		return word(buf, "Created");
	if (strcmp(s->status, "removing") == 0)
		return word(buf, "Removal In Progress");
	if (strcmp(s->status, "dead") == 0)
		return word(buf, "Dead");
	snprintf(buf, HUMAN_MAX, "%s (%d) %.100s",
		 restarting ? "Restarting" : "Exited", s->exit_code,
		 human_ago(s->finished_ago, span));
	return buf;
}
