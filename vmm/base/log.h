/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one line per event on standard error.
 *
 * error = someone must act; warn = it will be worse later; info = life cycle;
 * debug = per call. A line is written with a single write(2), so that lines of
 * several processes do not mix. Lines that a guest can cause go through
 * log_limited(). Safe from any thread. */
#pragma once

#include <stdarg.h>
#include <stdint.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Sets the prefix ("vial-vmm 3f2a") and the most talkative level shown. */
void log_init(const char *prefix, enum log_level most);
enum log_level log_get_level(void);

void log_err(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* At most LOG_BURST lines per ten seconds pass; a count of those left out
 * follows when the next one passes. Zero-initialise. */
#define LOG_BURST 5
struct log_limit {
	uint64_t since_ms;
	unsigned passed;
	unsigned dropped;
};
void log_limited(struct log_limit *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
