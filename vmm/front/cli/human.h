/* SPDX-License-Identifier: Apache-2.0 */
/* human.h - values as people read them, in docker's words.
 *
 * All write into the caller's buffer and return it; HUMAN_MAX is always
 * enough. Nothing here knows the time or a locale: the caller says both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUMAN_MAX 192

/* "Less than a second", "About a minute", "3 hours". A negative span, of a
 * clock that was set back, is less than a second. */
char *human_span(int64_t seconds, char buf[HUMAN_MAX]);
/* The same with " ago" behind it. */
char *human_ago(int64_t seconds, char buf[HUMAN_MAX]);

/* Powers of 1000 with so many significant digits: "1.5kB". ps and images show
 * three digits, system df four. */
char *human_size(uint64_t bytes, int digits, char buf[HUMAN_MAX]);
/* Powers of 1024, four digits: "1.5GiB". */
char *human_bytes(uint64_t bytes, char buf[HUMAN_MAX]);

/* "2026-11-21 15:04:05 +0000 UTC", in local time. */
char *human_time(int64_t unix_seconds, char buf[HUMAN_MAX]);
/* "2026-11-21T15:04:05.000000006Z", in UTC. 0 and 0 is docker's "never":
 * 0001-01-01T00:00:00Z. */
char *human_rfc3339(int64_t unix_seconds, uint32_t ns, char buf[HUMAN_MAX]);

/* Characters in len bytes of UTF-8. */
size_t human_width(const char *s, size_t len);

/* An id as lists show it: its first twelve characters, without "sha256:". */
char *human_id(const char *id, char buf[HUMAN_MAX]);

/* At most width characters of text, the last one an ellipsis when some are
 * left out. Characters are counted, not bytes. width is at most 40. */
char *human_cut(const char *text, size_t width, char buf[HUMAN_MAX]);
/* A command as ps shows it: cut at 20 characters and in quotes. */
char *human_command(const char *command, char buf[HUMAN_MAX]);
/* Any text in quotes, with what is not printable escaped. The caller frees
 * it; NULL when memory is gone. */
char *human_quote(const char *text);

/* What a box does and since when; the times are seconds ago. */
struct human_state {
	/* "created", "running", "paused", "restarting", "exited", "dead" */
	const char *status;
	const char *health; /* NULL, "starting", "healthy", "unhealthy" */
	int exit_code;
	int64_t started_ago, finished_ago;
};

/* "Up 2 minutes (healthy)", "Exited (0) 3 seconds ago", "Created". */
char *human_status(const struct human_state *s, char buf[HUMAN_MAX]);
