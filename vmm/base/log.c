/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MS 10000

static char log_prefix[64] = "vial";
static enum log_level log_most = LOG_WARN;

void log_init(const char *prefix, enum log_level most)
{
	snprintf(log_prefix, sizeof(log_prefix), "%s", prefix);
	log_most = most;
}

enum log_level log_get_level(void)
{
	return log_most;
}

static void log_line(enum log_level level, const char *fmt, va_list ap)
{
	char line[512];
	size_t used, room;
	int n;

	if (level > log_most)
		return;
	n = snprintf(line, sizeof(line), "%s: ", log_prefix);
	used = n < 0 ? 0 : (size_t)n;
	room = sizeof(line) - used - 1;
	n = vsnprintf(line + used, room, fmt, ap);
	if (n > 0)
		used += (size_t)n < room ? (size_t)n : room - 1;
	line[used++] = '\n';
	/* A full or closed log has nobody left to be told. */
	if (write(STDERR_FILENO, line, used) < 0)
		return;
}

#define LOG_AT(level)                                                          \
	va_list ap;                                                            \
	va_start(ap, fmt);                                                     \
	log_line(level, fmt, ap);                                              \
	va_end(ap)

void log_err(const char *fmt, ...)
{
	LOG_AT(LOG_ERR);
}

void log_warn(const char *fmt, ...)
{
	LOG_AT(LOG_WARN);
}

void log_info(const char *fmt, ...)
{
	LOG_AT(LOG_INFO);
}

void log_debug(const char *fmt, ...)
{
	LOG_AT(LOG_DEBUG);
}

static uint64_t log_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void log_limited(struct log_limit *l, const char *fmt, ...)
{
	uint64_t now = log_now_ms();

	if (l->since_ms == 0 || now - l->since_ms >= WINDOW_MS) {
		if (l->dropped)
			log_warn("%u lines like the next were left out",
				 l->dropped);
		l->since_ms = now;
		l->passed = l->dropped = 0;
	}
	if (l->passed >= LOG_BURST) {
		l->dropped++;
		return;
	}
	l->passed++;
	LOG_AT(LOG_WARN);
}
