/* SPDX-License-Identifier: Apache-2.0 */
#include "box/report.h"

#include "base/auto.h"
#include "base/fd.h"
#include "base/utf8.h"
#include "spec/signals.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STATUS_UNKNOWN (-1)
#define CONSOLE_LINES 15

static const char *const reason_names[] = {
	[REPORT_EXITED] = "exited",
	[REPORT_SIGNAL] = "signal",
	[REPORT_TIMEOUT] = "timeout",
	[REPORT_OOM] = "out-of-memory",
	[REPORT_NOT_STARTED] = "not-started",
	[REPORT_INTERRUPTED] = "interrupted",
	[REPORT_STOPPED] = "stopped",
	[REPORT_GUEST] = "guest-ended",
	[REPORT_ERROR] = "error",
};
static_assert(ARRAY_LEN(reason_names) == REPORT_NREASONS,
	      "a reason has no name");

const char *report_reason_name(enum report_reason why)
{
	return reason_names[why];
}

int report_init(struct report *r, const struct spec *s, struct err *e)
{
	*r = (struct report){ .status = STATUS_UNKNOWN };
	report_mark(r, TIME_BEGIN);
	r->in = calloc(s->in.n + 1, sizeof(*r->in));
	r->out = calloc(s->out.n + 1, sizeof(*r->out));
	if (!r->in || !r->out)
		return err_set(e, ENOMEM, "out of memory");
	return 0;
}

void report_fini(struct report *r)
{
	free(take_ptr(&r->in));
	free(take_ptr(&r->out));
	free(take_ptr(&r->console));
}

void report_mark(struct report *r, enum report_time t)
{
	if (!r->at[t])
		r->at[t] = now_us();
}

bool report_ended(const struct report *r)
{
	return r->status != STATUS_UNKNOWN;
}

void report_clean(char *text)
{
	utf8_clean(text);
}

void report_end(struct report *r, enum report_reason why, int status,
		const char *fmt, ...)
{
	va_list ap;

	if (report_ended(r))
		return;
	r->reason = why;
	r->status = status;
	va_start(ap, fmt);
	vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
	/* Parts of it come from the guest. */
	report_clean(r->message);
}

void report_take_exit(struct report *r, const Vial__Agent__Exited *x)
{
	r->have_exit = true;
	r->exit_status = x->status & 0xff;
	r->exit_signal = x->signal & 0x7f;
	r->core = x->core;
	r->timed_out = x->timed_out;
	r->oom_killed = x->oom_killed;
	snprintf(r->oom_victim, sizeof(r->oom_victim), "%s", x->oom_victim);
	r->streams_cut = x->streams_cut;
	r->command_wall_us = x->wall_us;
	if (!x->usage)
		return;
	r->command_user_us = x->usage->user_us;
	r->command_system_us = x->usage->system_us;
	r->command_rss_bytes = x->usage->max_rss_bytes;
}

void report_exited(struct report *r, const struct spec *s)
{
	int sig = (int)r->exit_signal;
	int status = sig ? STATUS_SIGNAL + sig : (int)r->exit_status;
	char name[24];

	if (r->timed_out)
		report_end(r, REPORT_TIMEOUT, STATUS_TIMEOUT,
			   "command timed out after %g s",
			   (double)s->timeout_ms / 1000);
	else if (r->oom_killed && status != 0)
		report_end(r, REPORT_OOM, status,
			   "out of memory: %s%skilled by "
			   "the guest's kernel (raise --memory, now %" PRIu64
			   "m)",
			   r->oom_victim, *r->oom_victim ? " was " : "",
			   s->ram_bytes >> 20);
	else if (!sig)
		report_end(r, REPORT_EXITED, status, "%s", "");
	else if (sig == SIGPIPE) /* how many a pipeline ends */
		report_end(r, REPORT_SIGNAL, status, "%s", "");
	else
		report_end(r, REPORT_SIGNAL, status, "command ended by %s%s",
			   signals_name(sig, name, sizeof(name)),
			   r->core ? " (core dumped)" : "");
}

void report_failed(struct report *r, const Vial__Agent__Failed *f,
		   const struct spec *s)
{
	const char *name = s->argv.v[0];
	bool path = strchr(name, '/') != NULL;
	int status = STATUS_VIAL;
	const char *why = f->message;

	switch (f->kind) {
	case VIAL__AGENT__FAILED__KIND__NOT_FOUND:
		report_end(r, REPORT_NOT_STARTED, STATUS_NO_FILE,
			   "exec: \"%s\": %s", name,
			   path ? "no such file or directory"
				: "executable file not found in $PATH");
		return;
	case VIAL__AGENT__FAILED__KIND__NOT_EXECUTABLE:
		report_end(r, REPORT_NOT_STARTED, STATUS_NO_EXEC,
			   "exec: \"%s\": %s", name,
			   f->error == ENOEXEC	? "exec format error"
			   : f->error == EISDIR ? "is a directory"
			   : f->error == EACCES || f->error == EPERM
				   ? "permission denied"
			   : f->error ? strerror((int)f->error)
				      : why);
		return;
	case VIAL__AGENT__FAILED__KIND__BAD_CWD:
		status = STATUS_NO_EXEC;
		break;
	default:
		break;
	}
	report_end(r, status == STATUS_VIAL ? REPORT_ERROR : REPORT_NOT_STARTED,
		   status, "%s", *why ? why : f->stage);
}

void report_print_tail(int fd, const char *text, unsigned lines,
		       const char *prefix)
{
	const char *at = text + strlen(text);
	unsigned seen = 0;

	/* Back to the beginning of the last lines. */
	while (at > text && at[-1] == '\n')
		at--;
	for (; at > text; at--)
		if (at[-1] == '\n' && ++seen == lines)
			break;
	while (*at) {
		size_t len = strcspn(at, "\n");
		char line[256];

		snprintf(line, sizeof(line), "%.*s", (int)MIN(len, 240u), at);
		line[strcspn(line, "\r")] = '\0';
		report_clean(line);
		if (*line)
			dprintf(fd, "%s%s\n", prefix, line);
		at += len + (at[len] == '\n');
	}
}

void report_panic(struct report *r)
{
	static const char mark[] = "Kernel panic - not syncing: ";
	const char *at = r->console ? strstr(r->console, mark) : NULL;
	size_t used = strlen(r->message);

	if (!at || used >= sizeof(r->message))
		return;
	at += strlen(mark);
	snprintf(r->message + used, sizeof(r->message) - used, ": %.*s",
		 (int)MIN(strcspn(at, "\r\n"), 120u), at);
	report_clean(r->message);
}

void report_disk(struct report *r, const char *log)
{
	static const char mark[] = ": blk ";
	const char *at = log ? strstr(log, mark) : NULL;
	bool full;

	if (!at)
		return;
	snprintf(r->warning, sizeof(r->warning), "disk %.*s",
		 (int)MIN(strcspn(at + strlen(mark), "\n"), 160u),
		 at + strlen(mark));
	report_clean(r->warning);
	full = strstr(r->warning, "overlay is full") != NULL;
	if (full)
		strncat(r->warning,
			" (make room in the data directory, or "
			"set VIAL_DATADIR)",
			sizeof(r->warning) - strlen(r->warning) - 1);
}

void report_print(const struct report *r, int fd, bool kept)
{
	if (*r->message)
		dprintf(fd, "vial: %s\n", r->message);
	if (*r->warning)
		dprintf(fd, "vial: %s\n", r->warning);
	if (!r->show_console || !*r->box.id)
		return;
	if (kept)
		dprintf(fd, "See 'vial logs --console %s'.\n", r->box.name);
	else if (r->console)
		report_print_tail(fd, r->console, CONSOLE_LINES, "  | ");
}
