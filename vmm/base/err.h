/* SPDX-License-Identifier: Apache-2.0 */
/* err.h - errors a person may read.
 *
 * A fallible function returns 0 or a count, or -errno, and takes a struct err
 * last when somebody may want the reason. The message lives on the caller's
 * stack: nothing to free, and it works when memory is gone. The function that
 * fails sets it; each caller on the way up may put the name it knows in front.
 * A function returns an error or logs it, never both. */
#pragma once

#include <stdarg.h>

struct err {
	int code;	/* positive errno, 0 when unset */
	char msg[256];	/* one line, no newline */
};

/* All three return -code, so that one line reports and returns. */

/* A cause of our own, with the errno that fits it best. */
int err_set(struct err *e, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A failed system call: takes errno and appends its text. */
int err_sys(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What a library said of what, with its errno's text where it left that out.
 * text may be NULL; code 0 or less: it had none. */
int err_lib(struct err *e, int code, const char *what, const char *text);

/* Puts "what: " before the message that is there; keeps the code. */
int err_wrap(struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* None of them returns 0 or more. Compilers and analyzers that know it see
 * that "if (f(e) < 0)" is taken whenever f() reported. */
static inline int err_negative(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}
#define err_set(...)  err_negative(err_set(__VA_ARGS__))
#define err_sys(...)  err_negative(err_sys(__VA_ARGS__))
#define err_wrap(...) err_negative(err_wrap(__VA_ARGS__))
