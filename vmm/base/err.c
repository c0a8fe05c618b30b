/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#undef err_set
#undef err_sys
#undef err_wrap

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (code <= 0)
		code = EIO;
	if (e) {
		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
		va_end(ap);
	}
	return -code;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno > 0 ? errno : EIO;
	size_t used;
	va_list ap;

	if (e) {
		e->code = code;
		va_start(ap, fmt);
		vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
		va_end(ap);
		used = strlen(e->msg);
		snprintf(e->msg + used, sizeof(e->msg) - used, ": %s",
			 strerror(code));
	}
	return -code;
}

int err_lib(struct err *e, int code, const char *what, const char *text)
{
	const char *cause = code > 0 ? strerror(code) : "";

	/* These two only repeat that something is wrong. */
	if (code == EINVAL || code == EILSEQ || (text && strstr(text, cause)))
		cause = "";
	return err_set(e, code, "%s: %s%s%s", what, text ? text : "failed",
		       *cause ? ": " : "", cause);
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->msg)];
	size_t used;
	va_list ap;

	if (!e)
		return -EIO;
	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	used = strlen(e->msg);
	snprintf(e->msg + used, sizeof(e->msg) - used, ": %s", old);
	return e->code > 0 ? -e->code : -EIO;
}
